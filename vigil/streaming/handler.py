"""The interface of a worker on the stream; :mod:`vigil.streaming.loop` runs it.

All calls are made on one thread, one at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kafka import TopicPartition
from msgspec import Struct

from vigil.contracts import wire
from vigil.service.errors import WireError

BATCH = 2000
"""The largest batch, in messages, unless a handler sets its own."""


class Received(Struct, frozen=True, gc=False):
    """A decoded message and its position in the log."""

    topic: str
    partition: int
    offset: int
    message: wire.Carried
    raw: Any
    """The Kafka record: :class:`vigil.kafka.records.Record`."""


@dataclass(frozen=True, slots=True)
class Rejected:
    """A message that a handler cannot apply; it becomes a dead letter."""

    received: Received
    reason: WireError


def _do_nothing() -> None:
    """The default of :attr:`Handled.after`."""


@dataclass(frozen=True, slots=True)
class Handled:
    """The result of handling a batch."""

    outgoing: Sequence[wire.Outgoing] = ()
    """Messages to produce, in this order."""
    rejected: Sequence[Rejected] = ()
    after: Callable[[], None] = _do_nothing
    """Called once the broker has acknowledged all of ``outgoing``."""


class Handler(Protocol):
    """What a worker does with a batch.

    Any call but ``revoked`` may raise :class:`~vigil.service.errors.UnavailableError`: the loop
    retries it until it succeeds and keeps the partitions meanwhile.
    :class:`~vigil.service.errors.StaleOwnerError` makes the loop drop the state and load it again.

    Any other error of ``handle`` is first attributed to one message: the state is loaded again and
    the batch is retried in parts, or without the message that :class:`FailedOn` names. A message
    that fails by itself becomes a dead letter, however many there are. Only if ``probe`` fails too,
    the cause is not in the message: the process ends with the error.
    """

    name: str
    """The service's name; its consumer group is ``vigil-<name>``."""
    topics: tuple[str, ...]
    max_records: int
    """The largest batch, in messages."""
    fetch_bytes: int
    """``fetch.min.bytes``: the broker gathers so many before it answers, for 0.1 s at most."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Load the state of partitions that were assigned to this worker.

        Returns:
            The offsets to continue from. A partition that is left out continues from Kafka's
            committed offset, or from its beginning.
        """

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Drop the state of partitions that are no longer this worker's, perhaps for some time
        already. Also called for some whose ``assigned`` did not complete."""

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Apply a batch, in order of offset within a partition: to a state in memory, or durably.

        If it raises, nothing was applied to a state in memory. The same messages may be delivered
        again after any failure.
        """

    def advance_offsets(self, ends: Mapping[TopicPartition, int]) -> None:
        """Everything below these offsets is handled or a dead letter, including messages that
        ``handle`` was never given. A checkpoint that the handler keeps must continue from them."""

    def probe(self) -> None:
        """Do the work of ``handle`` without any message of the topic, and leave nothing behind.

        Called when a message has failed by itself. An error here is not caused by the message: a
        missing table, an unusable configuration, a defect that affects everyone.
        """

    def checkpoint(self) -> None:
        """Make durable what the batches so far have left in memory, with its offset.

        Called regularly (``VIGIL_CHECKPOINT_SECONDS``) when batches were handled since the last
        call, and at the end. The broker has acknowledged everything that they caused. Afterwards
        the loop commits their offsets.
        """


class FailedOn(Exception):  # noqa: N818  (raised as a statement about one message)
    """Raised by a handler that knows on which message of a batch it failed, ``from`` the error."""

    def __init__(self, received: Received):
        super().__init__()
        self.received = received


class Stateless:
    """Defaults of :class:`Handler` for a worker whose ``handle`` makes everything durable."""

    max_records = BATCH
    fetch_bytes = 1

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Continue from Kafka's committed offsets."""
        del partitions
        return {}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """There is no state to drop."""

    def advance_offsets(self, ends: Mapping[TopicPartition, int]) -> None:
        """No offsets are kept outside Kafka."""

    def probe(self: Handler) -> None:
        """Handle an empty batch."""
        self.handle(())

    def checkpoint(self) -> None:
        """There is nothing to save."""
