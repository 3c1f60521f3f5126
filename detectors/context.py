"""What the person was doing, and whether it is night, from what the devices tell.

A device's own word on activity comes first; else steps decide; else it is unknown, and limits that
hold at rest wait longer. Time of day is local time by the configured offset from UTC.
"""

from __future__ import annotations

from msgspec import Struct

from detectors.config import ContextConfig
from vigil.model import Activity, Context


class Heard(Struct, array_like=True):
    """What is remembered of one patient's context."""

    time: float = 0.0
    """Of the last reading that told of activity or steps."""
    activity: Activity = "unknown"
    steps_per_min: float | None = None
    last_active: float = -1e12


def note(config: ContextConfig, heard: Heard, time: float, context: Context) -> None:
    """Take what a reading tells of its context, if it tells anything and is not older."""
    steps = context.steps_per_min
    activity = context.activity
    if (activity == "unknown" and steps is None) or time < heard.time:
        return
    if activity == "unknown" and steps is not None:
        activity = "active" if steps >= config.active_steps_per_min else "rest"
    heard.time, heard.activity, heard.steps_per_min = time, activity, steps
    if activity == "active":
        heard.last_active = time


def activity_at(config: ContextConfig, heard: Heard, time: float) -> Activity:
    """What the person is doing at ``time``, as far as anyone knows."""
    if 0 <= time - heard.time <= config.context_seconds and heard.activity != "unknown":
        return heard.activity
    return config.unknown_activity


def period_at(config: ContextConfig, heard: Heard, activity: Activity, time: float) -> str:
    """``rest:night``: the baseline's period. For a while after activity it is active still."""
    if activity == "rest" and time - heard.last_active < config.recovery_seconds:
        activity = "active"
    hour = int((time / 3600 + config.utc_offset_hours) % 24)
    start, end = config.night_from_hour, config.night_to_hour
    night = start <= hour < end if start <= end else hour >= start or hour < end
    return f"{activity}:{'night' if night else 'day'}"
