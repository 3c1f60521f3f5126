"""The table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.stream.rounds import BEFORE, Runs

LIMIT = "limit"
AGAINST = ("quixstreams_zscore", "bytewax_zscore")


def table(runs: Sequence[Runs]) -> str:
    """Rates of each job, and what they are of the limit and of the peers, by the best runs.

    Against an earlier build it is the processor time a reading that counts: below 1 is cheaper.
    """
    best = {r.job.name: r.rates()[0] for r in runs if r.outcomes}
    costs = {r.job.name: r.microseconds() for r in runs if r.outcomes}
    lines = [
        "| job | best, readings/s | median | processor µs a reading | of the limit"
        " | × quixstreams | × bytewax | × the earlier build (processor) |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in runs:
        if row.outcomes:
            rate = best[row.job.name]
            ratios = [_ratio(rate, best.get(name)) for name in (LIMIT, *AGAINST)]
            earlier = costs.get(f"{row.job.name}{BEFORE}")
            ratios.append("" if earlier is None else f"{row.microseconds() / earlier:.3f}")
            figures = [
                f"{rate:,.0f}", f"{statistics.median(row.rates()):,.0f}",
                f"{row.microseconds():.1f}", *ratios,
            ]  # fmt: skip
        else:
            figures = [f"did not run: {row.failure}", *[""] * 6]
        lines.append(f"| {row.job.title} | {' | '.join(figures)} |")
    return "\n".join(lines)


def _ratio(rate: float, other: float | None) -> str:
    return "" if other is None else f"{rate / other:.2f}"


def check(runs: Sequence[Runs]) -> None:
    """Every run took every reading, and every z-score job flagged the same ones."""
    taken = {o.readings for r in runs for o in r.outcomes}
    assert len(taken) <= 1, f"jobs took different numbers of readings: {taken}"
    scores = {r.job.name: o.result for r in runs for o in r.outcomes if "zscore" in r.job.name}
    assert len(set(scores.values())) <= 1, f"z-score jobs flagged differently: {scores}"
