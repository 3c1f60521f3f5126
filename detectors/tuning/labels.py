"""Alarms against labelled spans: what was found, how soon, and what was announced without one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import numpy as np
from msgspec import Struct

from detectors.tuning.intervals import Interval, ratios
from detectors.tuning.ledger import Alarm
from detectors.tuning.matching import Until, span
from vigil.domain.kinds import PRIORITY_ORDER, Priority


@dataclass(frozen=True, slots=True)
class Label:
    """Something that happened to a patient."""

    start: datetime
    end: datetime
    name: str = ""


class Found(Struct, frozen=True, array_like=True):
    """How a run's clinical alarms of one priority and above match the labels."""

    priority: Priority
    """This and every more urgent one is counted."""
    labels: int
    found: int
    """Labelled spans that an alarm was announced in, or was still open in."""
    sensitivity: float | None
    sensitivity_interval: Interval | None
    median_delay_seconds: float | None
    """From a span's start to the announcement, of the found ones; 0 where it came before."""
    alarms: int
    false_alarms: int
    """Alarms that were open during no labelled span of their patient."""
    false_per_patient_day: float
    false_interval: Interval | None
    precision: float | None


def score(
    alarms: Sequence[Alarm],
    labels: Mapping[str, Sequence[Label]],
    days: Mapping[str, float],
    until: Until,
) -> list[Found]:
    """Score a run, at each priority.

    Causal: an alarm covers the time from when it was *announced* to its end, not from its onset.

    Args:
        days: patient → patient-days, of everyone who was watched. Who has no label is healthy.
    """
    clinical = [alarm for alarm in alarms if alarm.category == "clinical"]
    return [
        _score(
            priority,
            [a for a in clinical if PRIORITY_ORDER[a.priority] <= rank],
            labels=labels,
            days=days,
            until=until,
        )
        for priority, rank in PRIORITY_ORDER.items()
    ]


def _score(
    priority: Priority,
    alarms: Sequence[Alarm],
    labels: Mapping[str, Sequence[Label]],
    days: Mapping[str, float],
    until: Until,
) -> Found:
    people = sorted(days)
    place = {patient: number for number, patient in enumerate(people)}
    table = np.zeros((len(people), 4))  # found, labelled, false, days
    delays: list[float] = []
    own: dict[str, list[tuple[datetime, datetime]]] = {}
    for alarm in alarms:
        covered = (alarm.announced_at, span(alarm, until)[1])
        own.setdefault(alarm.patient_id, []).append(covered)
        hit = any(_meets(covered, label) for label in labels.get(alarm.patient_id, ()))
        table[place[alarm.patient_id], 2] += not hit
    for patient, spans in labels.items():
        for label in spans:
            announced = [covered[0] for covered in own.get(patient, ()) if _meets(covered, label)]
            table[place[patient], :2] += (bool(announced), 1)
            if announced:
                delays.append(max(0.0, (min(announced) - label.start).total_seconds()))
    table[:, 3] = [days[patient] for patient in people]
    found, labelled, false, length = (float(x) for x in table.sum(axis=0))
    intervals = ratios(table[:, (0, 2)], table[:, (1, 3)])
    return Found(
        priority=priority,
        labels=int(labelled),
        found=int(found),
        sensitivity=found / labelled if labelled else None,
        sensitivity_interval=intervals[0],
        median_delay_seconds=median(delays) if delays else None,
        alarms=len(alarms),
        false_alarms=int(false),
        false_per_patient_day=false / length,
        false_interval=intervals[1],
        precision=1 - false / len(alarms) if alarms else None,
    )


def _meets(covered: tuple[datetime, datetime], label: Label) -> bool:
    return covered[0] <= label.end and label.start <= covered[1]
