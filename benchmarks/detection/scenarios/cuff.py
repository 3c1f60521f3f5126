"""Whether one of river's detectors earns its place over the pressures of a cuff."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from statistics import fmean
from typing import Any, NamedTuple

from river import anomaly, drift, stats

from benchmarks.detection import scoring, sets, trials
from benchmarks.detection.injection import pressure_moved
from benchmarks.detection.report import Cell, Options, Report, Table
from benchmarks.detection.scenarios.injected import FIRST_READINGS, SEED, outcomes
from benchmarks.detection.scoring import Alert, Tally
from benchmarks.detection.sets import DAY, MINUTE, Recording
from benchmarks.detection.split import GROUPS, group_of
from benchmarks.detection.trials import Trial

NAME = "cuff"
SET = "home_blood_pressure"
SHAPES = tuple(pressure_moved(by, minutes) for by in (40.0, -35.0) for minutes in (60.0, 120.0))
APART_SECONDS = 15 * MINUTE
RATES = (0.05, 0.1, 0.25)
SUMMARY = (
    "INJECTED. river's detectors over the systolic pressures of `home_blood_pressure`, learned"
    " reading by reading. First table: systolic 40 higher or 35 lower for one or two hours, two"
    " readings at least 15 minutes apart both at the threshold; thresholds are chosen on the very"
    " people shown, so that each is the best that this detector could do. Second table: 10 mmHg"
    " more from one day on, over years drawn day by day from a person's own daily means."
)


class Model(NamedTuple):
    """A detector of pressures: how it is made, asked and taught."""

    name: str
    make: Callable[[], Any]
    ask: Callable[[Any, float], float]
    learn: Callable[[Any, float], None]


class Distance:
    """No model: how far a pressure is from the mean of those before."""

    def __init__(self) -> None:
        self.mean = stats.Mean()


def _target(name: str, make: Callable[[], Any]) -> Model:
    return Model(
        name, make, lambda m, v: abs(m.score_one(None, v)), lambda m, v: m.learn_one(None, v)
    )


def _features(name: str, make: Callable[[], Any]) -> Model:
    def scaled(value: float) -> dict[str, float]:
        return {"systolic": min(1.0, max(0.0, (value - 60) / 160))}

    return Model(
        name, make, lambda m, v: m.score_one(scaled(v)), lambda m, v: m.learn_one(scaled(v))
    )


MODELS = (
    Model("no model: distance from the mean", Distance,
          lambda m, v: abs(v - m.mean.get()), lambda m, v: m.mean.update(v)),
    _target("GaussianScorer", lambda: anomaly.GaussianScorer(grace_period=FIRST_READINGS)),
    _target("StandardAbsoluteDeviation (median)",
            lambda: anomaly.StandardAbsoluteDeviation(sub_stat=stats.Quantile(0.5))),
    _features("HalfSpaceTrees",
              lambda: anomaly.HalfSpaceTrees(n_trees=10, height=6, window_size=20, seed=SEED)),
    _features("LODA", lambda: anomaly.LODA(n_bins=10, n_random_cuts=20, seed=SEED)),
)  # fmt: skip
Scores = Sequence[tuple[float, float]]


def _scores(recording: Recording, model: Model) -> Scores:
    """The lesser of each two scores in a row; a pressure sent again is passed over."""
    one, last, before, result = model.make(), -DAY, 0.0, list[tuple[float, float]]()
    for number, row in enumerate(recording.measurements):
        time, systolic = row.time.timestamp(), row.values.get("systolic")
        if systolic is None or time - last < APART_SECONDS:
            continue
        score = model.ask(one, systolic) if number >= FIRST_READINGS else 0.0
        model.learn(one, systolic)
        result.append((time, min(score, before)))
        last, before = time, score
    return result


def _alerts(scores: Scores, threshold: float, first: float = 0.0) -> list[Alert]:
    spans = [Alert(time, time) for time, score in scores if score >= threshold and time >= first]
    return scoring.merged(spans, 30 * MINUTE)


def _found(
    made: Sequence[Trial], backgrounds: Sequence[Scores], copies: Sequence[Sequence[Scores]],
    per_day: float,
) -> Cell:  # fmt: skip
    """Share found at the lowest threshold that keeps to a rate."""
    pairs = list(zip(made, backgrounds, strict=True))
    candidates = sorted({s for trial, own in pairs for t, s in own if t >= trial.first})
    candidates.append((candidates[-1] if candidates else 0.0) + 1e-9)
    chosen = scoring.matched_threshold(
        lambda level: sum(len(_alerts(own, level, trial.first)) for trial, own in pairs),
        candidates,
        per_day * sum(trial.days for trial in made),
    )
    if chosen is None:
        return None
    return scoring.rate([
        Tally(truth.patient_id, scoring.found(truth, _alerts(own, chosen)) is not None, 1)
        for trial, scored in zip(made, copies, strict=True)
        for (_, truths), own in zip(trial.copies, scored, strict=True)
        for truth in truths
    ])  # fmt: skip


def episodes() -> Table:
    """Anomaly detectors over readings, beside the engine as shipped."""
    made = trials.sparse(SET, SHAPES, FIRST_READINGS, SEED)
    rows: list[tuple[Cell, ...]] = []
    judged = outcomes(SET, made)
    for group in GROUPS:
        own = [one for one in judged if one.trial.group == group]
        tallies = [
            Tally(t.patient_id, at is not None, 1) for one in own for t, at, _ in one.verdicts()
        ]
        false = scoring.rate([one.false_episodes() for one in own])
        name = f"Vigil as shipped, at its own {false.value or 0.0:.3f}"
        rows.append((name, group, *(scoring.rate(tallies) for _ in RATES)))
    for model in MODELS:
        for group in GROUPS:
            part = [trial for trial in made if trial.group == group]
            backgrounds = [_scores(trial.background, model) for trial in part]
            copies = [[_scores(copy, model) for copy, _ in trial.copies] for trial in part]
            cells = [_found(part, backgrounds, copies, rate) for rate in RATES]
            rows.append((model.name, group, *cells))
    columns = ("detector", "people", *(f"found at {rate:g} a day" for rate in RATES))
    return Table("One or two hours of another pressure", "INJECTED", columns, tuple(rows))


# ---- days
LEAST_DAYS, LOG_DAYS, RISE_DAY, RISE = 5, 365, 180, 10.0
SIMULATED, SOON_DAYS = 40, 21


class Week:
    """No model: the mean of the last week against that of the four weeks before."""

    def __init__(self) -> None:
        self.days: list[float] = []
        self.drift_detected = False

    def update(self, value: float) -> None:
        """Take a day."""
        self.days = [*self.days, value][-35:]
        full = len(self.days) == 35
        self.drift_detected = full and fmean(self.days[28:]) - fmean(self.days[:28]) >= 8.0


DRIFTS: tuple[tuple[str, Callable[[], Any]], ...] = (
    ("PageHinkley, delta 4, threshold 40", lambda: drift.PageHinkley(7, 4.0, 40.0, 0.999, "up")),
    ("PageHinkley, delta 4, threshold 60", lambda: drift.PageHinkley(7, 4.0, 60.0, 0.999, "up")),
    ("ADWIN 0.05", lambda: drift.ADWIN(0.05, 1, min_window_length=3, grace_period=7)),
    ("ADWIN 0.3", lambda: drift.ADWIN(0.3, 1, min_window_length=3, grace_period=7)),
    ("KSWIN 0.01, 28 days", lambda: drift.KSWIN(0.01, 28, 7, seed=SEED)),
    ("no model: mean of 7 days 8 mmHg above that of 28", Week),
)


def _daily(recording: Recording) -> list[float]:
    days: dict[int, list[float]] = {}
    for row in recording.measurements:
        if "systolic" in row.values:
            days.setdefault(int(row.time.timestamp() // DAY), []).append(row.values["systolic"])
    return [fmean(values) for values in days.values()]


def _detections(make: Callable[[], Any], days: Sequence[float]) -> list[int]:
    """The days on which it announces, none within a week of the one before."""
    test, found = make(), [-8]
    for number, day in enumerate(days):
        test.update(day)
        if test.drift_detected and number - found[-1] > 7:
            found.append(number)
    return found[1:]


def days() -> Table:
    """Drift detectors over daily means."""
    rows: list[tuple[Cell, ...]] = []
    simulated: list[tuple[str, list[float]]] = []
    for recording in sets.load(SET):
        own = _daily(recording)
        if len(own) >= LEAST_DAYS:
            random = Random(f"{SEED}:{recording.patient_id}")
            simulated += [
                (recording.patient_id, random.choices(own, k=LOG_DAYS)) for _ in range(SIMULATED)
            ]
    for name, make in DRIFTS:
        for group in GROUPS:
            part = [(who, log) for who, log in simulated if group_of(who) == group]
            false, found = list[Tally](), list[Tally]()
            for who, log in part:
                false.append(Tally(who, len(_detections(make, log)), LOG_DAYS))
                risen = [v + RISE * (day >= RISE_DAY) for day, v in enumerate(log)]
                soon = range(RISE_DAY, RISE_DAY + SOON_DAYS)
                hit = any(day in soon for day in _detections(make, risen))
                found.append(Tally(who, hit, 1))
            rows.append((name, group, scoring.rate(found), scoring.rate(false)))
    columns = ("detector", "people", f"found in {SOON_DAYS} days", "false a day")
    return Table(f"{RISE:g} mmHg more from one day on", "INJECTED", columns, tuple(rows))


NOTES = (
    "None is shipped for pressures. On the tune people, on whom it is decided, no anomaly detector"
    " of river's finds as much as the engine's own rules do, nor as much as a plain distance from"
    " the mean does. On the two test people with enough readings several find more than the"
    " engine, as that plain distance does.",
    "Of the 20 people four, two to a side, have five days and more, and days that are drawn"
    " independently drift less than real ones: what is false in the second table is a lower bound."
    " PageHinkley finds each rise there; so does the plain rule on all but one log. That is too"
    " little to add an announcement by, and reason to measure it on recordings of months.",
)


def run(options: Options) -> Report:
    """Both tables."""
    del options
    return Report(NAME, SUMMARY, (episodes(), days()), notes=NOTES)
