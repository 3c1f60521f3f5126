"""Simulated patients: who they are, and the uploads that their devices send."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from operator import attrgetter

from ingest.recordings.reader import SYNTHETIC_PREFIX
from ingest.simulator.days import day, dice
from ingest.simulator.physiology import Hour, Profile
from ingest.simulator.scenarios import NOTHING, ORDER, SCENARIOS, Episode
from ingest.validate import canonical
from vigil.domain import ids
from vigil.domain.reading import Measurement, Upload
from vigil.values.catalogs import LOCALES, SOURCE

HOUR = timedelta(hours=1)
LATEST_SECOND = 50
"""Each device measures at its own second of the minute, early enough to send in the same minute."""
GIVEN = (
    "Avery",
    "Blair",
    "Casey",
    "Devon",
    "Emery",
    "Frankie",
    "Gray",
    "Harper",
    "Indigo",
    "Jules",
    "Kit",
    "Lane",
    "Marlow",
    "Noel",
    "Oakley",
    "Paige",
    "Quinn",
    "Robin",
    "Sage",
    "Tatum",
)
FAMILY = ("Example", "Sample", "Specimen", "Placeholder", "Fictional", "Madeup", "Nobody")
WARDS = ("north", "south")

_received = attrgetter("received_at")


@dataclass(frozen=True, slots=True)
class Truth:
    """What is known to happen to a simulated patient."""

    patient_id: str
    scenario: str
    kind: str | None
    """The kind of event that must follow; None: nothing may."""
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class SimPatient:
    """A person who does not exist. Hashable; equal ones send equal uploads."""

    seed: int
    number: int
    """From 1."""
    scenario: str = NOTHING
    """A row of :data:`ingest.simulator.SCENARIOS`, or ``none``."""
    onset: datetime | None = None
    """When it begins; None: never."""
    upload_minutes: int = 1
    """How many minutes are sent at once; a divisor of 60."""

    @property
    def patient_id(self) -> str:
        """Begins with ``sim-`` in whatever system it shows."""
        return f"{SYNTHETIC_PREFIX}{self.seed}-{self.number:03}"

    @property
    def device_id(self) -> str:
        """Their only device."""
        return f"{self.patient_id}-watch"

    @property
    def display_name(self) -> str:
        """Nobody's name, and seen to be so."""
        place = self.number - 1
        given, family = GIVEN[place % len(GIVEN)], FAMILY[place % len(FAMILY)]
        round_number = place // (len(GIVEN) * len(FAMILY))
        return f"{given} {family}" + (f" {round_number + 1}" if round_number else "")

    @property
    def ward(self) -> str:
        """Every other patient's ward is the same."""
        return WARDS[(self.number - 1) % len(WARDS)]

    @property
    def locale(self) -> str:
        """English; of every third person another of the languages, in turn."""
        turn, other = divmod(self.number, 3)
        return SOURCE if other else LOCALES[1:][(turn - 1) % len(LOCALES[1:])]

    def begins(self, onset: datetime) -> SimPatient:
        """The same person, to whom it happens at that moment."""
        return replace(self, onset=onset)

    def truth(self) -> Truth | None:
        """What happens to them, if anything does."""
        episode = self.episode()
        if episode is None:
            return None
        row = episode.scenario
        return Truth(
            self.patient_id, scenario=row.name, kind=row.kind, start=episode.onset, end=episode.end
        )

    def episode(self) -> Episode | None:
        """Their scenario, at its time."""
        if self.onset is None or self.scenario == NOTHING:
            return None
        return Episode(SCENARIOS[self.scenario], self.onset)

    def uploads(self, start: datetime, end: datetime) -> Iterator[Upload]:
        """What arrives from ``start`` on and before ``end``, in the order of arrival."""
        hour = _floor(start)
        while hour < end:
            sent = _hour(self, hour)
            first = bisect_left(sent, start, key=_received)
            last = bisect_left(sent, end, key=_received)
            yield from sent[first:last]
            hour += HOUR


def patients(
    count: int, seed: int, now: datetime | None = None, scenarios: Sequence[str] | None = None
) -> list[SimPatient]:
    """People, the same for the same seed.

    Args:
        now: place each scenario around this moment, as a demonstration wants it; None: nothing
            happens until :meth:`SimPatient.begins`.
        scenarios: dealt out in turn, again and again; None: each of the usual ones once, and
            nothing to the rest.

    >>> [(p.patient_id, p.display_name) for p in patients(2, seed=1)]
    [('sim-1-001', 'Avery Example'), ('sim-1-002', 'Blair Sample')]
    """
    people = []
    for place in range(count):
        if scenarios is None:
            name = ORDER[place] if place < len(ORDER) else NOTHING
        else:
            name = scenarios[place % len(scenarios)]
        person = SimPatient(seed, place + 1, name)
        if now is not None and name != NOTHING:
            person = person.begins(now - timedelta(minutes=SCENARIOS[name].lead_minutes))
        people.append(person)
    return people


def _floor(time: datetime) -> datetime:
    return time.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@lru_cache(maxsize=512)
def _profile(seed: int, number: int) -> Profile:
    return Profile.draw(seed, number)


@lru_cache(maxsize=512)
def _hour(person: SimPatient, start: datetime) -> tuple[Upload, ...]:
    """The uploads of what is measured in an hour; all arrive within it."""
    seed, number = person.seed, person.number
    hour = Hour(seed, number, _profile(seed, number), start, person.episode())
    draw = dice(seed, number, "delays", int(start.timestamp()) // 3600)
    phase = timedelta(seconds=dice(seed, number, "phase").randrange(LATEST_SECOND))
    delays = [timedelta(seconds=round(draw.uniform(2, 8), 3)) for _ in range(60)]
    patient_id, device_id = person.patient_id, person.device_id
    sendings: dict[int, list[Measurement]] = {}
    for minute, moment in enumerate(hour.moments(phase)):
        if moment is None:
            continue
        time = start + timedelta(minutes=minute) + phase
        content = canonical(moment.values, moment.context)
        name = ids.reading_id(patient_id, device_id, time, content)
        measurement = Measurement(name, time=time, values=moment.values, context=moment.context)
        sendings.setdefault(_sent_with(person, start, minute), []).append(measurement)
    return tuple(
        Upload(
            patient_id,
            device_id=device_id,
            received_at=start + timedelta(minutes=minute) + phase + delays[minute],
            measurements=tuple(measurements),
            synthetic=True,
        )
        for minute, measurements in sorted(sendings.items())
    )


def _sent_with(person: SimPatient, start: datetime, minute: int) -> int:
    """The minute of the hour in which a minute's measurement is sent."""
    of_day = start.hour * 60 + minute
    for first, last in day(person.seed, person.number, start.toordinal()).disconnected:
        if first <= of_day < last:
            minute = min(59, int(last) - start.hour * 60)
            break
    return minute - minute % person.upload_minutes + person.upload_minutes - 1
