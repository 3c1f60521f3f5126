"""A group's committed offsets, and the log that they belong to, asked without a consumer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafka import TopicPartition
from kafka.admin import OffsetSpec
from kafka.errors import KafkaError

from vigil.kafka.clients import broker_unavailable, open_admin, read_log_id
from vigil.service import logs

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("group_offsets")


@dataclass(frozen=True, slots=True)
class GroupOffsets:
    """A group's offsets on some partitions."""

    log_id: str
    """The log that the offsets belong to."""
    committed: Mapping[TopicPartition, int]
    """A partition without a committed offset is left out."""
    first: Mapping[TopicPartition, int]
    """The first message that the log still has."""


def read_group_offsets(
    settings: Settings, service: str, partitions: Sequence[TopicPartition]
) -> GroupOffsets:
    """The offsets of a service's group.

    Raises:
        UnavailableError: the broker does not answer.
    """
    group, wanted = f"vigil-{service}", list(partitions)
    try:
        with open_admin(settings, connect_timeout_seconds=0) as admin:
            found = admin.list_group_offsets({group: wanted})[group]
            first = admin.list_partition_offsets(dict.fromkeys(wanted, OffsetSpec.EARLIEST))
            return GroupOffsets(
                log_id=read_log_id(admin),
                committed={p: at.offset for p, at in found.items() if at.offset >= 0},
                first={p: at.offset for p, at in first.items()},
            )
    except KafkaError as error:
        raise broker_unavailable(settings, type(error).__name__) from error


def report_reading_again(
    health: Health, partition: TopicPartition, *, stored: int, committed: int
) -> None:
    """Report that the database lacks what the group had committed, and that it is read again.

    Args:
        stored: the offset in the database.
        committed: the group's offset, which is larger.
    """
    health.count("messages_read_again", committed - stored)
    log.error(
        "the database is older than the log: reading again",
        topic=partition.topic,
        partition=partition.partition,
        stored=stored,
        committed=committed,
    )
