"""Past one message, by hand: a worker's position moves on behind it, and the message is kept.

For what the loop cannot pass by itself: a message that kills the process, or a record that cannot
be fetched. First the message becomes a dead letter; then the position moves, where it stands: the
group's committed offset, or, of a worker that keeps its offsets with its state, the checkpoint,
whose epoch goes up with it. A worker that runs or dies over and over is put out of the group, or
fenced, and begins again behind the message.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka import TopicPartition
from kafka.admin import MemberToRemove
from kafka.errors import KafkaError, UnknownMemberIdError
from kafka.structs import OffsetAndMetadata

from vigil.contracts import wire
from vigil.dead_letters.local_folder import FullError, LocalLetters
from vigil.kafka import clients as broker
from vigil.kafka import committed_ends
from vigil.kafka.records import Record, attach
from vigil.service.errors import InputError, UnavailableError, WireError
from vigil.streaming.batch import dead_letter

if TYPE_CHECKING:
    from vigil.service.settings import Settings

PATIENCE_SECONDS = 10.0
READ_SECONDS = 10.0
"""How long a record is waited for before it counts as one that cannot be read."""
TRIES = 20
"""A worker that comes back at once is put out of its group again."""
ANSWER_MS = 10_000


class Position(NamedTuple):
    """Where a worker stands on a partition."""

    offset: int
    """The next that it takes."""
    message: int | None
    """The offset of the first message from there on, which may lie behind it (a log has gaps);
    None: the partition ends there."""


class Keeper(NamedTuple):
    """A worker's own offsets, beside Kafka's."""

    where: Callable[[TopicPartition, str], int | None]
    """Where it stands in the log of that id; None: it has no place there yet."""
    move: Callable[[TopicPartition, str, tuple[int, int]], None]
    """From an offset to another. ``LookupError``: it stands elsewhere by now."""
    beside: bool = False
    """Kafka's offset counts too: whichever of the two is further back."""


class Skipped(NamedTuple):
    """What was done."""

    letter: str
    """The dead letter's id."""
    published: bool
    """Whether it is on the topic; otherwise it is kept on this machine."""
    readable: bool
    """Whether the message could be read; otherwise the letter holds its place alone."""
    next_offset: int


class Group:
    """One worker's position on one partition.

    Args:
        keeper: where its offsets are, if not with Kafka.
    """

    def __init__(
        self, settings: Settings, service: str, place: TopicPartition, keeper: Keeper | None = None
    ):
        self._settings = settings
        self._service = service
        self._group = f"vigil-{service}"
        self._place = place
        self._keeper = keeper

    def position(self) -> Position:
        """Where it stands.

        Raises:
            InputError: there is no such partition.
            UnavailableError: broker or database do not answer.
        """
        with self._consumer() as consumer:
            return self._position(consumer)

    def skip(self, offset: int) -> Skipped:
        """Set the message at ``offset`` aside, and let the worker go on behind it.

        Raises:
            InputError: it does not stand there, or moves; nothing was changed.
            UnavailableError: broker or database do not answer, or the worker came back each time
                before its position could be moved: the message is a dead letter, it stands where it
                stood.
        """
        with self._consumer() as consumer:
            position = self._position(consumer)
            if position.message is None or offset not in {position.offset, position.message}:
                raise self._elsewhere(offset, position)
            self._refuse_if_it_moves(consumer, position)
            after = position.message + 1
            record = _read(consumer, self._place, position.message)
        letter, published = self._bury(record, position.message)
        self._move(position.offset, after)
        return Skipped(letter, published, record is not None, after)

    def _position(self, consumer: Any) -> Position:
        place = self._place
        if place.partition not in (consumer.partitions_for_topic(place.topic) or ()):
            raise InputError(
                f"{place.topic} has no partition {place.partition}.",
                code="input.not_there",
                field="PARTITION",
                how_to_fix="`vigil doctor` tells how many there are.",
            )
        first = consumer.beginning_offsets([place], timeout_ms=ANSWER_MS)[place]
        offset = self._stands(consumer, first)
        record = _read(consumer, place, max(offset, first))
        if record is not None:  # one before it: the log is shorter than it was
            return Position(offset, record.offset if record.offset >= offset else None)
        passed = _at_end(consumer, place)  # what is left are marks of transactions
        return Position(offset, None if passed else max(offset, first))

    def _stands(self, consumer: Any, first: int) -> int:
        """As the worker finds it when it starts. One that keeps its offsets itself begins where the
        log does when it has none, whatever Kafka says: its database is new."""
        kept = first
        if self._keeper is not None:
            own = self._keeper.where(self._place, self._log_id())
            kept = first if own is None else own
            if not self._keeper.beside:
                return kept
        committed = consumer.committed(self._place, timeout_ms=ANSWER_MS)
        if committed is None or committed < 0:
            return kept
        return int(committed) if self._keeper is None else min(kept, int(committed))

    def _refuse_if_it_moves(self, consumer: Any, position: Position) -> None:
        """A worker that works is not to be put out: it needs no skip."""
        deadline = time.monotonic() + 2 * self._settings.checkpoint_seconds + 1
        while self._members() and time.monotonic() < deadline:
            time.sleep(0.2)
            now = self._stands(consumer, position.offset)
            if now != position.offset:
                raise self._elsewhere(position.offset, Position(now, now))

    def _elsewhere(self, offset: int, position: Position) -> InputError:
        place = self._place
        where = f"{self._service} stands at {position.offset} on {place.topic}/{place.partition}"
        if position.message is None:
            where += ", its end: nothing holds it up"
        elif position.message != position.offset:
            where += f", before the message at {position.message}"
        return InputError(
            f"{where}, and not at {offset}.",
            code="input.not_there",
            field="OFFSET",
            how_to_fix=(
                "Only where a worker stands can it pass over a message: what lies "
                "before is done,"
                " and what lies between would be lost. A worker that dies again "
                "and again comes nearer"
                " to what kills it with each start, until it stands there: ask once more."
            ),
        )

    def _bury(self, record: Record | None, offset: int) -> tuple[str, bool]:
        """Make the message a dead letter; its id, and whether it is on the topic."""
        reason = WireError(
            f"An operator made {self._service} pass over it."
            + ("" if record is not None else " It could not be read: only its place is kept."),
            code="wire.skipped",
        )
        found = record or Record(offset, -1, None, None, b"\0")
        letter = dead_letter(self._place, found, self._service, reason)
        ident = wire.header(letter.headers, "ce_id")
        publisher = broker.Publisher(self._settings, "skip", PATIENCE_SECONDS)
        try:
            publisher.publish([letter])
        except (UnavailableError, WireError) as error:
            try:
                LocalLetters.of(self._settings).keep(letter, time.time_ns() // 1_000_000)
            except FullError:
                raise error from None
            return ident, False
        finally:
            publisher.close()
        return ident, True

    def _move(self, before: int, after: int) -> None:
        if self._keeper is not None:
            try:
                self._keeper.move(self._place, self._log_id(), (before, after))
            except LookupError as error:
                now = int(error.args[0])
                raise self._elsewhere(before, Position(now, now)) from error
            if not self._keeper.beside:
                return
        place, moved = self._place, OffsetAndMetadata(after, "", -1)
        with self._admin() as admin:
            for _ in range(TRIES):
                answer = admin.alter_group_offsets(self._group, {place: moved})[place]
                if getattr(answer, "errno", 0) == 0:
                    return
                if answer is not UnknownMemberIdError and not isinstance(
                    answer, UnknownMemberIdError
                ):
                    raise broker.unavailable(self._settings, getattr(answer, "__name__", answer))
                members = _members(admin, self._group)
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
            return _members(admin, self._group)

    def _log_id(self) -> str:
        with self._admin() as admin:
            return broker.log_id(admin)

    @contextmanager
    def _admin(self) -> Iterator[Any]:
        try:
            with broker.open_admin(self._settings, PATIENCE_SECONDS) as admin:
                # kafka-python cannot name all operations that Tansu allows; nobody asks for them.
                admin._process_acl_operations = lambda found: found
                yield admin
        except KafkaError as error:
            raise broker.unavailable(self._settings, type(error).__name__) from error

    @contextmanager
    def _consumer(self) -> Iterator[Any]:
        consumer = broker.open_consumer(self._settings, self._group, PATIENCE_SECONDS)
        attach(consumer)
        try:
            yield consumer
        except KafkaError as error:
            raise broker.unavailable(self._settings, type(error).__name__) from error
        finally:
            consumer.close(autocommit=False)


def _members(admin: Any, group: str) -> list[MemberToRemove]:
    found = admin.describe_groups([group])[group]
    return [MemberToRemove(member_id=member["member_id"]) for member in found["members"]]


def _read(consumer: Any, place: TopicPartition, offset: int) -> Record | None:
    """The first record from an offset on; None: there is none, or it cannot be read."""
    consumer.assign([place])
    consumer.seek(place, offset)
    begun = time.monotonic()
    while time.monotonic() < begun + READ_SECONDS:
        try:
            found = consumer.poll(timeout_ms=300, max_records=1).get(place)
        except KafkaError:  # the batch is damaged
            return None
        if found:
            record: Record = found[0]
            return record
        told = committed_ends.fetched(consumer, place)
        if told is not None and told.at >= begun and _at_end(consumer, place):
            return None
    return None


def _at_end(consumer: Any, place: TopicPartition) -> bool:
    """Whether the consumer is behind the last record. Tansu counts its last batch as one record in
    ``end_offsets``; a fetch tells the true end."""
    end = consumer.end_offsets([place], timeout_ms=ANSWER_MS)[place]
    told = committed_ends.fetched(consumer, place)
    return bool(consumer.position(place) >= max(end, told.stable if told else 0))
