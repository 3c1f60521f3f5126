"""What would be measured on a person, minute by minute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import cos, pi
from random import Random

from ingest.simulator.days import Day, asleep, day, dice
from ingest.simulator.scenarios import Episode
from vigil.domain.reading import Activity, Context
from vigil.values.sums import total

KNOTS_PER_HOUR = 4
"""Slow noise is drawn at so many moments an hour, with straight lines between."""
REST_STEPS = 8.0
"""Fewer steps a minute than this are fidgeting."""


@dataclass(frozen=True, slots=True)
class Profile:
    """A person's own normal."""

    heart_rate: float
    """Awake and still."""
    systolic: float
    diastolic: float
    respiratory_rate: float
    spo2: float
    temperature: float
    dip: float
    """By what part heart rate and pressure fall in sleep."""

    @classmethod
    def draw(cls, seed: int, number: int) -> Profile:
        """Person ``number`` of a seed."""
        dealt = dice(seed, number, "profile")
        systolic = dealt.uniform(110, 136)
        return cls(
            heart_rate=dealt.uniform(60, 80),
            systolic=systolic,
            diastolic=systolic * dealt.uniform(0.57, 0.64),
            respiratory_rate=dealt.uniform(13, 17),
            spo2=dealt.uniform(95.5, 98),
            temperature=dealt.uniform(36.3, 36.8),
            dip=dealt.uniform(0.08, 0.14),
        )


@dataclass(frozen=True, slots=True)
class Minute:
    """What a device measures in a minute."""

    values: dict[str, float]
    context: Context


class Hour:
    """One hour of one person; draws its noise in a fixed order."""

    def __init__(
        self, seed: int, number: int, profile: Profile, start: datetime, episode: Episode | None
    ):
        self._who = (seed, number)
        self._profile = profile
        self._start = start
        self._episode = episode
        self._day: Day = day(seed, number, start.toordinal())
        hour = int(start.timestamp()) // 3600
        self._draw = dice(seed, number, "hour", hour)
        self._knots = [*_knots(seed, number, hour), _knots(seed, number, hour + 1)[0]]

    def moments(self, phase: timedelta) -> Iterator[Minute | None]:
        """What is measured in each minute, so long after it began; None: the device was off."""
        return (self._moment(minute, phase) for minute in range(60))

    def _moment(self, minute: int, phase: timedelta) -> Minute | None:
        time = self._start + timedelta(minutes=minute) + phase
        of_day = self._start.hour * 60 + minute
        if self._silent(time, of_day):
            return None
        episode = self._episode
        if episode is not None and episode.active(time) and episode.scenario.poor_contact:
            return _poor_contact(self._draw)
        sleeping = asleep(*self._who, self._start.toordinal(), of_day)
        activity, steps = self._activity(of_day, sleeping)
        attended = episode is not None and episode.attended(time)
        if attended and episode is not None and episode.scenario.activity is not None:
            activity, steps = episode.scenario.activity, float(episode.scenario.steps_per_min)
            sleeping = activity == "asleep"
        added = 0.0 if attended else total(bout.effect(of_day) for bout in self._day.bouts)
        usual = self._usual(minute, of_day, sleeping, added)
        cuff = of_day in self._day.cuffs and not attended
        cuff = cuff or (episode is not None and episode.cuff(time))
        return self._measured(time, of_day, usual, Context(activity, steps), cuff)

    def _silent(self, time: datetime, of_day: int) -> bool:
        episode = self._episode
        if episode is not None and episode.attended(time):
            return episode.scenario.silent
        return _within(self._day.off, of_day)

    def _activity(self, of_day: int, sleeping: bool) -> tuple[Activity, float]:
        draw = self._draw
        if sleeping:
            return "asleep", 0.0
        for bout in self._day.bouts:
            if bout.start <= of_day < bout.end:
                return "active", float(round(draw.gauss(bout.steps_per_min, 6)))
        return "rest", float(round(draw.uniform(0, REST_STEPS))) if draw.random() < 0.2 else 0.0

    def _usual(self, minute: int, of_day: int, sleeping: bool, added: float) -> dict[str, float]:
        """Without noise, and without what happens to the person."""
        own = self._profile
        circadian = cos((of_day / 60 - 16) / 24 * 2 * pi)  # highest at 16:00
        part = minute / 60 * KNOTS_PER_HOUR
        knot = int(part)
        slow = self._knots[knot] + (part - knot) * (self._knots[knot + 1] - self._knots[knot])
        night = 1 - own.dip if sleeping else 1.0
        return {
            "heart_rate": own.heart_rate * night * (1 + 0.03 * circadian) + 2.2 * slow + added,
            "systolic": own.systolic * night * (1 + 0.03 * circadian) + 2 * slow + added / 3,
            "diastolic": own.diastolic * night * (1 + 0.02 * circadian) + slow,
            "respiratory_rate": own.respiratory_rate * night + added / 8,
            "spo2": own.spo2 - (0.5 if sleeping else 0.0),
            "temperature": own.temperature + 0.25 * circadian,
        }

    def _measured(
        self, time: datetime, of_day: int, usual: dict[str, float], context: Context, cuff: bool
    ) -> Minute:
        def reading(signal: str, spread: float, digits: int = 0) -> float:
            value = usual[signal]
            if self._episode is not None:
                value = self._episode.changed(signal, value, time)
            return round(self._draw.gauss(value, spread), digits)

        values = {"heart_rate": reading("heart_rate", 1.3)}
        still = context.activity != "active"
        if cuff and still:
            values["systolic"], values["diastolic"] = (
                reading("systolic", 3),
                reading("diastolic", 2),
            )
        if still and of_day % 10 == 0:
            values["respiratory_rate"] = reading("respiratory_rate", 0.7)
            values["spo2"] = min(100.0, reading("spo2", 0.6))
        if of_day in self._day.thermometer:
            values["temperature"] = reading("temperature", 0.1, 1)
        return Minute(values, context)


def _poor_contact(draw: Random) -> Minute:
    """The strap hangs loose: sometimes a number, and never a true one."""
    values = {"heart_rate": float(draw.randint(45, 165))} if draw.random() < 0.5 else {}
    return Minute(values, Context(contact=False))


def _within(spans: tuple[tuple[float, float], ...], minute: float) -> bool:
    return any(start <= minute < end for start, end in spans)


def _knots(seed: int, number: int, hour: int) -> list[float]:
    draw = dice(seed, number, "knots", hour)
    return [draw.gauss(0, 1) for _ in range(KNOTS_PER_HOUR)]
