"""The named clinical scenarios, in one table: what happens, and what must be noticed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from vigil.domain.reading import Activity

AFTERCARE = timedelta(minutes=20)
"""After an episode the cuff is used for so long yet, so that its end is seen."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One thing that happens to a person."""

    name: str
    kind: str | None
    """The kind of event that must follow (others may too); None: nothing may."""
    minutes: float
    """From onset to end."""
    lead_minutes: float
    """In a demonstration, how long before now it begins; negative: after now."""
    hours: tuple[int, int]
    """In a recording, the hours of the day (UTC) between which it begins."""
    to: Mapping[str, float] = field(default_factory=dict)
    """Signal → the value that it goes to."""
    by: Mapping[str, float] = field(default_factory=dict)
    """Signal → by how much it changes from what is usual."""
    rise_minutes: float = 3
    """How long the change takes."""
    activity: Activity | None = None
    steps_per_min: float = 0
    cuff_minutes: int | None = None
    """Someone measures the blood pressure so often while it lasts."""
    poor_contact: bool = False
    silent: bool = False
    """The device sends nothing and keeps nothing."""

    @property
    def length(self) -> timedelta:
        """From onset to end."""
        return timedelta(minutes=self.minutes)


_ROWS = (
    Scenario(
        "hypertensive_crisis",
        kind="blood_pressure_high",
        minutes=90,
        lead_minutes=130,
        hours=(9, 19),
        to={"systolic": 198, "diastolic": 126},
        activity="rest",
        cuff_minutes=5,
    ),
    Scenario(
        "tachycardia_at_rest",
        kind="heart_rate_high",
        minutes=60,
        lead_minutes=115,
        hours=(9, 19),
        to={"heart_rate": 136},
        activity="rest",
    ),
    Scenario(
        "exercise",
        kind=None,
        minutes=45,
        lead_minutes=100,
        hours=(9, 19),
        to={"heart_rate": 146, "respiratory_rate": 26},
        rise_minutes=5,
        activity="active",
        steps_per_min=150,
    ),
    Scenario(
        "hypotension",
        kind="blood_pressure_low",
        minutes=60,
        lead_minutes=80,
        hours=(9, 19),
        to={"systolic": 82, "diastolic": 50},
        activity="rest",
        cuff_minutes=5,
    ),
    Scenario(
        "poor_contact",
        kind="poor_contact",
        minutes=40,
        lead_minutes=65,
        hours=(9, 19),
        poor_contact=True,
    ),
    Scenario(
        "shock",
        kind="shock_index_high",
        minutes=90,
        lead_minutes=40,
        hours=(9, 19),
        to={
            "heart_rate": 132,
            "systolic": 97,
            "diastolic": 61,
            "respiratory_rate": 25,
            "spo2": 92,
        },  # compensated: the pressure alone would not show it
        rise_minutes=20,
        activity="rest",
        cuff_minutes=5,
    ),
    Scenario(
        "bradycardia_asleep",
        kind="heart_rate_low",
        minutes=50,
        lead_minutes=25,
        hours=(1, 4),
        to={"heart_rate": 37},
        activity="asleep",
    ),
    Scenario(
        "device_offline", kind="no_data", minutes=240, lead_minutes=20, hours=(9, 15), silent=True
    ),
    Scenario(
        "infection_drift",
        kind="resting_heart_rate_raised",
        minutes=6 * 1440,
        lead_minutes=2 * 1440,
        hours=(0, 23),
        by={"heart_rate": 11, "temperature": 1.4, "respiratory_rate": 3},
        rise_minutes=1440,
    ),
)

SCENARIOS: MappingProxyType[str, Scenario] = MappingProxyType({row.name: row for row in _ROWS})
NOTHING = "none"
"""The scenario of a person to whom nothing happens."""
ORDER = (
    *("hypertensive_crisis", "tachycardia_at_rest", "exercise", NOTHING, "hypotension"),
    *("poor_contact", NOTHING, "shock", "bradycardia_asleep", "device_offline", NOTHING),
    "infection_drift",
)
"""The order in which patients get scenarios where none are named."""


@dataclass(frozen=True, slots=True)
class Episode:
    """A scenario that begins at a moment."""

    scenario: Scenario
    onset: datetime

    @property
    def end(self) -> datetime:
        """When it is over."""
        return self.onset + self.scenario.length

    def active(self, time: datetime) -> bool:
        """Whether it lasts at that moment."""
        return self.onset <= time < self.end

    def attended(self, time: datetime) -> bool:
        """Whether the person does what the scenario says: while it lasts, and under aftercare."""
        after = AFTERCARE if self.scenario.cuff_minutes is not None else timedelta(0)
        return self.onset <= time < self.end + after

    def strength(self, time: datetime) -> float:
        """How much of its change is there, 0 to 1: it rises, and goes within five minutes."""
        if time < self.onset:
            return 0.0
        rise = (time - self.onset) / timedelta(minutes=self.scenario.rise_minutes)
        fall = (time - self.end) / timedelta(minutes=5)
        return max(0.0, min(1.0, rise, 1.0 - fall))

    def changed(self, signal: str, usual: float, time: datetime) -> float:
        """What a signal's usual value becomes."""
        strength = self.strength(time)
        if not strength:
            return usual
        scenario = self.scenario
        target = scenario.to.get(signal, usual + scenario.by.get(signal, 0.0))
        return usual + strength * (target - usual)

    def cuff(self, time: datetime) -> bool:
        """Whether someone measures the blood pressure in this minute because of it."""
        every = self.scenario.cuff_minutes
        if every is None or not self.attended(time):
            return False
        return int((time - self.onset).total_seconds() // 60) % every == 0
