"""The contract of a worker on the stream; :mod:`vigil.streaming.loop` runs it.

Every call comes from one thread, never two at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from kafka import TopicPartition
from msgspec import Struct

from vigil.contracts import wire
from vigil.service.errors import WireError

BATCH = 2000
"""Messages that are handled at once, unless a handler says otherwise."""


class Received(Struct, frozen=True, gc=False):
    """A message that was read, and where it came from."""

    topic: str
    partition: int
    offset: int
    message: wire.Carried
    raw: Any
    """The Kafka record: :class:`vigil.kafka.records.Record`."""


class Rejected(NamedTuple):
    """A message that a handler cannot apply; it joins the dead letters."""

    received: Received
    reason: WireError


def _nothing() -> None:
    """What is done after a batch, unless a handler says otherwise."""


class Handled(NamedTuple):
    """What a batch comes to."""

    outgoing: Sequence[wire.Outgoing] = ()
    """Messages to produce, in this order."""
    rejected: Sequence[Rejected] = ()
    after: Callable[[], None] = _nothing
    """Called once the broker has all of ``outgoing``."""


class Handler(Protocol):
    """What a worker does with a batch.

    Any call but ``revoked`` may raise :class:`~vigil.service.errors.UnavailableError`: it is made
    again until it succeeds, and the partitions are kept meanwhile.
    :class:`~vigil.service.errors.StaleOwnerError` makes the loop forget and load again. Any other
    error of ``handle`` is first taken to be the doing of one message: state is loaded again and the
    messages come in parts, or the one alone that :class:`FailedOn` names; the one that fails alone
    goes to the dead letters, however many do. Only where ``probe`` fails, too, the fault is not in
    the
    message: the process ends with the error.
    """

    name: str
    """The service's name; also the consumer group, as ``vigil-<name>``."""
    topics: tuple[str, ...]
    max_records: int
    """Messages that it takes at once."""
    fetch_bytes: int
    """The broker gathers so many before it answers, for a tenth of a second at most."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Partitions were given to this worker: load their state.

        Returns the offsets to go on from; a partition that is not named goes on from Kafka's
        committed offset, or from the beginning.
        """

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Partitions are this worker's no longer, perhaps for some time already: forget their
        state. Also called for some whose ``assigned`` did not come to its end."""

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Apply a batch, in order of offset within a partition: to a state in memory, or durably.

        If it raises, nothing was applied to a state in memory. The same messages may come again
        after any failure.
        """

    def passed(self, ends: Mapping[TopicPartition, int]) -> None:
        """Everything below these offsets is handled or set aside: also messages that ``handle`` was
        never given. A checkpoint that the handler keeps itself must go on behind them."""

    def probe(self) -> None:
        """Do what ``handle`` does without any message of the topic, and leave nothing behind.

        Called when a message has failed alone. What it raises is no message's fault: a table that
        is missing, a configuration that cannot be used, our own code broken for everyone.
        """

    def checkpoint(self) -> None:
        """Make durable what the batches so far left in memory, with the offset that it belongs to.

        Called now and then (``VIGIL_CHECKPOINT_SECONDS``) when batches were handled since, and at
        the end. Everything that they sent is with the broker by then. Afterwards the loop commits
        their offsets.
        """


class FailedOn(Exception):  # noqa: N818  (says what it is where it is raised)
    """Raised by a handler that knows on which message of a batch it failed, ``from`` the error."""

    def __init__(self, received: Received):
        super().__init__()
        self.received = received


class Stateless:
    """The parts of :class:`Handler` that a worker leaves empty whose ``handle`` makes everything
    durable by itself."""

    max_records = BATCH
    fetch_bytes = 1

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Goes on from Kafka's committed offsets."""
        del partitions
        return {}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Has nothing to forget."""

    def passed(self, ends: Mapping[TopicPartition, int]) -> None:
        """Keeps no offsets of its own."""

    def probe(self: Handler) -> None:
        """Handles an empty batch."""
        self.handle(())

    def checkpoint(self) -> None:
        """Has nothing to save."""
