"""Checks the times of messages against the broker's clock: none may be from the future.

A message's own time (``received_at`` of an upload, ``time`` of a tick, and whatever ``ce_time`` is
taken from) is by its sender's clock. If it is more than :data:`AHEAD` later than the record's
timestamp, it is replaced by that timestamp. Otherwise a sender with a wrong clock would be the
newest for as long as its clock is ahead: among a patient's values, in the log's own time, among the
statuses of a process.

The timestamp is part of the log, so the same log gives the same events. It is the broker's own
if the topic has ``message.timestamp.type=LogAppendTime``, as Vigil creates its topics; on others it
is the producer's clock at sending.

Earlier times are left unchanged: a backlog is sent late, and a replay is of years ago. A missing
timestamp (-1), or one outside of 2000 to 2261, is not used: then only the bounds of
:mod:`vigil.contracts.bounds` apply.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from vigil.contracts import bounds
from vigil.contracts.device_clock import with_usable_times
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Tick, Upload, Withdrawal
from vigil.domain.status import Status
from vigil.service import logs
from vigil.values.clock import EARLIEST, EPOCH, from_millis

if TYPE_CHECKING:
    from vigil.service.health import Health

log = logs.get("clock_check")

AHEAD = timedelta(minutes=5)
"""How far a sender's clock may be ahead of the broker's: as far as a device's may, by default."""
SETTLED_SECONDS = 60.0
"""The trouble ends after so long without such a message."""

OWN_TIME: MappingProxyType[type, str] = MappingProxyType(
    {
        Upload: "received_at",
        Tick: "time",
        Withdrawal: "time",
        Event: "detected_at",
        Alert: "time",
        Action: "time",
        Phrase: "time",
        Status: "time",
    }
)
"""Type of message → its field with the time at which it was made."""

_MS = timedelta(milliseconds=1)


def published_at(timestamp: int, now: datetime) -> datetime | None:
    """When a record was put on its topic: ``now`` where its timestamp has not come yet, and None
    where the broker keeps none.

    Args:
        timestamp: the record's, in milliseconds since 1970; -1: none.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 21, 6, tzinfo=UTC)
    >>> published_at(-1, now), published_at(int(now.timestamp() + 3600) * 1000, now) == now
    (None, True)
    """
    published = from_millis(timestamp)
    return now if published is not None and published > now + AHEAD else published


_USABLE = range((EARLIEST - EPOCH) // _MS, (bounds.LAST - EPOCH) // _MS)
_NONE = range(0)
_MINUTE_MS = 60_000


class ClockCheck:
    """Checks messages against their records' timestamps."""

    def __init__(self) -> None:
        self._minute = _NONE
        """Timestamps to which :attr:`_not_ahead` applies."""
        self._not_ahead = EPOCH
        """A time up to this is ahead of none of them."""

    def correct_time(self, message: Any, raw: Any) -> Any:
        """The message of a Kafka record; a time from the future is replaced by the record's. An
        upload's readings are shifted where its sender's clock is too wrong to use them
        (:mod:`vigil.contracts.device_clock`)."""
        checked = self._check(message, raw)
        if type(checked) is Upload and checked.sent_at is not None:
            return with_usable_times(checked)
        return checked

    def _check(self, message: Any, raw: Any) -> Any:
        timestamp, kind = raw.timestamp, type(message)
        if kind is Upload:  # as nearly all are
            field, own = "received_at", message.received_at
        elif kind in OWN_TIME:
            field = OWN_TIME[kind]
            own = getattr(message, field)
        else:
            return message
        if timestamp not in self._minute:
            if timestamp not in _USABLE:
                return message
            begin = timestamp - timestamp % _MINUTE_MS
            self._minute = range(begin, begin + _MINUTE_MS)
            self._not_ahead = EPOCH + begin * _MS + AHEAD
        if own <= self._not_ahead:
            return message
        recorded = EPOCH + timestamp * _MS
        if own <= recorded + AHEAD:
            return message
        self._report(raw, own - recorded)
        return replace(message, **{field: recorded})

    def _report(self, raw: Any, ahead: timedelta) -> None:
        """Called for a message that is so far ahead of its record."""


class WorkerClockCheck(ClockCheck):
    """The same for a worker, whose health reports whose clock is wrong."""

    def __init__(self, health: Health):
        super().__init__()
        self._health = health
        self._until = 0.0

    def clear_if_settled(self) -> None:
        """Called regularly: ends the trouble once there have been no such messages for a while."""
        if self._until and time.monotonic() > self._until:
            self._until = 0.0
            self._health.trouble("clock", None)

    def _report(self, raw: Any, ahead: timedelta) -> None:
        seconds, sender = round(ahead.total_seconds()), raw.header("ce_source") or "a producer"
        self._health.count("times_ahead")
        if not self._until:
            log.warning("clock ahead of the broker's", sender=sender[:100], seconds=seconds)
        self._until = time.monotonic() + SETTLED_SECONDS
        self._health.trouble(
            "clock",
            f"{sender[:100]} is {seconds} s ahead of the broker: the broker's time is used."
            " Set the clock that is wrong",
        )
