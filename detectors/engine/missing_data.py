"""Missing data: judged on receive time, against the clock in the log, never the wall clock.

A patient is silent when nothing new came for ``after_seconds`` and for ``usual_interval_factor``
times their usual interval, so that a band that reports each minute is missed within the half hour
and a cuff used twice a day is not missed at lunch. Until the interval is known, for
``unknown_seconds``. Uploads that hold nothing new do not count.

Where the clock itself has a gap, Vigil was not running: silence is counted afresh, or the whole
ward would be reported for an outage of ours.

Someone who was discharged is silent for ever. After ``gone_seconds`` without anything new the
episode is closed with the reason ``gone``, and what was known of the rhythm is forgotten: the next
reading starts afresh.
"""

from __future__ import annotations

from msgspec import Struct

from detectors.configuration.missing_data import SilenceConfig
from detectors.contract import BEYOND, CLEAR, NEVER, Finding, Rule

KIND = "no_data"
MEMORY_INTERVALS = 50
GONE = "gone"
"""The reason of an end that nothing new caused."""

_RULE = Rule(
    name=KIND, detector="silence", kind=KIND, signal="", direction="", priority="low", rank=0
)


class LastSeen(Struct, array_like=True):
    """When a patient last sent something new, and how often they usually do."""

    received: float = 0.0
    """Receive time of the last upload with something new; 0: none ever came."""
    silent_from: float = 0.0
    """From when silence is counted."""
    mean_seconds: float = 0.0
    """Mean interval between such uploads."""
    intervals: int = 0
    """How many it rests on, at most :data:`MEMORY_INTERVALS`."""


def record_upload(last_seen: LastSeen, received: float) -> None:
    """Take the receive time of an upload with something new."""
    interval = received - last_seen.silent_from
    if last_seen.received and interval > 0:
        last_seen.intervals = min(last_seen.intervals + 1, MEMORY_INTERVALS)
        last_seen.mean_seconds += (interval - last_seen.mean_seconds) / last_seen.intervals
    last_seen.received = last_seen.silent_from = max(last_seen.received, received)


def silence_deadline(config: SilenceConfig, last_seen: LastSeen) -> float:
    """Receive time at which silence becomes an event; ``NEVER``: it is not judged."""
    if not config.enabled or not last_seen.received:
        return NEVER
    if last_seen.intervals < config.known_after_intervals:
        return last_seen.silent_from + config.unknown_seconds
    usual = config.usual_interval_factor * last_seen.mean_seconds
    return last_seen.silent_from + max(config.after_seconds, usual)


def gone_deadline(config: SilenceConfig, last_seen: LastSeen) -> float:
    """Receive time at which a silent patient counts as gone; our own outages do not count."""
    return last_seen.silent_from + config.gone_seconds


def silence(last_seen: LastSeen) -> Finding:
    """The finding that nothing came; it began when the patient last sent something."""
    return Finding(_RULE, BEYOND, since=last_seen.received)


def silence_over() -> Finding:
    """The finding that something came."""
    return Finding(_RULE, CLEAR)
