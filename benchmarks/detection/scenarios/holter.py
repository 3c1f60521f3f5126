"""A day of heart rhythm: sustained brady- and tachyarrhythmia, and an irregular heart rate."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import NamedTuple

from benchmarks.detection import scoring
from benchmarks.detection.report import Aim, Cell, Miss, Options, Report, Table
from benchmarks.detection.scoring import Alert, Rate, Tally
from benchmarks.detection.sets import MINUTE, Recording, labels, load, patient_days, seconds_of
from benchmarks.detection.split import GROUPS, Group
from benchmarks.detection.vigil_alerts import watch
from detectors.configuration.loading import DetectionConfig, from_tables

NAME = "holter"
RHYTHMS = frozenset({"AFIB", "SBR", "SVTA", "VT", "IVR", "AB", "B", "T"})
LEAST, WITHIN = MINUTE, 2 * MINUTE
IRREGULAR_LEAST, BRIDGED = 10 * MINUTE, MINUTE
EVERY = 10.0
"""Seconds that one heart rate stands for; its time is their end."""
SUMMARY = (
    "Profile `monitored_bed`. An event: a labelled rhythm other than N of at least 60 s whose mean"
    " heart rate is at or past the profile's limit (50, 120). Found: an episode of that direction"
    " is open at, or opens within 120 s of, the first rate in it that is past the limit. A false"
    " episode overlaps no event of its direction: a fast sinus rhythm counts as one."
)  # fmt: skip


class Span(NamedTuple):
    """A rhythm with a rate that should be told."""

    label: str
    kind: str
    first: float
    """Of its rates past the limit."""
    start: float
    end: float


class Judged(NamedTuple):
    """One person."""

    recording: Recording
    spans: tuple[Span, ...]
    alerts: tuple[Alert, ...]
    fibrillation: tuple[tuple[float, float], ...]


def found(span: Span, alerts: Sequence[Alert]) -> bool:
    """Whether it was told in time."""
    return any(
        a.kind == span.kind and a.end > span.start and a.start <= span.first + WITHIN
        for a in alerts
    )


def _spans(recording: Recording, config: DetectionConfig) -> tuple[Span, ...]:
    limits = config.everyone.limits
    low, high = limits["heart_rate_low"].below, limits["heart_rate_high"].above
    rates = [(m.time.timestamp(), m.values["heart_rate"]) for m in recording.measurements]
    result = []
    for row in _rows_of(recording.patient_id):
        start, end = seconds_of(row["start"]), seconds_of(row["end"])
        inside = [(t, rate) for t, rate in rates if start + EVERY <= t <= end]
        if row["label"] not in RHYTHMS or end - start < LEAST or not inside:
            continue
        mean = fmean(rate for _, rate in inside)
        if high is not None and mean >= high:
            first = next(t for t, rate in inside if rate >= high)
            result.append(Span(row["label"], "heart_rate_high", first, start, end))
        elif low is not None and mean <= low:
            first = next(t for t, rate in inside if rate <= low)
            result.append(Span(row["label"], "heart_rate_low", first, start, end))
    return tuple(result)


def _fibrillation(patient_id: str) -> tuple[tuple[float, float], ...]:
    """Atrial fibrillation, interruptions of up to a minute bridged."""
    spans = [
        Alert(seconds_of(row["start"]), seconds_of(row["end"]))
        for row in _rows_of(patient_id)
        if row["label"] == "AFIB"
    ]
    return tuple((a.start, a.end) for a in scoring.merged(spans, BRIDGED))


def _rows_of(patient_id: str) -> list[dict[str, str]]:
    return [row for row in labels("holter_rhythm") if row["patient_id"] == patient_id]


def judge(recording: Recording, config: DetectionConfig) -> Judged:
    """One pass over a person."""
    alerts = tuple(watch(recording, config))
    return Judged(recording, _spans(recording, config), alerts, _fibrillation(recording.patient_id))


def _sensitivity(people: Sequence[Judged], name: str) -> Rate:
    """Over the events with a label or of a kind; ``all``: over all."""
    return scoring.rate(
        [
            Tally(p.recording.patient_id, found(span, p.alerts), 1)
            for p in people
            for span in p.spans
            if name in {span.label, span.kind, "all"}
        ]
    )


def _false(people: Sequence[Judged], kind: str, alone: bool) -> Rate:
    """Episodes of a kind a patient-day; ``alone``: those that overlap no event."""
    tallies = []
    for p in people:
        mine = [a for a in p.alerts if a.kind == kind]
        if alone:
            events = [s for s in p.spans if s.kind == kind]
            mine = [
                a for a in mine if not any(a.start <= s.end and a.end > s.start for s in events)
            ]
        tallies.append(Tally(p.recording.patient_id, len(mine), patient_days(p.recording)))
    return scoring.rate(tallies)


def _irregular(people: Sequence[Judged]) -> tuple[Rate, Rate]:
    """Fibrillation of ten minutes or more found before 5 minutes after its end; false ones a day
    outside fibrillation.
    """
    hits, false = [], []
    for p in people:
        who = p.recording.patient_id
        alerts = [a for a in p.alerts if a.kind == "heart_rate_irregular"]
        for start, end in p.fibrillation:
            if end - start >= IRREGULAR_LEAST:
                late = end + 5 * MINUTE
                hits.append(Tally(who, any(a.start <= late and a.end > start for a in alerts), 1))
        inside = sum(end - start for start, end in p.fibrillation) / 86_400
        wrong = [
            a for a in alerts
            if not any(s <= a.start <= e + 20 * MINUTE for s, e in p.fibrillation if e - s >= LEAST)
        ]  # fmt: skip
        false.append(Tally(who, len(wrong), max(0.0, patient_days(p.recording) - inside)))
    return scoring.rate(hits), scoring.rate(false)


def _table(people: dict[Group, list[Judged]]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in ("all", "heart_rate_high", "heart_rate_low", "AFIB", "SBR"):
        rows.append((f"found: {name}", *(_sensitivity(people[g], name) for g in GROUPS)))
    for kind in ("heart_rate_high", "heart_rate_low"):
        for text, alone in (("alerts", False), ("alerts outside any event", True)):
            rates = (_false(people[g], kind, alone) for g in GROUPS)
            rows.append((f"{kind}: {text} a patient-day", *rates))
    irregular = [_irregular(people[g]) for g in GROUPS]
    rows.append(("heart_rate_irregular: AF of ≥ 10 min found", *(one[0] for one in irregular)))
    rows.append(("heart_rate_irregular: false a day outside AF", *(one[1] for one in irregular)))
    return Table("Rhythm", "real labels", ("what", *GROUPS), tuple(rows))


def run(options: Options) -> Report:
    """The report."""
    config = from_tables({"profile": "monitored_bed"})
    recordings = load("holter_rhythm")[:: 8 if options.quick else 1]
    people: dict[Group, list[Judged]] = {group: [] for group in GROUPS}
    for recording in recordings:
        people[recording.group].append(judge(recording, config))
    rates = {group: _sensitivity(people[group], "all") for group in GROUPS}
    reached = rates["test"].value
    cells = [f"{r.value:.3f} ({r.hits:.0f}/{r.of:.0f})" if r.value is not None else "–"
            for r in rates.values()]  # fmt: skip
    aim = Aim("sustained arrhythmia past a limit found in 2 min", "≥ 0.95", cells[0], cells[1],
              None if reached is None else reached >= 0.95)  # fmt: skip
    misses = tuple(
        Miss(group, p.recording.patient_id, f"{s.label} at {s.start:.0f}", s.kind)
        for group in GROUPS
        for p in people[group]
        for s in p.spans
        if not found(s, p.alerts)
    )
    return Report(NAME, SUMMARY, (_table(people),), (aim,), misses)
