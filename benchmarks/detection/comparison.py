"""Vigil beside its peers at the same rates of false alerts, on trials with injected episodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from benchmarks.detection import levels, scoring, sweep, trials
from benchmarks.detection.peers.registry import known
from benchmarks.detection.report import Cell, Chart, Curve, Table
from benchmarks.detection.rows import Row
from benchmarks.detection.scoring import MATCHED_RATES, Rate, Tally
from benchmarks.detection.sets import Recording
from benchmarks.detection.split import GROUPS, Group
from benchmarks.detection.trials import Outcome, Trial
from benchmarks.detection.vigil_alerts import watch

QUIET_RATE = 0.1
"""The rate of false alerts at which what must not alert is looked at."""
Choose = Callable[[Group, float], "list[Outcome] | None"]
"""(group, false episodes per patient-day) → outcomes of the operating point that keeps to it."""


class Ground(NamedTuple):
    """A set's trials, and how peers see them."""

    name: str
    made: Sequence[Trial]
    rows_of: Callable[[Recording], list[Row]]
    memory: int
    """Rows that a peer should remember."""
    wanted: set[str]
    """Names of the episodes that count in the comparison."""
    unwanted: set[str]
    slow_rows: bool = True
    """Rows are a minute apart, so that a slow peer can be given fewer."""


class Compared(NamedTuple):
    """The table, the picture, and what is missing."""

    table: Table
    chart: Chart
    notes: tuple[str, ...]


def compare(ground: Ground, shipped: Sequence[Outcome], title: str) -> Compared:
    """Everybody at matched rates; ``shipped``: Vigil's outcomes as it ships."""
    own = {level: shipped if level == levels.SHIPPED else _vigil(ground, level)
           for level in levels.LEVELS}  # fmt: skip
    rows = [*_shipped_rows(ground, shipped), *_rows("Vigil, levels", ground, _choose(own), None)]
    points = sorted(sweep.point_of(outcomes, ground.wanted) for outcomes in own.values())
    curves = [Curve("Vigil", tuple(points))]
    there = known()
    prepared = sweep.prepare(ground.made, ground.rows_of)
    for peer in there.peers:
        pace = peer if ground.slow_rows else peer._replace(every_minutes=1)
        run = sweep.run(pace, prepared, ground.memory)
        rows += _rows(peer.name, ground, _choose_peer(run), run.microseconds)
        curves.append(Curve(peer.name, tuple(sweep.curve(run.scored, ground.wanted, 2.0))))
    table = Table(f"{title}: at matched rates of false alerts", "INJECTED", COLUMNS, tuple(rows))
    chart = Chart(ground.name, f"{ground.name}: injected episodes, all people", tuple(curves))
    return Compared(table, chart, there.absent)


COLUMNS = (
    "detector", "people", *(f"found at {rate:g}" for rate in MATCHED_RATES),
    f"must not alert, alerted at {QUIET_RATE:g}", "µs a row",
)  # fmt: skip


def share(outcomes: Sequence[Outcome], names: set[str]) -> Rate:
    """Of the named episodes, those alerted."""
    return scoring.rate([
        Tally(truth.patient_id, at is not None, 1)
        for outcome in outcomes
        for truth, at, _ in outcome.verdicts()
        if truth.name in names
    ])  # fmt: skip


def _vigil(ground: Ground, level: float) -> list[Outcome]:
    config = levels.config(ground.name, level)
    return [trials.judge(trial, lambda one: watch(one, config)) for trial in ground.made]


def _shipped_rows(ground: Ground, shipped: Sequence[Outcome]) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for group in GROUPS:
        own = [outcome for outcome in shipped if outcome.trial.group == group]
        false = scoring.rate([outcome.false_episodes() for outcome in own])
        text = "–" if false.value is None else f"{false.value:.3f}"
        found = share(own, ground.wanted)
        name = f"Vigil as shipped, at its own {text}"
        cells = [found if (false.value or 0.0) <= rate else None for rate in MATCHED_RATES]
        rows.append((name, group, *cells, share(own, ground.unwanted), None))
    return rows


def _rows(
    name: str, ground: Ground, choose: Choose, microseconds: float | None
) -> list[tuple[Cell, ...]]:
    rows: list[tuple[Cell, ...]] = []
    for group in GROUPS:
        chosen = {rate: choose(group, rate) for rate in MATCHED_RATES}
        cells = [_found(chosen[rate], ground.wanted) for rate in MATCHED_RATES]
        cost = None if microseconds is None else round(microseconds, 1)
        quiet = _found(chosen[QUIET_RATE], ground.unwanted)
        rows.append((name, group, *cells, quiet, cost))
    return rows


def _found(outcomes: Sequence[Outcome] | None, names: set[str]) -> Cell:
    return None if outcomes is None else share(outcomes, names)


def _choose(own: Mapping[float, Sequence[Outcome]]) -> Choose:
    """Vigil's most eager level within the rate."""

    def choose(group: Group, per_day: float) -> list[Outcome] | None:
        best = None
        for level in sorted(own, reverse=True):
            outcomes = [o for o in own[level] if o.trial.group == group]
            false = scoring.rate([o.false_episodes() for o in outcomes], draws=1)
            if false.value is None or false.value > per_day:
                break
            best = outcomes
        return best

    return choose


def _choose_peer(run: sweep.Run) -> Choose:
    return lambda group, per_day: sweep.at_rate(run.scored, group, per_day)
