"""Alarms per patient-day against what a ward and a patient can bear.

Counted are clinical alarms of every priority, as they would have been announced: technical ones are
fixed at the device, and late ones page nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

from msgspec import Struct

from detectors.configuration.budget import Budget
from detectors.configuration.loading import DetectionConfig
from detectors.configuration.patient import PatientConfig
from detectors.tuning.days import Watched
from detectors.tuning.ledger import Alarm
from vigil.values.sums import total

EVERYONE = "everyone"
"""All patients, where the configuration names no ward."""
NO_WARD = "no ward"
"""Those whom no ward names, where there are wards."""


class Load(Struct, frozen=True):
    """The alarms of one scope: a ward, everyone, or a patient."""

    scope: str
    patients: int
    patient_days: float
    alarms: int
    high: int
    medium: int
    low: int
    per_patient_day: float
    budget: float
    over: bool
    """Above the budget, over enough patient-days to be sure."""
    rules: tuple[tuple[str, int], ...]
    """The limits and detectors that opened them, the busiest first."""


def wards(config: DetectionConfig) -> list[str]:
    """The scopes that patients are gathered in, in the order of the configuration."""
    return [*(ward.name for ward in config.wards), NO_WARD] if config.wards else [EVERYONE]


def ward_of(config: DetectionConfig, patient_id: str) -> str:
    """The scope that a patient is gathered in."""
    for ward in config.wards:
        if any(fnmatchcase(patient_id, pattern) for pattern in ward.patients):
            return ward.name
    return NO_WARD if config.wards else EVERYONE


def config_of(config: DetectionConfig, ward: str) -> PatientConfig:
    """What holds for a ward."""
    return next((w.config for w in config.wards if w.name == ward), config.everyone)


def counts(alarm: Alarm) -> bool:
    """Whether an alarm counts against a budget."""
    return alarm.category == "clinical" and not alarm.retrospective


def by_ward(
    config: DetectionConfig, alarms: Iterable[Alarm], watched: Mapping[str, Watched]
) -> list[Load]:
    """The load of each ward that has a patient."""
    announced = [alarm for alarm in alarms if counts(alarm)]
    rows = []
    for name in wards(config):
        people = frozenset(patient for patient in watched if ward_of(config, patient) == name)
        if people:
            budget = config_of(config, name).budget
            rows.append(
                load(
                    name,
                    people,
                    announced=announced,
                    watched=watched,
                    budget=budget,
                    most=budget.alarms_per_patient_day,
                )
            )
    return rows


def by_patient(
    config: DetectionConfig, alarms: Iterable[Alarm], watched: Mapping[str, Watched]
) -> list[Load]:
    """The load of each patient with an alarm, the greatest first."""
    announced: dict[str, list[Alarm]] = {}
    for alarm in alarms:
        if counts(alarm):
            announced.setdefault(alarm.patient_id, []).append(alarm)
    rows = []
    for patient, own in announced.items():
        budget = config.config_for(patient).budget
        most = budget.alarms_per_patient_day_of_one
        rows.append(
            load(
                patient,
                frozenset({patient}),
                announced=own,
                watched=watched,
                budget=budget,
                most=most,
            )
        )
    return sorted(rows, key=lambda row: (-row.per_patient_day, row.scope))


def load(
    scope: str,
    people: frozenset[str],
    announced: Iterable[Alarm],
    watched: Mapping[str, Watched],
    budget: Budget,
    most: float,
) -> Load:
    """Count the alarms of some people against ``most`` a patient-day."""
    own = [alarm for alarm in announced if alarm.patient_id in people]
    days = total(watched[patient].days for patient in sorted(people))
    levels = Counter(alarm.priority for alarm in own)
    rules = Counter(alarm.rule for alarm in own)
    busiest = sorted(rules.items(), key=lambda item: (-item[1], item[0]))
    return Load(
        scope=scope,
        patients=len(people),
        patient_days=round(days, 6),
        alarms=len(own),
        high=levels["high"],
        medium=levels["medium"],
        low=levels["low"],
        per_patient_day=round(len(own) / days, 6),
        budget=most,
        over=days >= budget.least_patient_days and len(own) > most * days,
        rules=tuple(busiest),
    )
