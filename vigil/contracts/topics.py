"""The topics: Vigil's public interface, in one table.

The key is ``patient_id`` unless noted otherwise, so one patient's messages stay in order in one
partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.directory import DirectoryEntry
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Tick, Upload, Withdrawal
from vigil.domain.status import Status

HOUR_MS = 3_600_000
LARGEST_MESSAGE = 4 * 1_048_576
"""Bytes, compressed: a body of ``VIGIL_MAX_BODY_BYTES`` and a complete dead letter fit."""
TIMESTAMP_TYPE, BROKER_TIMESTAMP = "message.timestamp.type", "LogAppendTime"
"""The topic setting by which a record's timestamp is by the broker's clock (see
:mod:`vigil.contracts.clock_check`)."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its content, its retention, and whether integrators may rely on it."""

    name: str
    carries: tuple[Any, ...]
    """The structs that a message's value decodes to; the first is the default without a header."""
    description: str
    retention_hours: int
    public: bool = True
    compacted: bool = False
    partitions: int | None = None
    """None: ``VIGIL_PARTITIONS``."""
    segment_hours: int | None = None
    """A new segment is begun after so long, since Kafka deletes only whole segments; None: the
    broker's default (a gigabyte or a week)."""

    @property
    def only_partition(self) -> int | None:
        """The partition that is written and read where Vigil makes one only; None: all are. A
        broker that created the topic by itself, as one with ``auto.create.topics.enable`` does, may
        have given it more."""
        return 0 if self.partitions == 1 else None

    def config(self) -> dict[str, str]:
        """Broker-side settings of the topic."""
        common = {"max.message.bytes": str(LARGEST_MESSAGE)}
        if self.compacted:
            return {"cleanup.policy": "compact", **common}
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_hours * HOUR_MS),
            TIMESTAMP_TYPE: BROKER_TIMESTAMP,
            **common,
            **({"segment.ms": str(self.segment_hours * HOUR_MS)} if self.segment_hours else {}),
        }


READINGS = Topic(
    "vitals.readings",
    (Upload, Tick, Withdrawal),
    description=(
        "What devices sent: one message an upload of one patient. Ticks mark the passing of time. "
        "Withdrawals name readings that do not count."
    ),
    retention_hours=24 * 7,
)
EVENTS = Topic(
    "vitals.events",
    (Event,),
    description="Episodes as they open, change and close.",
    retention_hours=24 * 30,
)
ALERTS = Topic(
    "vitals.alerts",
    (Alert,),
    description="Events in words, for the care team and the patient.",
    retention_hours=24 * 30,
)
ACTIONS = Topic(
    "vitals.actions",
    (Action,),
    description="What people did: acknowledge, resolve, comment, ask for help.",
    retention_hours=24 * 30,
)
DEAD_LETTERS = Topic(
    "vitals.deadletter",
    (),
    description=(
        "Messages that a worker could not take, byte for byte, with the reason in the headers. "
        "Keyed as the original was."
    ),
    retention_hours=24 * 30,
    partitions=1,
)
DIRECTORY = Topic(
    "vitals.directory",
    (DirectoryEntry,),
    description="Who is enrolled and which device may send for whom; no names. Keyed by entry.",
    retention_hours=0,
    public=False,
    compacted=True,
    partitions=1,
)
PHRASES = Topic(
    "vitals.phrases",
    (Phrase,),
    description=(
        "The phrasebook's sentences and what reviewers said of them; nothing of any patient. "
        "Keyed by phrase."
    ),
    retention_hours=0,
    public=False,
    compacted=True,
    partitions=1,
)
STATUS = Topic(
    "vitals.status",
    (Status,),
    description=(
        "How each worker is doing, every two seconds: its troubles and counters; nothing of any "
        "patient. Keyed by process."
    ),
    retention_hours=24,
    public=False,
    partitions=1,
    segment_hours=6,
)

TOPICS: MappingProxyType[str, Topic] = MappingProxyType(
    {
        topic.name: topic
        for topic in (READINGS, EVENTS, ALERTS, ACTIONS, DEAD_LETTERS, DIRECTORY, PHRASES, STATUS)
    }
)
