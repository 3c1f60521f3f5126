"""Injected episodes in real backgrounds: what is found, and what rightly is not."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from benchmarks.detection import levels, render, scoring, trials
from benchmarks.detection.comparison import Compared, Ground, compare
from benchmarks.detection.injection import CLINICAL, DRIFTS, PRESSURE, RAMP_SECONDS, Shape
from benchmarks.detection.peers import night_signal
from benchmarks.detection.quiet import QUIET, QUIET_PRESSURE
from benchmarks.detection.report import Aim, Cell, Chart, Miss, Options, Report, Table
from benchmarks.detection.rows import levels as levels_of
from benchmarks.detection.rows import readings
from benchmarks.detection.scoring import Rate, Tally, Truth
from benchmarks.detection.sets import HOUR, MINUTE, Absent
from benchmarks.detection.split import GROUPS, Group
from benchmarks.detection.trials import Outcome, Trial
from benchmarks.detection.vigil_alerts import watch

NAME = "injected"
SEED = 7
FIRST_READINGS = 8
"""Of a cuff's recording: learned from, not scored. A week would leave nothing of most."""
COLUMNS = (
    "episode", "tune: found", "tune: by chance", "test: found", "test: by chance",
    "test: median delay, min",
)  # fmt: skip


MEMORY_MINUTES, MEMORY_READINGS = 2880, 30
"""What a peer remembers: two days at rest; 30 readings of a cuff."""
SUMMARY = (
    "INJECTED episodes in the real recordings of the wearable sets and of home blood pressure."
    " A vital is moved by so much for so long at a calm moment, its own noise kept, with ramps of"
    " five minutes. Found: an alert starts between onset and ten minutes after the end. False:"
    " alert episodes on the untouched recording, after the warm-up, outside 21 days around an"
    " illness. By chance: how many of the same windows hold an alert in the untouched recording."
)
NOTES = (
    "Vigil runs on readings as they come. Peers are given the resting level of the last ten"
    " minutes, once a minute (river's, pysad's and streamad's: once in five), so that persistence"
    " and rest are done for them; their thresholds are chosen on the very people shown, Vigil's"
    " levels are four steps of one factor.",
    "A detector can find less at a higher rate of false alerts: an alert that stood already when an"
    " episode began does not count.",
    "`wearable_seconds` is the same people as `wearable_minutes`, and peers see minutes there too:"
    " they are shown once. Neither set has steps: calm is a stretch below the person's median.",
    "A cuff's recording is learned from for 8 readings; each episode is a copy of its own. The"
    " 30 to 120 min hold two to four readings.",
)


class Wearable(NamedTuple):
    """A set worn for weeks, and how densely episodes are put into it."""

    name: str
    spacing_seconds: float
    repeats: int = 1
    peers: bool = True


WEARABLES = (
    Wearable("wearable_infection", 8 * HOUR, repeats=2),
    Wearable("wearable_minutes", 8 * HOUR, repeats=2),
    Wearable("wearable_seconds", 8 * HOUR, peers=False),
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
            sensitivity(judged, "tune", [shape.name], chance=True),
            sensitivity(judged, "test", [shape.name]),
            sensitivity(judged, "test", [shape.name], chance=True),
            delays(judged, "test", shape.name),
        )
        for shape in shapes
    )
    return Table(title, "INJECTED", COLUMNS, rows, folded=True)


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
    return Table(title, "INJECTED", columns, tuple(rows), folded=True)


class Part(NamedTuple):
    """What one set gives to the report."""

    tables: tuple[Table, ...]
    misses: tuple[Miss, ...]
    aims: tuple[Aim, ...] = ()
    charts: tuple[Chart, ...] = ()
    notes: tuple[str, ...] = ()


def wearable(one: Wearable, options: Options) -> Part:
    """A set worn for weeks."""
    shapes = (*CLINICAL, *QUIET)
    made = trials.continuous(one.name, shapes, one.spacing_seconds, SEED, one.repeats)
    judged = outcomes(one.name, made)
    tables = [
        by_shape(f"{one.name}: found", judged, CLINICAL),
        _false_table(f"{one.name}: false alerts", judged),
        _quiet_table(f"{one.name}: must not alert", judged, QUIET),
    ]
    wanted = {shape.name for shape in CLINICAL if shape.seconds >= 30 * MINUTE + 2 * RAMP_SECONDS}
    unwanted = {shape.name for shape in QUIET}
    lost = misses(judged, {**dict.fromkeys(wanted, True), **dict.fromkeys(unwanted, False)})
    part = Part(tuple(tables), tuple(lost), _aims(one.name, judged, wanted, unwanted))
    if not options.peers or not one.peers:
        return part
    ground = Ground(one.name, made, levels_of, MEMORY_MINUTES, wanted, unwanted)
    return _with_peers(part, compare(ground, judged, f"{one.name}, 30 min and more"))


def cuffs(options: Options) -> Part:
    """Home and ambulatory blood pressure."""
    name, shapes = "home_blood_pressure", (*PRESSURE, *QUIET_PRESSURE)
    made = trials.sparse(name, shapes, FIRST_READINGS, SEED)
    judged = outcomes(name, made)
    tables = [
        by_shape(f"{name}: found", judged, PRESSURE),
        _false_table(f"{name}: false alerts", judged),
        _quiet_table(f"{name}: must not alert", judged, QUIET_PRESSURE),
    ]
    wanted, unwanted = {s.name for s in PRESSURE}, {s.name for s in QUIET_PRESSURE}
    part = Part(tuple(tables), tuple(misses(judged, dict.fromkeys(wanted, True))),
                _aims(name, judged, wanted, unwanted))  # fmt: skip
    if not options.peers:
        return part
    ground = Ground(name, made, readings, MEMORY_READINGS, wanted, unwanted, slow_rows=False)
    return _with_peers(part, compare(ground, judged, name))


def drifts(options: Options) -> Part:
    """A resting heart rate that is higher for days, judged by the trend's events alone."""
    name = "wearable_infection"
    made = trials.over_days(name, DRIFTS, SEED)
    judged = outcomes(name, made, kinds={"resting_heart_rate_raised"})
    title = f"{name}: drift over days"
    tables = [
        by_shape(f"{title}, Vigil's resting_heart_rate_raised", judged, DRIFTS),
        _false_table(f"{title}: Vigil's false alerts of that kind", judged),
    ]
    if options.peers:
        night = [trials.judge(trial, night_signal.alerts) for trial in made]
        tables.append(by_shape(f"{title}, NightSignal red", night, DRIFTS))
        tables.append(_false_table(f"{title}: NightSignal's false alerts", night))
    return Part(tuple(tables), tuple(misses(judged, {s.name: True for s in DRIFTS})))


def _with_peers(part: Part, compared: Compared) -> Part:
    tables = (*part.tables, compared.table)
    return part._replace(tables=tables, charts=(compared.chart,), notes=compared.notes)


def _aims(
    name: str, judged: Sequence[Outcome], wanted: set[str], unwanted: set[str]
) -> tuple[Aim, ...]:
    found = {group: sensitivity(judged, group, wanted) for group in GROUPS}
    false = {group: false_rate(judged, group) for group in GROUPS}
    wrong = {group: sensitivity(judged, group, unwanted) for group in GROUPS}
    cells = [f"{render.cell(found[g])} at {render.cell(false[g])}" for g in GROUPS]
    enough = (found["test"].value or 0.0) >= 0.95 and (false["test"].value or 0.0) <= 0.1
    which = "30 min and more" if name != "home_blood_pressure" else "pressures and shock index"
    quiet = [render.cell(wrong[g]) for g in GROUPS]
    return (
        Aim(f"{name}: injected, {which}: found, at false episodes per patient-day",
            "≥ 0.95 at ≤ 0.1", cells[0], cells[1], enough),
        Aim(f"{name}: must not alert, alerted", "≤ 0.01", quiet[0], quiet[1],
            (wrong["test"].value or 0.0) <= 0.01),
    )  # fmt: skip


def run(options: Options) -> Report:
    """All of it; a set that is not there is skipped with its reason."""
    parts: list[Part] = []
    notes = list(NOTES)
    jobs: list[Callable[[Options], Part]] = [
        *(partial(wearable, one) for one in WEARABLES),
        cuffs,
        drifts,
    ]
    for job in jobs:
        try:
            parts.append(job(options))
        except Absent as absent:
            notes.append(f"Skipped: {absent}.")
    notes += sorted({note for part in parts for note in part.notes})
    return Report(
        NAME, SUMMARY,
        tuple(table for part in parts for table in part.tables),
        tuple(aim for part in parts for aim in part.aims),
        tuple(miss for part in parts for miss in part.misses),
        tuple(notes),
        tuple(chart for part in parts for chart in part.charts),
    )  # fmt: skip
