"""No message is believed to be from the future: its own time is held against the broker's clock.

What a message says of its own time (``received_at`` of an upload, ``time`` of a tick, and whatever
else its ``ce_time`` tells) is the clock of whoever sent it. Where it is more than
:data:`AHEAD` later than the record's timestamp, the record's timestamp is taken in its place.
Otherwise one sender's wrong clock would be the newest word for as long as it is ahead: of a
patient's values, of the log's own time, of a process's status.

The timestamp is part of the log, so the same log gives the same events. It is the broker's own
where the topic has ``message.timestamp.type=LogAppendTime``, as Vigil makes its topics; on others
it is the producer's clock at sending.

Times that lie behind are left alone: a backlog is sent late, and a replay tells of years ago. A
timestamp that is none (-1), or not within 2000 to 2261, is not asked: then the bounds of
:mod:`vigil.contracts.bounds` are all there is.
"""

from __future__ import annotations

import time
from datetime import timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from vigil.contracts import bounds
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Tick, Upload
from vigil.domain.status import Status
from vigil.service import logs
from vigil.values.clock import EARLIEST, EPOCH

if TYPE_CHECKING:
    from vigil.service.health import Health

log = logs.get("stamps")

AHEAD = timedelta(minutes=5)
"""How far a sender's clock may run before the broker's: as far as a device's may, as shipped."""
SETTLED_SECONDS = 60.0
"""After so long without such a message the clock is no trouble any more."""

OWN_TIME: MappingProxyType[type, str] = MappingProxyType(
    {
        Upload: "received_at",
        Tick: "time",
        Event: "detected_at",
        Alert: "time",
        Action: "time",
        Phrase: "time",
        Status: "time",
    }
)
"""Which field of a message tells when it was made."""

_MS = timedelta(milliseconds=1)
_USABLE = range((EARLIEST - EPOCH) // _MS, (bounds.LAST - EPOCH) // _MS)
_NONE = range(0)
_MINUTE_MS = 60_000


class Stamps:
    """Holds messages against their records' timestamps."""

    def __init__(self) -> None:
        self._minute = _NONE
        """Timestamps of which :attr:`_surely` is sure."""
        self._surely = EPOCH
        """Not ahead of any of them."""

    def held(self, message: Any, raw: Any) -> Any:
        """The message of a Kafka record, or one with the record's time in place of a later one of
        its own."""
        stamp, kind = raw.timestamp, type(message)
        if kind is Upload:  # as nearly all are
            field, own = "received_at", message.received_at
        elif kind in OWN_TIME:
            field = OWN_TIME[kind]
            own = getattr(message, field)
        else:
            return message
        if stamp not in self._minute:
            if stamp not in _USABLE:
                return message
            begin = stamp - stamp % _MINUTE_MS
            self._minute = range(begin, begin + _MINUTE_MS)
            self._surely = EPOCH + begin * _MS + AHEAD
        if own <= self._surely:
            return message
        stamped = EPOCH + stamp * _MS
        if own <= stamped + AHEAD:
            return message
        self._note(raw, own - stamped)
        return replace(message, **{field: stamped})

    def _note(self, raw: Any, ahead: timedelta) -> None:
        """A message is so far ahead of its record."""


class Clocks(Stamps):
    """The same for a worker, which says in its health whose clock is wrong."""

    def __init__(self, health: Health):
        super().__init__()
        self._health = health
        self._until = 0.0

    def look(self) -> None:
        """Asked now and then: the trouble ends once such messages have."""
        if self._until and time.monotonic() > self._until:
            self._until = 0.0
            self._health.trouble("clock", None)

    def _note(self, raw: Any, ahead: timedelta) -> None:
        seconds, sender = round(ahead.total_seconds()), raw.header("ce_source") or "a producer"
        self._health.count("times_ahead")
        if not self._until:
            log.warning("clock ahead of the broker's", sender=sender[:100], seconds=seconds)
        self._until = time.monotonic() + SETTLED_SECONDS
        self._health.trouble(
            "clock",
            f"{sender[:100]} is {seconds} s ahead of the broker: the broker's time is taken."
            " Set the clock that is wrong",
        )
