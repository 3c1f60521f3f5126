"""Which workers there are, what they read, and where each keeps its offsets."""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING

from vigil.errors import InputError

if TYPE_CHECKING:
    from kafka import TopicPartition

    from vigil.settings import Settings
    from vigil.skipping import Keeper

HANDLERS: MappingProxyType[str, tuple[str, str]] = MappingProxyType(
    {
        "detectors": ("detectors.worker", "Detectors"),
        "explain": ("explain.worker", "ExplainHandler"),
        "notify": ("notify.worker", "Planner"),
        "store": ("store.service", "Store"),
    }
)
"""Worker → its handler."""


def topics_of(service: str) -> tuple[str, ...]:
    """What a worker reads.

    Raises:
        InputError: there is no such worker.
    """
    if service not in HANDLERS:
        raise InputError(
            f"{service!r} is no worker that reads topics.",
            code="input.not_there",
            field="SERVICE",
            mend=f"They are: {', '.join(HANDLERS)}.",
        )
    module, name = HANDLERS[service]
    topics: tuple[str, ...] = getattr(import_module(module), name).topics
    return topics


def keeper_of(service: str, settings: Settings) -> Keeper | None:
    """Where it keeps offsets of its own; None: Kafka has them."""
    if service in {"store", "notify"}:
        return _beside(service, settings)
    if service != "detectors":
        return None
    from store import checkpoints
    from store.checkpoints import Place
    from store.database import connect
    from vigil.skipping import Keeper

    def place_of(where: TopicPartition) -> Place:
        return Place(service, where.topic, where.partition)

    def stands(where: TopicPartition, log_id: str) -> int | None:
        with connect(settings, autocommit=True) as connection:
            return checkpoints.position(connection, place_of(where), log_id)

    def move(where: TopicPartition, log_id: str, ends: tuple[int, int]) -> None:
        with connect(settings, autocommit=True) as connection:
            checkpoints.move(connection, place_of(where), log_id, ends)

    return Keeper(stands, move)


def _beside(service: str, settings: Settings) -> Keeper:
    """A worker that keeps its place in the database too: it moves with Kafka's."""
    from store import positions
    from store.database import connect
    from vigil.skipping import Keeper

    def stands(where: TopicPartition, log_id: str) -> int | None:
        with connect(settings, autocommit=True) as connection:
            return positions.position(connection, service, where, log_id)

    def move(where: TopicPartition, log_id: str, ends: tuple[int, int]) -> None:
        with connect(settings, autocommit=True) as connection:
            positions.skip(connection, service, where, log_id, ends)

    return Keeper(stands, move, beside=True)
