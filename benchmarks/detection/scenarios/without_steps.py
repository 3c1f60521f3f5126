"""Injected episodes of half an hour and more where nobody sends steps: many trials, intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.detection import scoring, trials
from benchmarks.detection.injection import CLINICAL, RAMP_SECONDS
from benchmarks.detection.report import Aim, Cell, Options, Report, Table
from benchmarks.detection.scenarios.injected import SEED, outcomes
from benchmarks.detection.sets import HOUR, MINUTE, Absent
from benchmarks.detection.split import GROUPS, Group
from benchmarks.detection.trials import Outcome

NAME = "without_steps"
SPACING_SECONDS = 8 * HOUR
WANTED = tuple(s for s in CLINICAL if s.seconds >= 30 * MINUTE + 2 * RAMP_SECONDS)
SUMMARY = (
    "INJECTED episodes of 30 and 60 minutes, put into every calm stretch of all people and days"
    " again and again (seeds fixed), where neither steps nor activity are known:"
    " `wearable_minutes`, which has none, and `wearable_infection` with its own taken away after"
    " they have chosen the calm places. Vigil as shipped. First interval: over people (bootstrap);"
    " second: over trials (Wilson) and counted false episodes (Byar)."
)
COLUMNS = ("set", "people", "found, over people", "over trials", "false episodes a patient-day",
           "over episodes")  # fmt: skip


class Ground(NamedTuple):
    """A set, and how often each of its days is used."""

    name: str
    repeats: int


GROUNDS = (Ground("wearable_minutes", 12), Ground("wearable_infection", 1))


def run(options: Options) -> Report:
    """Both sets; one that is not there is skipped with its reason."""
    del options
    rows: list[tuple[Cell, ...]] = []
    shapes: list[tuple[Cell, ...]] = []
    aims: list[Aim] = []
    notes: list[str] = []
    for ground in GROUNDS:
        try:
            judged = _judged(ground)
        except Absent as absent:
            notes.append(f"Skipped: {absent}.")
            continue
        rows += [_row(ground, judged, group) for group in (*GROUPS, None)]
        shapes += [_shape(ground, judged, shape.name) for shape in WANTED]
        aims.append(_aim(ground, judged))
    tables = (
        Table("Half an hour and more", "INJECTED", COLUMNS, tuple(rows)),
        Table("By episode", "INJECTED", ("set", "episode", *GROUPS), tuple(shapes), folded=True),
    )
    return Report(NAME, SUMMARY, tables, tuple(aims), notes=tuple(notes))


def _judged(ground: Ground) -> list[Outcome]:
    made = trials.continuous(
        ground.name, WANTED, SPACING_SECONDS, SEED, ground.repeats, without_context=True
    )
    return outcomes(ground.name, made)


def _in(judged: Sequence[Outcome], group: Group | None) -> list[Outcome]:
    return [one for one in judged if group is None or one.trial.group == group]


def _found(judged: Sequence[Outcome], name: str | None = None) -> scoring.Rate:
    return scoring.rate([
        scoring.Tally(truth.patient_id, at is not None, 1)
        for one in judged
        for truth, at, _ in one.verdicts()
        if name in (None, truth.name)
    ])  # fmt: skip


def _false(judged: Sequence[Outcome]) -> scoring.Rate:
    return scoring.rate([one.false_episodes() for one in judged])


def _row(ground: Ground, judged: Sequence[Outcome], group: Group | None) -> tuple[Cell, ...]:
    own = _in(judged, group)
    found, false = _found(own), _false(own)
    share, rate = scoring.wilson(found.hits, found.of), scoring.byar(false.hits, false.of)
    return ground.name, group or "all", found, _span(share), false, _span(rate)


def _span(bounds: tuple[float, float]) -> str:
    return f"[{bounds[0]:.3f}, {bounds[1]:.3f}]"


def _shape(ground: Ground, judged: Sequence[Outcome], name: str) -> tuple[Cell, ...]:
    return ground.name, name, *(_found(_in(judged, group), name) for group in GROUPS)


def _aim(ground: Ground, judged: Sequence[Outcome]) -> Aim:
    cells: dict[Group, str] = {}
    reached = False
    for group in GROUPS:
        found, false = _found(_in(judged, group)), _false(_in(judged, group))
        reached = (found.value or 0.0) >= 0.95 and (false.value or 0.0) <= 0.1
        cells[group] = f"{found.value or 0.0:.3f} at {false.value or 0.0:.3f}"
    what = f"{ground.name}: found, at false episodes per patient-day"
    return Aim(what, "≥ 0.95 at ≤ 0.1", cells["tune"], cells["test"], reached)
