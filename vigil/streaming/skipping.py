"""Skips one message by hand: a worker's position moves behind it, and the message is kept.

For what the loop cannot get past by itself: a message that kills the process, or a record that
cannot be fetched. First the message becomes a dead letter; then the position is moved where it is
kept: the group's committed offset, or, of a worker that stores its offsets with its state, the
checkpoint, whose epoch is incremented. A worker that is running, or crashing repeatedly, is removed
from the group, or fenced, and starts again behind the message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata

from vigil.contracts import wire
from vigil.dead_letters.local_folder import FolderFullError, LocalDeadLetters
from vigil.kafka import committed_ends
from vigil.kafka.clients import (
    Publisher,
    broker_unavailable,
    open_admin,
    open_consumer,
    read_log_id,
)
from vigil.kafka.group_description import find_member_ids
from vigil.kafka.records import Record, attach
from vigil.service.errors import InputError, UnavailableError, WireError
from vigil.streaming.batch import make_dead_letter

if TYPE_CHECKING:
    from vigil.service.settings import Settings

CONNECT_TIMEOUT_SECONDS = 10.0
READ_TIMEOUT_SECONDS = 10.0
"""How long a record is waited for before it counts as one that cannot be read."""
TRIES = 20
"""A worker that rejoins at once is removed from its group again."""
REQUEST_TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Position:
    """A worker's position on a partition."""

    offset: int
    """The next that it consumes."""
    message: int | None
    """The offset of the first message at or after ``offset`` (a log has gaps); None: there is
    none."""


@dataclass(frozen=True, slots=True)
class OffsetStore:
    """A worker's own offsets, kept outside Kafka."""

    read: Callable[[TopicPartition, str], int | None]
    """Its offset in the log of that id; None: it has none there yet."""
    move: Callable[[TopicPartition, str, tuple[int, int]], None]
    """From an offset to another. ``LookupError``: the stored offset is another by now."""
    alongside_kafka: bool = False
    """Whether Kafka's offset counts too: the smaller of the two applies."""


@dataclass(frozen=True, slots=True)
class DeadLettered:
    """Where a skipped message is kept."""

    ident: str
    """The dead letter's id."""
    published: bool
    """Whether it is on the topic; otherwise it is kept on this machine."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What was done."""

    dead_letter: DeadLettered
    readable: bool
    """Whether the message could be read; otherwise the dead letter holds its position alone."""
    next_offset: int


class WorkerPosition:
    """One worker's position on one partition.

    Args:
        offset_store: where its offsets are, if not with Kafka.
    """

    def __init__(
        self,
        settings: Settings,
        service: str,
        partition: TopicPartition,
        *,
        offset_store: OffsetStore | None = None,
    ):
        self._settings = settings
        self._service = service
        self._group = f"vigil-{service}"
        self._partition = partition
        self._offset_store = offset_store

    def read(self) -> Position:
        """Where the worker is now.

        Raises:
            InputError: there is no such partition.
            UnavailableError: broker or database do not answer.
        """
        with self._consumer() as consumer:
            return self._find_position(consumer)

    def skip(self, offset: int) -> Skipped:
        """Make the message at ``offset`` a dead letter, and let the worker continue behind it.

        Raises:
            InputError: the worker is not there, or is advancing; nothing was changed.
            UnavailableError: broker or database do not answer, or the worker rejoined each time
                before its position could be moved: the message is a dead letter, the position is
                unchanged.
        """
        with self._consumer() as consumer:
            position = self._find_position(consumer)
            if position.message is None or offset not in {position.offset, position.message}:
                raise self._not_there(offset, position)
            self._refuse_if_advancing(consumer, position)
            after = position.message + 1
            record = _read_record(consumer, self._partition, position.message)
        kept = self._make_dead_letter(record, position.message)
        self._move(position.offset, after)
        return Skipped(kept, readable=record is not None, next_offset=after)

    def _find_position(self, consumer: Any) -> Position:
        partition = self._partition
        if partition.partition not in (consumer.partitions_for_topic(partition.topic) or ()):
            raise InputError(
                f"{partition.topic} has no partition {partition.partition}.",
                code="input.not_there",
                field="PARTITION",
                how_to_fix="`vigil doctor` shows how many there are.",
            )
        first = consumer.beginning_offsets([partition], timeout_ms=REQUEST_TIMEOUT_MS)[partition]
        offset = self._next_offset(consumer, first)
        record = _read_record(consumer, partition, max(offset, first))
        if record is not None:  # one before the offset: the log is shorter than before
            return Position(offset, record.offset if record.offset >= offset else None)
        at_end = _is_at_end(consumer, partition)  # only transaction markers are left
        return Position(offset, None if at_end else max(offset, first))

    def _next_offset(self, consumer: Any, first: int) -> int:
        """The offset that the worker finds when it starts. One that stores its offsets itself
        begins at the log's beginning when it has none, whatever Kafka has: its database is new."""
        stored = first
        if self._offset_store is not None:
            own = self._offset_store.read(self._partition, self._log_id())
            stored = first if own is None else own
            if not self._offset_store.alongside_kafka:
                return stored
        committed = consumer.committed(self._partition, timeout_ms=REQUEST_TIMEOUT_MS)
        if committed is None or committed < 0:
            return stored
        return int(committed) if self._offset_store is None else min(stored, int(committed))

    def _refuse_if_advancing(self, consumer: Any, position: Position) -> None:
        """A worker that makes progress must not be removed: it needs no skip."""
        deadline = time.monotonic() + 2 * self._settings.checkpoint_seconds + 1
        while self._members() and time.monotonic() < deadline:
            time.sleep(0.2)
            now = self._next_offset(consumer, position.offset)
            if now != position.offset:
                raise self._not_there(position.offset, Position(now, now))

    def _not_there(self, offset: int, position: Position) -> InputError:
        at = f"{self._partition.topic}/{self._partition.partition}"
        where = f"{self._service} is at {position.offset} on {at}"
        if position.message is None:
            where += ", its end: nothing holds it up"
        elif position.message != position.offset:
            where += f", before the message at {position.message}"
        return InputError(
            f"{where}, and not at {offset}.",
            code="input.not_there",
            field="OFFSET",
            how_to_fix=(
                "A worker can skip a message only at its own position: earlier ones are done, and"
                " those between would be lost. A worker that crashes repeatedly comes nearer to"
                " the message that kills it with each start, until it is there: try again then."
            ),
        )

    def _make_dead_letter(self, record: Record | None, offset: int) -> DeadLettered:
        reason = WireError(
            f"An operator made {self._service} pass over it."
            + ("" if record is not None else " It could not be read: only its place is kept."),
            code="wire.skipped",
        )
        unread = Record(offset, timestamp=-1, key=None, value=None, packed_headers=b"\0")
        dead_letter = make_dead_letter(
            self._partition, record or unread, service=self._service, reason=reason
        )
        ident = wire.header(dead_letter.headers, "ce_id")
        publisher = Publisher(self._settings, "skip", CONNECT_TIMEOUT_SECONDS)
        try:
            publisher.publish([dead_letter])
        except (UnavailableError, WireError) as error:
            try:
                local = LocalDeadLetters.from_settings(self._settings)
                local.keep(dead_letter, time.time_ns() // 1_000_000)
            except FolderFullError:
                raise error from None
            return DeadLettered(ident, published=False)
        finally:
            publisher.close()
        return DeadLettered(ident, published=True)

    def _move(self, before: int, after: int) -> None:
        if self._offset_store is not None:
            try:
                self._offset_store.move(self._partition, self._log_id(), (before, after))
            except LookupError as error:
                now = int(error.args[0])
                raise self._not_there(before, Position(now, now)) from error
            if not self._offset_store.alongside_kafka:
                return
        self._move_committed(after)

    def _move_committed(self, after: int) -> None:
        """Move the group's committed offset, removing its members where there are any."""
        partition, moved = self._partition, OffsetAndMetadata(after, "", -1)
        with self._admin() as admin:
            for _ in range(TRIES):
                answer = admin.alter_group_offsets(self._group, {partition: moved})[partition]
                if getattr(answer, "errno", 0) == 0:
                    return
                if answer is not UnknownMemberIdError and not isinstance(
                    answer, UnknownMemberIdError
                ):
                    raise broker_unavailable(self._settings, getattr(answer, "__name__", answer))
                members = _find_members(admin, self._group)
                if members:
                    admin.remove_group_members(self._group, members)
        raise UnavailableError(
            f"A worker of {self._service} came back each time before its position could be moved.",
            code="unavailable.part",
            how_to_fix=(
                f"Stop {self._service}, and skip once more: the message is a dead letter already."
            ),
        )

    def _members(self) -> Sequence[MemberToRemove]:
        with self._admin() as admin:
            return _find_members(admin, self._group)

    def _log_id(self) -> str:
        with self._admin() as admin:
            return read_log_id(admin)

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        try:
            with open_admin(self._settings, CONNECT_TIMEOUT_SECONDS) as admin:
                yield admin
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error

    @contextmanager
    def _consumer(self) -> Iterator[Any]:
        consumer = open_consumer(self._settings, self._group, CONNECT_TIMEOUT_SECONDS)
        attach(consumer)
        try:
            yield consumer
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error
        finally:
            consumer.close(autocommit=False)


def _find_members(admin: Any, group: str) -> list[MemberToRemove]:
    return [MemberToRemove(member_id=ident) for ident in find_member_ids(admin, group)]


def _read_record(consumer: Any, partition: TopicPartition, offset: int) -> Record | None:
    """The first record from an offset on; None: there is none, or it cannot be read."""
    consumer.assign([partition])
    consumer.seek(partition, offset)
    begun = time.monotonic()
    while time.monotonic() < begun + READ_TIMEOUT_SECONDS:
        try:
            found = consumer.poll(timeout_ms=300, max_records=1).get(partition)
        except KafkaError:  # the batch is damaged
            return None
        if found:
            record: Record = found[0]
            return record
        fetched = committed_ends.last_fetch(consumer, partition)
        if fetched is not None and fetched.at >= begun and _is_at_end(consumer, partition):
            return None
    return None


def _is_at_end(consumer: Any, partition: TopicPartition) -> bool:
    """Whether the consumer is behind the last record."""
    end = consumer.end_offsets([partition], timeout_ms=REQUEST_TIMEOUT_MS)[partition]
    return bool(consumer.position(partition) >= committed_ends.known_end(consumer, partition, end))
