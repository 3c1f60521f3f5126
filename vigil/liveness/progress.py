"""Whether a worker's messages advance: its offset on each partition, and since when it is stuck.

The loop records what it processes and what it has handled; the assessment is made on the thread of
whoever asks for the health, so that a loop that hangs within a batch is detected too. Nothing is
done per message.

A partition *waits* while something on it is not handled, and is *stuck* if it has waited for too
long at the same offset. What counts is the highest offset that was reached: a worker that drops its
state, returns to its last checkpoint and fails again at the same message does not advance.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from kafka import TopicPartition
from msgspec import Struct

from vigil.domain.ids import timestamp
from vigil.kafka.committed_ends import Fetched
from vigil.service.health import Health, Look, Trouble
from vigil.values.clock import EPOCH, Clock, utc_now

Records = Mapping[TopicPartition, Sequence[Any]]

STUCK_SECONDS = 15.0
"""A partition that waits so long at one offset is stuck. A batch of live readings takes
milliseconds, and a full one of 5,000 messages of one reading half a second."""
SLOWEST_BYTES_A_SECOND = 1_000_000
"""A large batch is allowed one more second for each so many bytes: a batch can be as large as what
was fetched. The slowest worker, detection, processes five times as many."""
STARVED_SECONDS = 60.0
"""The same while other partitions of the worker advance: kafka-python reads them in turn, and with
a large backlog one round of all of them takes that long."""
LOADING_SECONDS = 3.0
"""A partition that was stuck when it was dropped is reported for so long still: a worker that
starts again at its last checkpoint has it back by then, and is not ready meanwhile."""
NAMED = 3
"""Partitions that are named at once."""
BLOCKED = (
    "The loop is blocked outside a batch: it loads or saves states, or a client does not return."
)


@dataclass(frozen=True, slots=True)
class Measured:
    """A partition's position and end."""

    position: int
    """Everything below it is handled, or holds no message (transactions and compaction leave out
    offsets)."""
    end: int
    """As the broker answers when asked, which may be too low
    (:func:`vigil.kafka.committed_ends.known_end`)."""
    fetched: Fetched | None
    """As the last fetch reported it."""


@dataclass(frozen=True, slots=True)
class _Now:
    """One moment by both clocks."""

    monotonic: float
    wall: datetime


class _Mark(Struct):
    """The state of one partition."""

    at: int
    """Everything below is handled."""
    farthest: int
    """The highest ``at`` since this process began to consume it."""
    end: int
    """Behind the last message that is known to exist."""
    placed_at: float
    """Monotonic seconds."""
    measured: bool = False
    left_at: float = 0.0
    """Monotonic seconds at which it was dropped last."""
    waiting_since: float | None = None
    """Monotonic seconds since when something waits and ``farthest`` is unchanged; None: nothing
    waits."""
    moment: datetime = EPOCH
    """The same by the wall clock."""
    oldest: float = 0.0
    """When the oldest waiting message was written, in seconds since 1970, if no such message is in
    the batch in progress."""
    held_since: float | None = None
    """Monotonic seconds since when an open transaction holds back what is behind ``end``."""
    held_moment: datetime = EPOCH
    held: int = 0
    """Number of offsets behind ``end``."""

    @classmethod
    def start(cls, at: int, placed_at: float) -> _Mark:
        """A partition that is consumed from ``at``."""
        return cls(at=at, farthest=at, end=at, placed_at=placed_at)

    def settle(self, now: _Now, written: float) -> None:
        """Set whether something waits now; if nothing did before, it waits since now."""
        if self.end <= self.at:
            self.waiting_since = None
        elif self.waiting_since is None:
            self.waiting_since, self.moment, self.oldest = now.monotonic, now.wall, written

    def set_held(self, held: int, now: _Now, *, advanced: bool) -> None:
        """Set how many offsets an open transaction holds back; ``advanced``: it is another one."""
        self.held = held
        if not held:
            self.held_since = None
        elif self.held_since is None or advanced:
            self.held_since, self.held_moment = now.monotonic, now.wall

    def is_held(self, now: float) -> bool:
        """Whether a transaction has been open for too long."""
        return self.held_since is not None and now - self.held_since >= STUCK_SECONDS


class Progress:
    """The progress of one worker. The loop writes it, any thread reads it.

    Args:
        health: knows when the loop ran last, and what it waits for.
        clock: the wall clock.
        monotonic: seconds of a monotonic clock.
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
        """Partitions that are not ours now: if they return at the same offset, they were stuck."""
        self._in_progress: Records = {}
        self._advanced_at = monotonic()
        self._measured = False
        self._why = ""

    def start_at(self, offsets: Mapping[TopicPartition, int]) -> None:
        """These partitions are consumed from here."""
        now = self._monotonic()
        with self._lock:
            for partition, at in offsets.items():
                mark = self._marks.pop(partition, None) or self._left.pop(partition, None)
                if mark is None or at > mark.farthest:  # another worker has advanced meanwhile
                    mark = _Mark.start(at, now)
                mark.at, mark.placed_at, mark.measured = at, now, False
                self._marks[partition] = mark

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """These are not consumed now."""
        with self._lock:
            for partition in partitions:
                mark = self._marks.pop(partition, None)
                if mark is not None:
                    mark.left_at = self._monotonic()
                    self._left[partition] = mark

    def reset(self, partition: TopicPartition, at: int) -> None:
        """The log is shorter than before, or another one: earlier offsets of it mean nothing."""
        with self._lock:
            self._marks[partition] = _Mark.start(at, self._monotonic())

    def begin_batch(self, records: Records) -> None:
        """A batch is in progress."""
        now = self._now()
        with self._lock:
            self._in_progress = records
            for partition, messages in records.items():
                mark = self._marks.get(partition)
                if mark is not None:
                    mark.end = max(mark.end, messages[-1].offset + 1)
                    mark.settle(now, now.wall.timestamp())

    def end_batch(self) -> None:
        """No batch is in progress."""
        with self._lock:
            self._in_progress = {}

    def mark_handled(self, ends: Mapping[TopicPartition, int]) -> None:
        """Everything below these offsets is handled, and the broker has what it caused."""
        now = self._now()
        with self._lock:
            for partition, at in ends.items():
                mark = self._marks.get(partition)
                if mark is not None:
                    messages = self._in_progress.get(partition)
                    written = messages[-1].timestamp / 1000 if messages else 0.0
                    written = written if written > 0 else now.wall.timestamp()
                    self._advance(mark, at, now, written=written)

    def record_failure(self, why: str) -> None:
        """The batch in progress could not be handled; reported if that persists.

        Args:
            why: the end of a sentence, without anything of a message.
        """
        self._why = why

    def record_measured(self, found: Mapping[TopicPartition, Measured]) -> None:
        """The broker has answered where the partitions end."""
        now = self._now()
        with self._lock:
            self._measured = True
            for partition, measured in found.items():
                mark = self._marks.get(partition)
                if mark is not None:
                    self._measure(mark, measured, now)

    def look(self) -> Look:
        """What is stuck, and since when."""
        with self._lock:
            now, wall = self._monotonic(), self._clock()
            loading = {p: m for p, m in self._left.items() if now - m.left_at < LOADING_SECONDS}
            known = loading | self._marks
            stuck = {p: m for p, m in known.items() if self._is_stuck(m, now)}
            held = {p: m for p, m in self._marks.items() if m.is_held(now)}
            troubles = {}
            if stuck:
                troubles["stuck"] = self._describe_stuck(stuck)
            elif not self._in_progress and (idle := self._idle_seconds()) >= STUCK_SECONDS:
                troubles["stuck"] = Trouble(BLOCKED, wall - timedelta(seconds=idle))
            if held:
                troubles["transaction"] = _describe_held(held)
            gauges: dict[str, float] = {
                "partitions": len(self._marks),
                "stuck_partitions": len(stuck | held),
            }
            if self._measured and all(mark.measured for mark in self._marks.values()):
                gauges["lag_messages"] = sum(max(0, m.end - m.at) for m in self._marks.values())
                gauges["lag_seconds"] = self._lag_seconds(wall.timestamp())
            return Look(troubles, gauges)

    def _now(self) -> _Now:
        return _Now(self._monotonic(), self._clock())

    def _idle_seconds(self) -> float:
        return self._health.seconds_since_beat()

    def _advance(self, mark: _Mark, at: int, now: _Now, *, written: float) -> None:
        mark.at = at
        if at > mark.farthest:
            mark.farthest, mark.waiting_since = at, None
            self._advanced_at, self._why = now.monotonic, ""
        mark.settle(now, written)

    def _measure(self, mark: _Mark, found: Measured, now: _Now) -> None:
        fetched = found.fetched
        if fetched is not None and fetched.at < mark.placed_at:
            fetched = None
        if fetched is not None and fetched.stable < mark.farthest:  # another log, or an older copy
            mark.farthest, mark.end = mark.at, fetched.stable
        before = mark.end
        mark.end = max(before, found.end, fetched.stable if fetched else 0)
        mark.measured = True
        written = now.wall.timestamp()
        if found.position > mark.at and found.position >= mark.farthest:
            self._advance(mark, found.position, now, written=written)
        mark.settle(now, written)
        held = max(0, fetched.high - mark.end) if fetched else 0
        mark.set_held(held, now, advanced=mark.end > before)

    def _lag_seconds(self, wall: float) -> float:
        """Seconds since the oldest waiting message was written."""
        oldest = wall
        for partition, mark in self._marks.items():
            if mark.waiting_since is not None:
                waiting = (r for r in self._in_progress.get(partition, ()) if r.offset >= mark.at)
                first = next(waiting, None)
                known = first is not None and first.timestamp > 0
                oldest = min(oldest, first.timestamp / 1000 if known and first else mark.oldest)
        return round(wall - oldest, 1)

    def _allowance(self) -> float:
        """Additional seconds that the batch in progress may take because it is large."""
        size = sum(len(r.value or b"") for found in self._in_progress.values() for r in found)
        return size / SLOWEST_BYTES_A_SECOND

    def _is_stuck(self, mark: _Mark, now: float) -> bool:
        waited = 0.0 if mark.waiting_since is None else now - mark.waiting_since
        if waited < STUCK_SECONDS:
            return False
        if now - self._advanced_at < STUCK_SECONDS:
            return waited >= STARVED_SECONDS
        return waited >= STUCK_SECONDS + self._allowance()

    def _describe_stuck(self, stuck: Mapping[TopicPartition, _Mark]) -> Trouble:
        since = min(mark.moment for mark in stuck.values())
        parts = [
            f"{partition.topic}/{partition.partition} is stuck at offset {mark.farthest} since"
            f" {_format_moment(mark.moment)}"
            for partition, mark in sorted(stuck.items(), key=lambda pair: pair[1].moment)
        ]
        why = self._health.waits_for() or self._why or self._describe_batch()
        return Trouble(f"{_join_some(parts)}: {why.rstrip('.')}.", since)

    def _describe_batch(self) -> str:
        count = sum(map(len, self._in_progress.values()))
        if not count:
            return "the broker gives none of the messages that wait there"
        return f"the handler has not come back from {count} message{'s' * (count != 1)}"


def _describe_held(held: Mapping[TopicPartition, _Mark]) -> Trouble:
    parts = [
        f"{mark.held} offsets of {partition.topic}/{partition.partition} wait behind a transaction"
        f" that is open at offset {mark.end} since {_format_moment(mark.held_moment)} or before"
        for partition, mark in sorted(held.items(), key=lambda pair: pair[1].held_moment)
    ]
    since = min(mark.held_moment for mark in held.values())
    return Trouble(f"{_join_some(parts)}: its producer must commit or abort it.", since)


def _join_some(parts: Sequence[str]) -> str:
    more = f"; and {len(parts) - NAMED} more partitions" if len(parts) > NAMED else ""
    return "; ".join(parts[:NAMED]) + more


def _format_moment(moment: datetime) -> str:
    """To the second, for a sentence."""
    return timestamp(moment.replace(microsecond=0))
