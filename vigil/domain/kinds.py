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
        label="Heart rate high",
        category="clinical",
        signals=("heart_rate",),
        result="reversible",
        onset="prompt",
        cause="circulation",
    ),
    Kind(
        "heart_rate_low",
        label="Heart rate low",
        category="clinical",
        signals=("heart_rate",),
        result="reversible",
        onset="prompt",
        cause="circulation",
    ),
    Kind(
        "heart_rate_unusual",
        label="Heart rate unusual for this person",
        category="clinical",
        signals=("heart_rate",),
        result="reversible",
        onset="delayed",
        cause="unusual",
    ),
    Kind(
        "resting_heart_rate_raised",
        label="Resting heart rate raised over days",
        category="clinical",
        signals=("heart_rate",),
        result="reversible",
        onset="delayed",
        cause="trend",
    ),
    Kind(
        "heart_rate_irregular",
        label="Heart rate irregular",
        category="clinical",
        signals=("heart_rate",),
        result="reversible",
        onset="delayed",
        cause="rhythm",
    ),
    Kind(
        "blood_pressure_high",
        label="Blood pressure high",
        category="clinical",
        signals=_BP,
        result="reversible",
        onset="prompt",
        cause="pressure",
    ),
    Kind(
        "blood_pressure_low",
        label="Blood pressure low",
        category="clinical",
        signals=_BP,
        result="reversible",
        onset="prompt",
        cause="circulation",
    ),
    Kind(
        "blood_pressure_unusual",
        label="Blood pressure unusual for this person",
        category="clinical",
        signals=_BP,
        result="reversible",
        onset="delayed",
        cause="unusual",
    ),
    Kind(
        "blood_pressure_raised_over_days",
        label="Blood pressure raised over days",
        category="clinical",
        signals=_BP,
        result="reversible",
        onset="delayed",
        cause="trend",
    ),
    Kind(
        "pulse_pressure_abnormal",
        label="Pulse pressure abnormal",
        category="clinical",
        signals=_BP,
        result="reversible",
        onset="delayed",
        cause="pressure",
    ),
    Kind(
        "mean_arterial_pressure_low",
        label="Mean arterial pressure low",
        category="clinical",
        signals=_BP,
        result="irreversible",
        onset="prompt",
        cause="circulation",
    ),
    Kind(
        "shock_index_high",
        label="Shock index high",
        category="clinical",
        signals=("heart_rate", "systolic"),
        result="irreversible",
        onset="prompt",
        cause="circulation",
    ),
    Kind(
        "early_warning_score",
        label="Early warning score (partial NEWS2)",
        category="clinical",
        signals=("heart_rate", "systolic", "spo2", "respiratory_rate", "temperature"),
        result="reversible",
        onset="prompt",
        cause="circulation",
    ),
    Kind(
        "pattern_unusual",
        label="Pattern of readings unusual",
        category="clinical",
        signals=("heart_rate", "systolic", "diastolic"),
        result="minor",
        onset="prompt",
        cause="unusual",
    ),
    Kind(
        "no_data",
        label="No data",
        category="technical",
        signals=(),
        result="minor",
        onset="delayed",
    ),
    Kind(
        "poor_contact",
        label="Poor sensor contact",
        category="technical",
        signals=(),
        result="minor",
        onset="delayed",
    ),
    Kind(
        "sensor_fault",
        label="Sensor fault",
        category="technical",
        signals=(),
        result="minor",
        onset="delayed",
    ),
    Kind(
        "device_clock",
        label="Device clock wrong",
        category="technical",
        signals=(),
        result="minor",
        onset="delayed",
    ),
)

KINDS: MappingProxyType[str, Kind] = MappingProxyType({row.name: row for row in _ROWS})
OPPOSITES: frozenset[frozenset[str]] = frozenset(
    {
        frozenset({"heart_rate_high", "heart_rate_low"}),
        frozenset({"blood_pressure_high", "blood_pressure_low"}),
        frozenset({"blood_pressure_high", "mean_arterial_pressure_low"}),
    }
)
"""Kinds of which one is no explanation of the other: a value is too high, or too low."""
