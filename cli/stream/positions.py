"""The workers, the topics that they read, and where each stores its offsets."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import TYPE_CHECKING

from store.workers.checkpoints import GroupPartition
from vigil.service.errors import InputError

if TYPE_CHECKING:
    from kafka import TopicPartition

    from vigil.service.settings import Settings
    from vigil.streaming.handler import Handler
    from vigil.streaming.skipping import OffsetStore


def _detectors() -> type[Handler]:
    from detectors.worker import Detectors

    return Detectors


def _explain() -> type[Handler]:
    from explain.worker import ExplainHandler

    return ExplainHandler


def _notify() -> type[Handler]:
    from notify.planning.planner import Planner

    return Planner


def _store() -> type[Handler]:
    from store.service import Store

    return Store


HANDLERS: MappingProxyType[str, Callable[[], type[Handler]]] = MappingProxyType(
    {"detectors": _detectors, "explain": _explain, "notify": _notify, "store": _store}
)
"""Worker → its handler's class, imported when needed."""


def topics_of(service: str) -> tuple[str, ...]:
    """The topics that a worker reads.

    Raises:
        InputError: there is no such worker.
    """
    if service not in HANDLERS:
        raise InputError(
            f"{service!r} is no worker that reads topics.",
            code="input.not_there",
            field="SERVICE",
            how_to_fix=f"They are: {', '.join(HANDLERS)}.",
        )
    return tuple(HANDLERS[service]().topics)


def find_offset_store(service: str, settings: Settings) -> OffsetStore | None:
    """The worker's own offset store; None: its offsets are in Kafka alone."""
    if service in {"store", "notify"}:
        return _store_alongside_kafka(service, settings)
    if service != "detectors":
        return None
    from store.database.connections import connect
    from store.workers import checkpoints
    from vigil.streaming.skipping import OffsetStore

    def place_of(where: TopicPartition) -> GroupPartition:
        return GroupPartition(service, where.topic, where.partition)

    def read_position(where: TopicPartition, log_id: str) -> int | None:
        with connect(settings, autocommit=True) as connection:
            return checkpoints.read_offset(connection, place_of(where), log_id)

    def move_position(where: TopicPartition, log_id: str, ends: tuple[int, int]) -> None:
        with connect(settings, autocommit=True) as connection:
            checkpoints.move_offset(
                connection, place_of(where), log_id, before=ends[0], after=ends[1]
            )

    return OffsetStore(read_position, move_position)


def _store_alongside_kafka(service: str, settings: Settings) -> OffsetStore:
    """The offset store of a worker whose offsets are in the database as well as in Kafka."""
    from store.database.connections import connect
    from store.workers import positions
    from vigil.streaming.skipping import OffsetStore

    def read_position(where: TopicPartition, log_id: str) -> int | None:
        with connect(settings, autocommit=True) as connection:
            return positions.read_position(connection, service, where, log_id)

    def move_position(where: TopicPartition, log_id: str, ends: tuple[int, int]) -> None:
        with connect(settings, autocommit=True) as connection:
            positions.skip_message(
                connection, service, where, log_id, before=ends[0], after=ends[1]
            )

    return OffsetStore(read_position, move_position, alongside_kafka=True)
