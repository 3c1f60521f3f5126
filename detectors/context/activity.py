"""What the person was doing, and whether it is night, from what the devices send.

In this order:

    1. the activity that the device sends (``device``)
    2. steps (``steps``): from ``active_steps_per_min`` on active, and after it for as long as it
       lasted, ``recovery_seconds`` at most: a heart takes minutes to come down; at night without a
       step for ``still_seconds`` asleep; else at rest
    3. neither (``time_of_day``): in the hours of the night in which hardly anyone exercises, and
       once the heart rate has stayed under ``quiet_below`` for ``still_seconds``, the person is
       presumed at rest until those hours end, so that a heart that becomes fast in a quiet night is
       announced as soon as one that is known to rest
    4. else it is unknown: a walk looks like a fast heart, and limits that hold at rest wait longer.
       For the baseline alone, which is not urgent, a heart rate that has been *steady* is one at
       rest: in motion it changes from minute to minute by two to three times as much

Time of day is local time by the configured offset from UTC.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from types import MappingProxyType
from typing import Literal, get_args

from detectors.context import local_time
from detectors.context.configuration import ContextConfig
from detectors.contract import LONG_AGO
from vigil.domain.reading import Activity, Context

Source = Literal["device", "steps", "time_of_day", ""]
UNSTEADY = 10.0
"""What the change from minute to minute is taken to be while it is not known; beats a minute."""
MOST_CHANGE = 15.0
"""As more it does not count."""
MINUTE_FROM, MINUTE_TO = 50.0, 130.0
"""Seconds between heart rates that are compared. Sparser ones do not show how steady it is."""
PERIODS: Mapping[Activity, tuple[str, str]] = MappingProxyType(
    {activity: (f"{activity}:day", f"{activity}:night") for activity in get_args(Activity)}
)
"""Activity → how it is called by day and by night."""


class ContextMemory:
    """What is remembered of one patient's context. Saved as the list of its fields, in order."""

    __slots__ = (
        "active_since",
        "activity",
        "last_active",
        "presumed",
        "quiet_since",
        "quiet_time",
        "sample",
        "sampled",
        "source",
        "steady_since",
        "steps_per_min",
        "still_since",
        "time",
        "unrest",
    )

    def __init__(self) -> None:
        self.time = LONG_AGO
        """Of the last reading with activity or steps."""
        self.activity: Activity = "unknown"
        self.steps_per_min: float | None = None
        self.last_active = LONG_AGO
        self.source: Source = ""
        """Where ``activity`` is from."""
        self.still_since: float | None = None
        """From when on every reading with steps had none."""
        self.quiet_since: float | None = None
        """From when on every heart rate was under ``quiet_below``."""
        self.quiet_time = LONG_AGO
        """Of the newest heart rate."""
        self.presumed = False
        """Whether this night has been quiet for long enough."""
        self.active_since = LONG_AGO
        """From when on the person was active, up to ``last_active``."""
        self.unrest = UNSTEADY
        """Fading mean of the heart rate's change from one minute to the next."""
        self.sampled = LONG_AGO
        """When ``sample`` was measured: one heart rate a minute."""
        self.sample = 0.0
        self.steady_since: float | None = None


def take_context(
    config: ContextConfig, memory: ContextMemory, time: float, context: Context
) -> None:
    """Take a reading's context, if it holds activity or steps and is not older."""
    steps = context.steps_per_min
    activity = context.activity
    if (activity == "unknown" and steps is None) or time < memory.time:
        return
    if steps is None or steps > 0 or activity == "active":
        memory.still_since = None
    elif memory.still_since is None or time - memory.time > config.still_seconds:
        memory.still_since = time
    memory.source = "device"
    if activity == "unknown" and steps is not None:
        memory.source, activity = "steps", _by_steps(config, memory, time, steps)
    memory.time, memory.activity, memory.steps_per_min = time, activity, steps
    if context.activity == "active" or (steps or 0.0) >= config.active_steps_per_min:
        if time - memory.last_active > config.context_seconds:
            memory.active_since = time
        memory.last_active = time


def take_heart_rate(config: ContextConfig, memory: ContextMemory, time: float, rate: float) -> None:
    """Take a heart rate that was admitted: whether the night is a quiet one.

    Not asked while a device sends activity or steps.
    """
    if time < memory.quiet_time or 0 <= time - memory.time <= config.context_seconds:
        return
    if time - memory.sampled >= MINUTE_FROM:
        _take_change(config, memory, time, rate)
    if time - memory.quiet_time > config.still_seconds:
        memory.quiet_since, memory.presumed = None, False
    memory.quiet_time = time
    if not _within(local_time.hour(config, time), config.quiet_from_hour, config.quiet_to_hour):
        memory.presumed = False
    elif memory.quiet_since is not None and time - memory.quiet_since >= config.still_seconds:
        memory.presumed = True
    if rate >= config.quiet_below:
        memory.quiet_since = None
    elif memory.quiet_since is None:
        memory.quiet_since = time


def _take_change(config: ContextConfig, memory: ContextMemory, time: float, rate: float) -> None:
    """Take the heart rate of a minute: how far it is from that of the minute before."""
    past = time - memory.sampled
    if past > MINUTE_TO:
        memory.unrest = UNSTEADY
    else:
        change = min(abs(rate - memory.sample), MOST_CHANGE)
        memory.unrest += (1 - exp(-past / config.steady_memory_seconds)) * (change - memory.unrest)
    memory.sampled, memory.sample = time, rate
    if memory.unrest > config.steady_below:
        memory.steady_since = None
    elif memory.steady_since is None:
        memory.steady_since = time


class KnownContext:
    """What the person is doing at a time, as far as anyone knows.

    Args:
        period: ``rest:night``: the baseline's. For a while after activity it is active still; a
            steady heart whose owner's activity nobody knows is at rest.
        source: where ``activity`` is from; empty: it is the configuration's.
        pace: the steps a minute that ``activity`` is from; None: it is from something else.
    """

    __slots__ = ("activity", "pace", "period", "source")

    def __init__(self, activity: Activity, period: str, source: Source, pace: float | None = None):
        self.activity = activity
        self.period = period
        self.source = source
        self.pace = pace


def context_at(config: ContextConfig, memory: ContextMemory, time: float) -> KnownContext:
    """All that is known of the context of ``time``."""
    activity: Activity = config.unknown_activity
    source: Source = ""
    if 0 <= time - memory.time <= config.context_seconds:
        activity, source = memory.activity, memory.source
    elif memory.presumed and _presumed(config, memory, time):
        activity, source = "rest", "time_of_day"
    period: Activity = activity
    pace = memory.steps_per_min if source == "steps" else None
    if activity == "rest" and time - memory.last_active < config.recovery_seconds:
        period = "active"
    elif activity == "unknown" and _steady(config, memory, time):
        period = "rest"
    return KnownContext(activity, PERIODS[period][_is_night(config, time)], source, pace)


def context_near(config: ContextConfig, memory: ContextMemory, time: float) -> KnownContext:
    """The same, of a reading that is remembered without its own context: what was stated shortly
    after it holds too."""
    later = memory.time if memory.time - time <= config.context_seconds else time
    return context_at(config, memory, max(time, later))


def context_of(
    config: ContextConfig, memory: ContextMemory, time: float, context: Context
) -> KnownContext:
    """The same, of a reading that states its own context: that holds where a newer one, of another
    signal, has stated another since."""
    if time < memory.time and (context.activity != "unknown" or context.steps_per_min is not None):
        memory = ContextMemory()
        take_context(config, memory, time, context)
    return context_at(config, memory, time)


def activity_at(config: ContextConfig, memory: ContextMemory, time: float) -> Activity:
    """What the person is doing at ``time``, as far as anyone knows."""
    return context_at(config, memory, time).activity


def _steady(config: ContextConfig, memory: ContextMemory, time: float) -> bool:
    """Whether the heart rate has changed little from minute to minute, up to now."""
    since = memory.steady_since
    if since is None or time - memory.sampled > MINUTE_TO:
        return False
    return time - since >= config.steady_seconds


def _by_steps(config: ContextConfig, memory: ContextMemory, time: float, steps: float) -> Activity:
    if steps >= config.active_steps_per_min:
        return "active"
    if time - memory.last_active < min(config.recovery_seconds, _active_seconds(memory)):
        return "active"
    still = memory.still_since is not None and time - memory.still_since >= config.still_seconds
    return "asleep" if still and _is_night(config, time) else "rest"


def _active_seconds(memory: ContextMemory) -> float:
    return memory.last_active - memory.active_since


def _presumed(config: ContextConfig, memory: ContextMemory, time: float) -> bool:
    """Whether the presumption still holds: the same night, and no long gap in the heart rate."""
    recent = 0 <= time - memory.quiet_time <= config.still_seconds
    hour = local_time.hour(config, time)
    return recent and _within(hour, config.quiet_from_hour, config.quiet_to_hour)


def _is_night(config: ContextConfig, time: float) -> bool:
    return _within(local_time.hour(config, time), config.night_from_hour, config.night_to_hour)


def _within(hour: float, start: int, end: int) -> bool:
    return start <= hour < end if start <= end else hour >= start or hour < end
