"""Whether a worker's messages move: how far it is on each partition, and since when it stands.

The loop notes what it takes and what it has handled; whoever asks for the health looks, on a thread
of their own, so that a loop that hangs within one batch is seen too. Nothing is done for each
message.

A partition *waits* while something on it is not handled, and is *stuck* where it has waited for too
long at the same place. The place is the farthest that was reached: a worker that forgets its state,
goes back to its last checkpoint and fails again at the same message does not move.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from kafka import TopicPartition
from msgspec import Struct

from vigil.domain.ids import timestamp
from vigil.kafka.committed_ends import Fetched
from vigil.service.health import Health, Look, Trouble
from vigil.values.clock import EPOCH, Clock, utc_now

Records = Mapping[TopicPartition, Sequence[Any]]

STUCK_SECONDS = 15.0
"""A partition that waits so long at one place is stuck. A batch of live readings takes milliseconds
and a full one of 5,000 messages of one reading half a second."""
SLOWEST_BYTES_A_SECOND = 1_000_000
"""A large batch in hand is given a second more for each so many bytes: a batch can be as large as
what was fetched. The slowest worker, detection, judges five times as many."""
STARVED_SECONDS = 60.0
"""So long where other partitions of the same worker move meanwhile: kafka-python reads them in
turn, and with much to read a turn of all of them takes that long."""
LOADING_SECONDS = 3.0
"""What was stuck when it was forgotten is so for a moment longer: a worker that begins again at its
last checkpoint has it back by then, and is not ready meanwhile."""
NAMED = 3
"""Partitions that are named at once."""
STANDS_STILL = (
    "The loop stands still outside a batch: it loads or saves states, or a client does not return."
)


class Measured(NamedTuple):
    """Where a partition is, and where it ends."""

    position: int
    """What is before it was handled, or holds no message (transactions and compaction leave
    offsets out)."""
    end: int
    """As the broker says when asked; Tansu counts its last batch as one message."""
    told: Fetched | None
    """As the last fetch said."""


class _Mark(Struct):
    """One partition."""

    at: int
    """Handled up to here."""
    farthest: int
    """The highest ``at`` since this process began to work on it."""
    end: int
    """Behind the last message that is known to be there."""
    placed_at: float
    """Monotonic seconds."""
    measured: bool = False
    left_at: float = 0.0
    """Monotonic seconds at which it was forgotten last."""
    waiting_since: float | None = None
    """Monotonic seconds since when something waits and ``farthest`` stands; None: nothing waits."""
    moment: datetime = EPOCH
    """The same by the clock."""
    oldest: float = 0.0
    """When what waits was written, in seconds since 1970, where no message of it is in hand."""
    held_since: float | None = None
    """Monotonic seconds since when a transaction holds up what is behind ``end``."""
    held_moment: datetime = EPOCH
    held: int = 0
    """Offsets behind ``end``."""


class Progress:
    """One worker's. The loop writes, any thread looks.

    Args:
        health: knows when the loop turned last, and what is waited for.
    """

    def __init__(
        self,
        health: Health,
        clock: Clock = utc_now,
        monotonic: Callable[[], float] = time.monotonic,
    ):
        self._health, self._clock, self._monotonic = health, clock, monotonic
        self._lock = threading.Lock()
        self._marks: dict[TopicPartition, _Mark] = {}
        self._left: dict[TopicPartition, _Mark] = {}
        """Those that are not ours now: where they come back to the same place, they stood."""
        self._hand: Records = {}
        self._moved_at = monotonic()
        self._measured = False
        self._why = ""

    def placed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These are worked on from here."""
        now = self._monotonic()
        with self._lock:
            for place, at in offsets.items():
                mark = self._marks.pop(place, None) or self._left.pop(place, None)
                if mark is None or at > mark.farthest:  # another worker went on meanwhile
                    mark = _Mark(at, at, at, now)
                mark.at, mark.placed_at, mark.measured = at, now, False
                self._marks[place] = mark

    def forget(self, places: Iterable[TopicPartition]) -> None:
        """These are not worked on now."""
        with self._lock:
            for place in places:
                mark = self._marks.pop(place, None)
                if mark is not None:
                    mark.left_at = self._monotonic()
                    self._left[place] = mark

    def went_back(self, place: TopicPartition, at: int) -> None:
        """The log is shorter than it was, or another: what was reached there says nothing."""
        with self._lock:
            self._marks[place] = _Mark(at, at, at, self._monotonic())

    def took(self, records: Records) -> None:
        """A batch is in hand."""
        now, wall = self._monotonic(), self._clock()
        with self._lock:
            self._hand = records
            for place, messages in records.items():
                mark = self._marks.get(place)
                if mark is not None:
                    mark.end = max(mark.end, messages[-1].offset + 1)
                    self._settle(mark, now, wall, wall.timestamp())

    def let_go(self) -> None:
        """No batch is in hand."""
        with self._lock:
            self._hand = {}

    def handled(self, ends: Mapping[TopicPartition, int]) -> None:
        """Up to here, everything is handled and what it caused is with the broker."""
        now, wall = self._monotonic(), self._clock()
        with self._lock:
            for place, at in ends.items():
                mark = self._marks.get(place)
                if mark is not None:
                    messages = self._hand.get(place)
                    stamp = messages[-1].timestamp / 1000 if messages else 0.0
                    self._reach(mark, at, now, wall, stamp if stamp > 0 else wall.timestamp())

    def failed(self, why: str) -> None:
        """What was in hand could not be handled; said where it stays so.

        Args:
            why: the end of a sentence; nothing of any message.
        """
        self._why = why

    def measured(self, found: Mapping[TopicPartition, Measured]) -> None:
        """The broker told where the partitions end."""
        now, wall = self._monotonic(), self._clock()
        with self._lock:
            self._measured = True
            for place, measured in found.items():
                mark = self._marks.get(place)
                if mark is not None:
                    self._measure(mark, measured, now, wall)

    def look(self) -> Look:
        """What stands still, and since when."""
        with self._lock:
            now, wall = self._monotonic(), self._clock()
            loading = {p: m for p, m in self._left.items() if now - m.left_at < LOADING_SECONDS}
            known = loading | self._marks
            stuck = {p: m for p, m in known.items() if self._is_stuck(m, now)}
            held = {p: m for p, m in self._marks.items() if _is_held(m, now)}
            troubles = {}
            if stuck:
                troubles["stuck"] = self._stuck(stuck)
            elif not self._hand and (still := self._health.seconds_since_beat()) >= STUCK_SECONDS:
                troubles["stuck"] = Trouble(STANDS_STILL, wall - timedelta(seconds=still))
            if held:
                troubles["transaction"] = _held(held)
            gauges: dict[str, float] = {
                "partitions": len(self._marks),
                "stuck_partitions": len(stuck | held),
            }
            if self._measured and all(mark.measured for mark in self._marks.values()):
                gauges["lag_messages"] = sum(max(0, m.end - m.at) for m in self._marks.values())
                gauges["lag_seconds"] = self._age(wall.timestamp())
            return Look(troubles, gauges)

    def _settle(self, mark: _Mark, now: float, wall: datetime, written: float) -> None:
        """Whether something waits now; if it did not before, it does since now."""
        if mark.end <= mark.at:
            mark.waiting_since = None
        elif mark.waiting_since is None:
            mark.waiting_since, mark.moment, mark.oldest = now, wall, written

    def _reach(self, mark: _Mark, at: int, now: float, wall: datetime, written: float) -> None:
        mark.at = at
        if at > mark.farthest:
            mark.farthest, mark.waiting_since = at, None
            self._moved_at, self._why = now, ""
        self._settle(mark, now, wall, written)

    def _measure(self, mark: _Mark, found: Measured, now: float, wall: datetime) -> None:
        told = found.told if found.told and found.told.at >= mark.placed_at else None
        if told is not None and told.stable < mark.farthest:  # another log, or an older copy of it
            mark.farthest, mark.end = mark.at, told.stable
        before = mark.end
        mark.end = max(before, found.end, told.stable if told else 0)
        mark.measured = True
        if found.position > mark.at and found.position >= mark.farthest:
            self._reach(mark, found.position, now, wall, wall.timestamp())
        self._settle(mark, now, wall, wall.timestamp())
        mark.held = max(0, told.high - mark.end) if told else 0
        if not mark.held:
            mark.held_since = None
        elif mark.held_since is None or mark.end > before:
            mark.held_since, mark.held_moment = now, wall

    def _age(self, wall: float) -> float:
        """Seconds since the oldest message that waits was written."""
        oldest = wall
        for place, mark in self._marks.items():
            if mark.waiting_since is not None:
                first = next((r for r in self._hand.get(place, ()) if r.offset >= mark.at), None)
                known = first is not None and first.timestamp > 0
                oldest = min(oldest, first.timestamp / 1000 if known and first else mark.oldest)
        return round(wall - oldest, 1)

    def _allowance(self) -> float:
        """Seconds that the batch in hand may take besides, being large."""
        size = sum(len(r.value or b"") for messages in self._hand.values() for r in messages)
        return size / SLOWEST_BYTES_A_SECOND

    def _is_stuck(self, mark: _Mark, now: float) -> bool:
        waited = 0.0 if mark.waiting_since is None else now - mark.waiting_since
        if waited < STUCK_SECONDS:
            return False
        if now - self._moved_at < STUCK_SECONDS:
            return waited >= STARVED_SECONDS
        return waited >= STUCK_SECONDS + self._allowance()

    def _stuck(self, stuck: Mapping[TopicPartition, _Mark]) -> Trouble:
        since = min(mark.moment for mark in stuck.values())
        parts = [
            f"{place.topic}/{place.partition} stands at offset {mark.farthest} since"
            f" {spell(mark.moment)}"
            for place, mark in sorted(stuck.items(), key=lambda pair: pair[1].moment)
        ]
        count = sum(map(len, self._hand.values()))
        why = (
            self._health.waits_for()
            or self._why
            or (
                f"the handler has not come back from {count} message{'s' * (count != 1)}"
                if count
                else "the broker gives none of the messages that wait there"
            )
        )
        return Trouble(f"{_some(parts)}: {why.rstrip('.')}.", since)


def _is_held(mark: _Mark, now: float) -> bool:
    return mark.held_since is not None and now - mark.held_since >= STUCK_SECONDS


def _held(held: Mapping[TopicPartition, _Mark]) -> Trouble:
    parts = [
        f"{mark.held} offsets of {place.topic}/{place.partition} wait behind a transaction that is"
        f" open at offset {mark.end} since {spell(mark.held_moment)} or before"
        for place, mark in sorted(held.items(), key=lambda pair: pair[1].held_moment)
    ]
    since = min(mark.held_moment for mark in held.values())
    return Trouble(f"{_some(parts)}: its producer must commit or abort it.", since)


def _some(parts: Sequence[str]) -> str:
    more = f"; and {len(parts) - NAMED} more partitions" if len(parts) > NAMED else ""
    return "; ".join(parts[:NAMED]) + more


def spell(moment: datetime) -> str:
    """To the second, for a sentence."""
    return timestamp(moment.replace(microsecond=0))
