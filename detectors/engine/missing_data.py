"""No data: judged on receive time, against the clock in the log, never against the wall.

A patient is silent when nothing new came for ``after_seconds`` and for ``usual_interval_factor``
times their usual interval, so that a band that reports each minute is missed within the half hour
and a cuff used twice a day is not missed at lunch. Until the interval is known, for
``unknown_seconds``. Readings that bring nothing new do not count as heard.

Where the clock itself has a gap, Vigil was away: silence is counted afresh, or the whole ward would
be reported for our own absence.

Someone who was discharged is silent for ever. After ``gone_seconds`` without anything new the
episode is closed with the reason ``gone``, and what was known of the rhythm is forgotten: the next
reading starts afresh.
"""

from __future__ import annotations

from msgspec import Struct

from detectors.contract import BEYOND, CLEAR, Finding, Rule
from detectors.sections.intake.missing_data import SilenceConfig

KIND = "no_data"
MEMORY_INTERVALS = 50
NEVER = float("inf")
GONE = "gone"
"""The reason of an end that nothing new brought."""

_RULE = Rule(
    name=KIND, detector="silence", kind=KIND, signal="", direction="", priority="low", rank=0
)


class Hearing(Struct, array_like=True):
    """When a patient was last heard, and how often they usually are."""

    heard: float = 0.0
    """Receive time of the last upload that brought something new; 0: never."""
    quiet_from: float = 0.0
    """From when silence is counted."""
    mean_seconds: float = 0.0
    """Mean interval between such uploads."""
    intervals: int = 0
    """How many it rests on, at most :data:`MEMORY_INTERVALS`."""


def hear(hearing: Hearing, received: float) -> None:
    """Something new came."""
    interval = received - hearing.quiet_from
    if hearing.heard and interval > 0:
        hearing.intervals = min(hearing.intervals + 1, MEMORY_INTERVALS)
        hearing.mean_seconds += (interval - hearing.mean_seconds) / hearing.intervals
    hearing.heard = hearing.quiet_from = max(hearing.heard, received)


def deadline(config: SilenceConfig, hearing: Hearing) -> float:
    """The receive time at which silence becomes an event."""
    if not config.enabled or not hearing.heard:
        return NEVER
    if hearing.intervals < config.known_after_intervals:
        return hearing.quiet_from + config.unknown_seconds
    usual = config.usual_interval_factor * hearing.mean_seconds
    return hearing.quiet_from + max(config.after_seconds, usual)


def gone_at(config: SilenceConfig, hearing: Hearing) -> float:
    """The receive time at which one who is silent counts as gone; our own absence is not theirs."""
    return hearing.quiet_from + config.gone_seconds


def silent(hearing: Hearing) -> Finding:
    """The finding that nothing came; it began when the patient was last heard."""
    return Finding(_RULE, BEYOND, since=hearing.heard)


def heard_again() -> Finding:
    """The finding that something came."""
    return Finding(_RULE, CLEAR)
