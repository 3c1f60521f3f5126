"""The result of a rebuild, on the terminal and as JSON lines: ids, kinds and times, no values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import typer

from cli.tables import print_table
from history.difference import VERDICTS, Compared, Episode
from vigil.domain.ids import timestamp

if TYPE_CHECKING:
    from history.rebuild import Outcome
    from store.episodes.shadow import Span

LISTED = 10
"""Differences, and patients who have any, that the terminal names; ``--out`` has all."""


def print_comparison(outcome: Outcome) -> None:
    """Print the comparison: what made both sides, how many are alike, the first differences."""
    _print_makers(outcome)
    for why, steps in sorted(outcome.left_out.items()):
        typer.echo(f"not compared: {_steps(steps)} {why}")
    different = outcome.different
    alike = f"{len(outcome.compared) - len(different)} episodes are the same"
    if not different:
        typer.echo(f"no difference: {alike}")
        return
    counted = Counter(one.verdict for one in different)
    typer.echo(
        f"different: {counted['only live']} only live, {counted['only shadow']} only in the shadow,"
        f" {counted['changed']} changed ({_changes(different)}); {alike}"
    )
    _table("kind", outcome.compared, lambda one: one.kind)
    whose = {one.patient_id for one in different}
    own = [one for one in outcome.compared if one.patient_id in whose]
    _table("patient", own, lambda one: one.patient_id)
    typer.echo("")
    for one in different[:LISTED]:
        typer.echo(_line(one))
    if len(different) > LISTED:
        typer.echo(f"… {len(different) - LISTED} more; --out FILE.jsonl writes all")


def describe_played(description: str, spans: dict[str, Span], shadow: str) -> str:
    """Describe in one line what was played."""
    readings = sum(span.readings for span in spans.values())
    line = f"{description}: {readings} readings of {len(spans)} patients played into {shadow}"
    if spans:
        first = min(span.first for span in spans.values())
        reached = max(span.reached for span in spans.values())
        line += f", received since {_minute(first)}; compared up to {_minute(reached)} UTC"
    return line


def difference_lines(outcome: Outcome, description: str) -> Iterator[dict[str, Any]]:
    """Yield a summary, then each difference."""
    counted = Counter(one.verdict for one in outcome.compared)
    yield {
        "type": "summary",
        "history": description,
        **{verdict.replace(" ", "_"): counted[verdict] for verdict in VERDICTS},
        "not_compared": dict(sorted(outcome.left_out.items())),
        "live_made_by": dict(sorted(outcome.live_by.items())),
        "shadow_made_by": dict(sorted(outcome.shadow_by.items())),
    }
    for one in outcome.different:
        yield {
            "type": "difference",
            "verdict": one.verdict.replace(" ", "_"),
            "patient_id": one.patient_id,
            "kind": one.kind,
            "live": _episode(one.live),
            "shadow": _episode(one.shadow),
            "changes": [change.text for change in one.changes],
        }


def _episode(episode: Episode | None) -> dict[str, Any] | None:
    if episode is None:
        return None
    last = episode.last
    return {
        "episode_id": last.episode_id,
        "priority": last.priority,
        "onset": last.onset,
        "ended_at": last.ended_at,
        "steps": len(episode.steps),
    }


def _print_makers(outcome: Outcome) -> None:
    live, shadow = outcome.live_by, outcome.shadow_by
    if not live or not shadow or live.keys() == shadow.keys():
        return
    for where, makers in (("live", live), ("the shadow", shadow)):
        made = ", ".join(f"{by}: {_steps(count)}" for by, count in sorted(makers.items()))
        typer.echo(f"configuration (and detectors' version) of {where}: {made}")
    typer.echo("that they differ is itself counted as no difference")


def _changes(different: Iterable[Compared]) -> str:
    counted = Counter(what for one in different for what in {change.what for change in one.changes})
    return ", ".join(f"{what} {times}" for what, times in counted.most_common()) or "nothing"


def _table(heading: str, compared: Iterable[Compared], group: Any) -> None:
    groups: dict[str, Counter[str]] = {}
    for one in compared:
        groups.setdefault(group(one), Counter())[one.verdict] += 1
    rows = [
        (name, *(str(counted[verdict]) for verdict in VERDICTS))
        for name, counted in sorted(groups.items())
    ]
    typer.echo("")
    print_table((heading, *VERDICTS), rows[:LISTED] if heading == "patient" else rows, "")
    if heading == "patient" and len(rows) > LISTED:
        typer.echo(f"… {len(rows) - LISTED} more patients")


def _line(one: Compared) -> str:
    last = one.present.last
    who = f"{one.patient_id} {one.kind} {last.episode_id}"
    if one.verdict == "changed":
        texts = [change.text for change in one.changes]
        return f"{who} changed: {'; '.join(texts[:3])}{'; …' if len(texts) > 3 else ''}"
    end = "open" if last.ended_at is None else timestamp(last.ended_at)
    where = "only live" if one.verdict == "only live" else "only in the shadow"
    return f"{who} {where}: {last.priority}, {timestamp(last.onset)} to {end}"


def _steps(count: int) -> str:
    return f"{count} step{'' if count == 1 else 's'}"


def _minute(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M}"
