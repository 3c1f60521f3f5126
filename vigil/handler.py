"""The contract of a worker on the stream; :mod:`vigil.stream` runs it.

Every call comes from one thread, never two at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from kafka import TopicPartition

from vigil import wire
from vigil.errors import WireError


class Received(NamedTuple):
    """A message that was read, and where it came from."""

    topic: str
    partition: int
    offset: int
    message: wire.Carried
    raw: Any
    """The Kafka record: ``key``, ``value``, ``headers``."""


class Rejected(NamedTuple):
    """A message that a handler cannot apply; it joins the dead letters."""

    received: Received
    reason: WireError


class Handler(Protocol):
    """What a worker does with a batch.

    Any call but ``revoked`` may raise :class:`~vigil.errors.UnavailableError`: it is made again
    until it succeeds, and the partitions are kept meanwhile.
    :class:`~vigil.errors.StaleOwnerError` makes the loop forget and load again. Any other error of
    ``handle`` is first taken to be the doing of one message: state is loaded again and the messages
    come one by one; the one that fails alone goes to the dead letters. When three fail in a row
    the fault is not in the messages, and the process ends with the error.
    """

    name: str
    """The service's name; also the consumer group, as ``vigil-<name>``."""
    topics: tuple[str, ...]

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Partitions were given to this worker: load their state.

        Returns the offsets to go on from; a partition that is not named goes on from Kafka's
        committed offset, or from the beginning.
        """

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Partitions are this worker's no longer, perhaps for some time already: forget their
        state. Also called for some whose ``assigned`` did not come to its end."""

    def handle(self, batch: Sequence[Received]) -> Iterable[Rejected]:
        """Make durable everything that the batch causes; then return what could not be applied.

        In order of offset within a partition. The same messages may come again after any failure.
        """

    def idle(self) -> None:
        """Nothing came for a moment."""


class Stateless:
    """The parts of :class:`Handler` that a worker without state leaves empty."""

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Goes on from Kafka's committed offsets."""
        del partitions
        return {}

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Has nothing to forget."""

    def idle(self) -> None:
        """Has nothing to do."""
