"""The kinds of event, in one table; a kind is added by a row.

``result`` and ``onset`` are the two axes of IEC 60601-1-8's priority table (third-party reading,
see ``docs/detection.md``); they give the kind's *default* priority. A detector may raise it with
severity (a heart rate of 180 is not one of 125), never below the default's row.

``cause`` names the possible cause: kinds of one cause that hold at the same time are reported as
one episode with parts (:mod:`detectors.episodes.tracker`).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Priority = Literal["high", "medium", "low"]
Category = Literal["clinical", "technical"]
Result = Literal["irreversible", "reversible", "minor"]
Onset = Literal["immediate", "prompt", "delayed"]
Cause = Literal["circulation", "rhythm", "pressure", "unusual", "trend", ""]
"""``circulation``: the heart pumps too little, or races to keep up. ``rhythm``: the beat itself.
``pressure``: it is too high. ``unusual``: for this person, by statistics alone. ``trend``: over
days, and so never hidden by what is happening now, nor hiding it. Empty: technical, each its own.
"""

PRIORITY_TABLE: MappingProxyType[tuple[Result, Onset], Priority] = MappingProxyType(
    {
        ("irreversible", "immediate"): "high",
        ("irreversible", "prompt"): "high",
        ("irreversible", "delayed"): "medium",
        ("reversible", "immediate"): "high",
        ("reversible", "prompt"): "medium",
        ("reversible", "delayed"): "low",
        ("minor", "immediate"): "medium",
        ("minor", "prompt"): "low",
        ("minor", "delayed"): "low",
    }
)
"""IEC 60601-1-8 §6.1.2: result of no response × how soon harm comes."""

PRIORITY_ORDER: MappingProxyType[Priority, int] = MappingProxyType(
    {"high": 0, "medium": 1, "low": 2}
)
"""Sorts the most urgent first."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of event."""

    name: str
    label: str
    """What the care team reads."""
    category: Category
    signals: tuple[str, ...]
    result: Result
    onset: Onset
    cause: Cause = ""

    @property
    def priority(self) -> Priority:
        """The default priority, from the IEC table."""
        return PRIORITY_TABLE[self.result, self.onset]


_BP = ("systolic", "diastolic")
_ROWS = (
    Kind(
        "heart_rate_high",
        "Heart rate high",
        "clinical",
        ("heart_rate",),
        "reversible",
        "prompt",
        "circulation",
    ),
    Kind(
        "heart_rate_low",
        "Heart rate low",
        "clinical",
        ("heart_rate",),
        "reversible",
        "prompt",
        "circulation",
    ),
    Kind(
        "heart_rate_unusual",
        "Heart rate unusual for this person",
        "clinical",
        ("heart_rate",),
        "reversible",
        "delayed",
        "unusual",
    ),
    Kind(
        "resting_heart_rate_raised",
        "Resting heart rate raised over days",
        "clinical",
        ("heart_rate",),
        "reversible",
        "delayed",
        "trend",
    ),
    Kind(
        "heart_rate_irregular",
        "Heart rate irregular",
        "clinical",
        ("heart_rate",),
        "reversible",
        "delayed",
        "rhythm",
    ),
    Kind(
        "blood_pressure_high",
        "Blood pressure high",
        "clinical",
        _BP,
        "reversible",
        "prompt",
        "pressure",
    ),
    Kind(
        "blood_pressure_low",
        "Blood pressure low",
        "clinical",
        _BP,
        "reversible",
        "prompt",
        "circulation",
    ),
    Kind(
        "blood_pressure_unusual",
        "Blood pressure unusual for this person",
        "clinical",
        _BP,
        "reversible",
        "delayed",
        "unusual",
    ),
    Kind(
        "blood_pressure_raised_over_days",
        "Blood pressure raised over days",
        "clinical",
        _BP,
        "reversible",
        "delayed",
        "trend",
    ),
    Kind(
        "pulse_pressure_abnormal",
        "Pulse pressure abnormal",
        "clinical",
        _BP,
        "reversible",
        "delayed",
        "pressure",
    ),
    Kind(
        "mean_arterial_pressure_low",
        "Mean arterial pressure low",
        "clinical",
        _BP,
        "irreversible",
        "prompt",
        "circulation",
    ),
    Kind(
        "shock_index_high",
        "Shock index high",
        "clinical",
        ("heart_rate", "systolic"),
        "irreversible",
        "prompt",
        "circulation",
    ),
    Kind(
        "early_warning_score",
        "Early warning score (partial NEWS2)",
        "clinical",
        ("heart_rate", "systolic", "spo2", "respiratory_rate", "temperature"),
        "reversible",
        "prompt",
        "circulation",
    ),
    Kind(
        "pattern_unusual",
        "Pattern of readings unusual",
        "clinical",
        ("heart_rate", "systolic", "diastolic"),
        "minor",
        "prompt",
        "unusual",
    ),
    Kind("no_data", "No data", "technical", (), "minor", "delayed"),
    Kind("poor_contact", "Poor sensor contact", "technical", (), "minor", "delayed"),
    Kind("sensor_fault", "Sensor fault", "technical", (), "minor", "delayed"),
    Kind("device_clock", "Device clock wrong", "technical", (), "minor", "delayed"),
)

KINDS: MappingProxyType[str, Kind] = MappingProxyType({row.name: row for row in _ROWS})
