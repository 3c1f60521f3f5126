"""Where a group stands in the log, as Kafka has it: asked apart from any consumer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from vigil.kafka import clients as broker
from vigil.service import logs

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("standing")


class Standing(NamedTuple):
    """A group's place on some partitions."""

    log_id: str
    """Which log the offsets count in."""
    committed: Mapping[TopicPartition, int]
    """A partition without a committed offset is not here."""
    first: Mapping[TopicPartition, int]
    """The first message that the log still has."""


def ask(settings: Settings, service: str, places: Sequence[TopicPartition]) -> Standing:
    """Where a service's group stands.

    Raises:
        UnavailableError: the broker does not answer.
    """
    group, wanted = f"vigil-{service}", list(places)
    try:
        with broker.open_admin(settings, patience=0) as admin:
            found = admin.list_group_offsets({group: wanted})[group]
            first = admin.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.EARLIEST))
            return Standing(
                broker.log_id(admin),
                {place: at.offset for place, at in found.items() if at.offset >= 0},
                {place: at.offset for place, at in first.items()},
            )
    except KafkaError as error:
        raise broker.unavailable(settings, type(error).__name__) from error


def said_behind(health: Health, place: TopicPartition, where: int, committed: int) -> None:
    """Say that the database lacks what the group had committed, and that it is read again."""
    health.count("messages_read_again", committed - where)
    log.error(
        "the database is older than the log: reading again",
        topic=place.topic,
        partition=place.partition,
        place=where,
        committed=committed,
    )
