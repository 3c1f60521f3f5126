"""Injected episodes in real backgrounds: what is found, and what rightly is not."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from benchmarks.detection import levels, scoring, trials
from benchmarks.detection.injection import CLINICAL, DRIFTS, PRESSURE, Shape
from benchmarks.detection.quiet import QUIET, QUIET_PRESSURE
from benchmarks.detection.report import Cell, Miss, Options, Report, Table
from benchmarks.detection.scoring import Rate, Tally, Truth
from benchmarks.detection.sets import DAY, HOUR, MINUTE, Absent
from benchmarks.detection.split import GROUPS, Group
from benchmarks.detection.trials import Outcome, Trial
from benchmarks.detection.vigil_alerts import watch

NAME = "injected"
SEED = 7
FIRST_READINGS = 8
"""Of a cuff's recording: learned from, not scored. A week would leave nothing of most."""
COLUMNS = (
    "episode", "tune: found", "test: found", "test: by chance", "test: median delay, min",
)  # fmt: skip


class Wearable(NamedTuple):
    """A set worn for weeks, and how densely episodes are put into it."""

    name: str
    spacing_seconds: float


WEARABLES = (
    Wearable("wearable_infection", 12 * HOUR),
    Wearable("wearable_minutes", 8 * HOUR),
    Wearable("wearable_seconds", 8 * HOUR),
)


def outcomes(
    name: str, made: Iterable[Trial], level: float = levels.SHIPPED,
    kinds: Collection[str] | None = None,
) -> list[Outcome]:  # fmt: skip
    """Vigil over trials of a set; ``kinds``: these alone."""
    config = levels.config(name, level)
    return [trials.judge(trial, lambda one: watch(one, config, kinds)) for trial in made]


def sensitivity(
    judged: Sequence[Outcome], group: Group, names: Iterable[str], chance: bool = False
) -> Rate:
    """Share of the named episodes that were found; ``chance``: in the untouched background."""
    wanted = set(names)
    tallies = [
        Tally(truth.patient_id, (by_chance if chance else at) is not None, 1)
        for outcome in judged
        if outcome.trial.group == group
        for truth, at, by_chance in outcome.verdicts()
        if truth.name in wanted
    ]
    return scoring.rate(tallies)


def delays(judged: Sequence[Outcome], group: Group, name: str) -> float | None:
    """Median minutes from onset to alert, of those found."""
    found = [
        scoring.delay(truth, at) / MINUTE
        for outcome in judged
        if outcome.trial.group == group
        for truth, at, _ in outcome.verdicts()
        if truth.name == name and at is not None
    ]
    middle = scoring.middle(found)
    return None if middle is None else round(middle, 1)


def false_rate(judged: Sequence[Outcome], group: Group) -> Rate:
    """False alert episodes per patient-day on the untouched background."""
    return scoring.rate([o.false_episodes() for o in judged if o.trial.group == group])


def by_shape(title: str, judged: Sequence[Outcome], shapes: Sequence[Shape]) -> Table:
    """A row a shape."""
    rows = tuple(
        (
            shape.name,
            sensitivity(judged, "tune", [shape.name]),
            sensitivity(judged, "test", [shape.name]),
            sensitivity(judged, "test", [shape.name], chance=True),
            delays(judged, "test", shape.name),
        )
        for shape in shapes
    )
    return Table(title, "INJECTED", COLUMNS, rows)


def misses(judged: Sequence[Outcome], wanted: Mapping[str, bool]) -> list[Miss]:
    """Wanted episodes not found, and unwanted alerts: ``wanted``: name → must alert."""
    return [
        Miss(outcome.trial.group, truth.patient_id, f"{truth.name} at {_when(truth)}",
             "" if wanted[truth.name] else "alerted")
        for outcome in judged
        for truth, at, by_chance in outcome.verdicts()
        if truth.name in wanted and (at is None) == wanted[truth.name]
        and (wanted[truth.name] or by_chance is None)
    ]  # fmt: skip


def _when(truth: Truth) -> str:
    return datetime.fromtimestamp(truth.start, UTC).strftime("%Y-%m-%d %H:%M")


def _false_table(title: str, judged: Sequence[Outcome]) -> Table:
    rows = tuple((group, false_rate(judged, group)) for group in GROUPS)
    return Table(title, "no labels", ("people", "false alert episodes per patient-day"), rows)


def _quiet_table(title: str, judged: Sequence[Outcome], shapes: Sequence[Shape]) -> Table:
    columns = ("must not alert", "tune: alerted", "test: alerted", "test: by chance")
    rows: list[tuple[Cell, ...]] = [
        (
            shape.name,
            sensitivity(judged, "tune", [shape.name]),
            sensitivity(judged, "test", [shape.name]),
            sensitivity(judged, "test", [shape.name], chance=True),
        )
        for shape in shapes
    ]
    return Table(title, "INJECTED", columns, tuple(rows))


def wearable(one: Wearable) -> tuple[list[Table], list[Miss]]:
    """Vigil as shipped on a set worn for weeks."""
    made = trials.continuous(one.name, CLINICAL, one.spacing_seconds, SEED)
    judged = outcomes(one.name, made)
    still = trials.continuous(one.name, QUIET, one.spacing_seconds, SEED + 1)
    quiet = outcomes(one.name, still)
    tables = [
        by_shape(f"{one.name}: found", judged, CLINICAL),
        _false_table(f"{one.name}: false alerts", judged),
        _quiet_table(f"{one.name}: must not alert", quiet, QUIET),
    ]
    lost = {shape.name: True for shape in CLINICAL if shape.seconds >= 30 * MINUTE}
    wrong = {shape.name: False for shape in QUIET}
    return tables, [*misses(judged, lost), *misses(quiet, wrong)]


def cuffs() -> tuple[list[Table], list[Miss]]:
    """Vigil as shipped on home and ambulatory blood pressure."""
    name = "home_blood_pressure"
    judged = outcomes(name, trials.sparse(name, PRESSURE, FIRST_READINGS, SEED))
    quiet = outcomes(name, trials.sparse(name, QUIET_PRESSURE, FIRST_READINGS, SEED + 1))
    tables = [
        by_shape(f"{name}: found", judged, PRESSURE),
        _false_table(f"{name}: false alerts", judged),
        _quiet_table(f"{name}: must not alert", quiet, QUIET_PRESSURE),
    ]
    wanted = {shape.name: True for shape in PRESSURE}
    return tables, misses(judged, wanted)


def drifts() -> list[Table]:
    """Resting heart rate drifting over days, judged by the events about days alone."""
    name, kinds = "wearable_infection", {"resting_heart_rate_raised"}
    made = trials.continuous(name, DRIFTS, 16 * DAY, SEED, repeats=4)
    judged = outcomes(name, made, kinds=kinds)
    return [
        by_shape(f"{name}: drift over days, by resting_heart_rate_raised", judged, DRIFTS),
        _false_table(f"{name}: false alerts of that kind", judged),
    ]


def run(options: Options) -> Report:
    """All of it."""
    del options
    tables: list[Table] = []
    lost: list[Miss] = []
    notes: list[str] = []
    for one in WEARABLES:
        try:
            more, missed = wearable(one)
        except Absent as absent:
            notes.append(f"Skipped: {absent}.")
            continue
        tables += more
        lost += missed
    more, missed = cuffs()
    return Report(NAME, "", (*tables, *more, *drifts()), (), (*lost, *missed), tuple(notes))
