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

from detectors.configuration.missing_data import SilenceConfig
from detectors.contract import BEYOND, CLEAR, NEVER, Finding, Rule

KIND = "no_data"
MEMORY_INTERVALS = 50
KNOWN_INTERVALS = 3
"""So many make a usual interval."""
SHORTER_SHARE, LONGER_SHARE, MOST_LONGER = 0.2, 0.02, 3.0
"""How fast the usual interval between readings follows a shorter and a longer one, and how many
times as long as usual one counts at most (our own figures)."""
GONE = "gone"
"""The reason of an end that nothing new caused."""

_RULE = Rule(
    name=KIND, detector="silence", kind=KIND, signal="", direction="", priority="low", rank=0
)


class LastSeen:
    """When a patient last sent something new, and how often they usually do. Saved as the list of
    its fields, in order."""

    __slots__ = (
        "intervals",
        "mean_seconds",
        "reading_intervals",
        "reading_seconds",
        "received",
        "silent_from",
    )

    def __init__(self) -> None:
        self.received = 0.0
        """Receive time of the last upload with something new; 0: none ever came."""
        self.silent_from = 0.0
        """From when silence is counted."""
        self.mean_seconds = 0.0
        """Mean interval between such uploads."""
        self.intervals = 0
        """How many it rests on, at most :data:`MEMORY_INTERVALS`."""
        self.reading_seconds = 0.0
        """The usual interval between the times of two readings, whatever uploads bring them."""
        self.reading_intervals = 0
        """How many it rests on, at most :data:`KNOWN_INTERVALS`."""

    @property
    def usual_seconds(self) -> float:
        """The usual interval between readings; 0: not known. Of a state of before: that between
        uploads."""
        if self.reading_intervals >= KNOWN_INTERVALS:
            return self.reading_seconds
        before = not self.reading_intervals and self.intervals >= KNOWN_INTERVALS
        return self.mean_seconds if before else 0.0


def record_upload(last_seen: LastSeen, received: float) -> None:
    """Take the receive time of an upload with something new."""
    interval = received - last_seen.silent_from
    if last_seen.received and interval > 0:
        if last_seen.intervals < MEMORY_INTERVALS:
            last_seen.intervals += 1
        last_seen.mean_seconds += (interval - last_seen.mean_seconds) / last_seen.intervals
    last_seen.received = last_seen.silent_from = max(last_seen.received, received)


def record_reading(last_seen: LastSeen, interval: float) -> None:
    """Take the time between a reading and the nearest one of its signal.

    The usual interval falls fast to a shorter one and rises slowly, so that a night without the
    device does not make an hour without it usual.
    """
    usual = last_seen.reading_seconds
    if last_seen.reading_intervals < KNOWN_INTERVALS:
        last_seen.reading_seconds = min(usual or interval, interval)
        last_seen.reading_intervals += 1
    elif interval < usual:
        last_seen.reading_seconds += SHORTER_SHARE * (interval - usual)
    else:
        last_seen.reading_seconds += LONGER_SHARE * (min(interval, MOST_LONGER * usual) - usual)


def silence_deadline(config: SilenceConfig, last_seen: LastSeen) -> float:
    """Receive time at which silence becomes an event; ``NEVER``: it is not judged."""
    if not config.enabled or not last_seen.received:
        return NEVER
    if last_seen.intervals < config.known_after_intervals:
        return last_seen.silent_from + config.unknown_seconds
    usual = config.usual_interval_factor * last_seen.mean_seconds
    return last_seen.silent_from + (usual if usual > config.after_seconds else config.after_seconds)


def gone_deadline(config: SilenceConfig, last_seen: LastSeen) -> float:
    """Receive time at which a silent patient counts as gone; our own outages do not count."""
    return last_seen.silent_from + config.gone_seconds


def silence(last_seen: LastSeen) -> Finding:
    """The finding that nothing came; it began when the patient last sent something."""
    return Finding(_RULE, BEYOND, since=last_seen.received)


def silence_over() -> Finding:
    """The finding that something came."""
    return Finding(_RULE, CLEAR)
