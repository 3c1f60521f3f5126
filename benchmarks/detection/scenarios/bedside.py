"""Alarms of bedside monitors: which of them the numbers of the last minute contradict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from benchmarks.detection import scoring
from benchmarks.detection.report import Aim, Cell, Miss, Options, Report, Table
from benchmarks.detection.scoring import Rate, Tally
from benchmarks.detection.sets import labels, load, seconds_of
from benchmarks.detection.split import GROUPS, Group, group_of
from detectors.verification import Alarm, Kind, Outcome, verify

NAME = "bedside"
BEGIN = seconds_of("2026-01-01T00:00:00Z")
"""Second 0 of every recording of the set."""
LOST = 5
"""What a true alarm that is silenced costs, beside one false alarm that is not (the challenge)."""
AIMED = 54.0
TYPES: dict[str, Kind] = {
    "Asystole": "asystole",
    "Bradycardia": "bradycardia",
    "Tachycardia": "tachycardia",
    "Ventricular_Tachycardia": "ventricular_tachycardia",
    "Ventricular_Flutter_Fib": "ventricular_flutter_fibrillation",
}
SUMMARY = (
    "`verify` on heart rate and arterial pressure each second from waveforms, to second 300: there"
    " the monitor's alarm stands; an alarm is silenced where it is contradicted. Score: (TP + TN) /"
    " (TP + TN + FP + 5 FN), in percent. Bootstrap over alarms, one a person."
)  # fmt: skip
Verdict = Literal["TP", "TN", "FP", "FN"]


class Case(NamedTuple):
    """An alarm, and what was said of it."""

    patient_id: str
    group: Group
    type: str
    true: bool
    outcome: Outcome
    reason: str

    @property
    def verdict(self) -> Verdict:
        """As the challenge counts it."""
        kept = self.outcome != "contradicted"
        return ("TP" if kept else "FN") if self.true else ("FP" if kept else "TN")


def score(cases: Sequence[Case], silence: bool = True) -> float | None:
    """The challenge's score in percent; ``silence``: False keeps every alarm."""
    if not cases:
        return None
    verdicts = [c.verdict if silence else ("TP" if c.true else "FP") for c in cases]
    right = verdicts.count("TP") + verdicts.count("TN")
    return 100 * right / (right + verdicts.count("FP") + LOST * verdicts.count("FN"))


def cases() -> list[Case]:
    """Every alarm of the set, judged."""
    measured = {one.patient_id: one.measurements for one in load("bedside_alarms")}
    result = []
    for row in labels("bedside_alarms"):
        patient, kind = row["patient_id"], TYPES[row["alarm"]]
        at = BEGIN + float(row["alarm_time_s"])
        verdict = verify(Alarm(kind, at), measured.get(patient, ()))
        result.append(
            Case(
                patient, group_of(patient), row["alarm"], row["true_alarm"] == "1",
                verdict.outcome, verdict.reason,
            )
        )  # fmt: skip
    return result


def _share(some: Sequence[Case], hit: Verdict, miss: Verdict) -> Rate:
    """Of those counted as either, the share of ``hit``."""
    known = [case for case in some if case.verdict in {hit, miss}]
    return scoring.rate([Tally(c.patient_id, c.verdict == hit, 1) for c in known])


def _rows(judged: Sequence[Case]) -> tuple[tuple[Cell, ...], ...]:
    rows: list[tuple[Cell, ...]] = []
    for group in GROUPS:
        own = [case for case in judged if case.group == group]
        for name in (*TYPES, "all"):
            some = [case for case in own if name in {case.type, "all"}]
            rows.append(
                (group, name, len(some), _share(some, "TP", "FN"), _share(some, "TN", "FP"),
                 score(some), score(some, silence=False))
            )  # fmt: skip
    return tuple(rows)


def _describe(judged: Sequence[Case], group: Group) -> str:
    own = [case for case in judged if case.group == group]
    value, (low, high) = score(own), scoring.interval(own, score)
    if value is None or low is None or high is None:
        return "–"
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def run(options: Options) -> Report:
    """The report."""
    del options
    judged = cases()
    test = [case for case in judged if case.group == "test"]
    reached = score(test)
    table = Table(
        "Alarms kept and silenced", "real labels",
        ("people", "alarm", "alarms", "true alarms kept", "false alarms silenced", "score",
         "score of keeping all"),
        _rows(judged),
    )  # fmt: skip
    aim = Aim("challenge score", f"> {AIMED:g}", _describe(judged, "tune"),
              _describe(judged, "test"), None if reached is None else reached > AIMED)  # fmt: skip
    misses = tuple(
        Miss(case.group, case.patient_id, case.type, case.reason)
        for case in judged
        if case.verdict == "FN"
    )
    return Report(NAME, SUMMARY, (table,), (aim,), misses)
