"""The topics: Vigil's public interface, in one table.

Key is ``patient_id`` everywhere but where said otherwise, so one patient's messages stay in order
in one partition.
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
from vigil.domain.reading import Tick, Upload
from vigil.domain.status import Status

HOUR_MS = 3_600_000
LARGEST_MESSAGE = 4 * 1_048_576
"""Bytes, compressed: a body of ``VIGIL_MAX_BODY_BYTES`` and a whole dead letter fit."""
STAMP, STAMP_OF_BROKER = "message.timestamp.type", "LogAppendTime"
"""By this a record's timestamp is the broker's clock (see :mod:`vigil.contracts.clock_check`)."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic: what is on it, for how long, and whether integrators may build on it."""

    name: str
    carries: tuple[Any, ...]
    """The structs that a message's value decodes to; the first is meant where no header says."""
    description: str
    retention_hours: int
    public: bool = True
    compacted: bool = False
    partitions: int | None = None
    """None: as many as ``VIGIL_PARTITIONS``."""
    segment_hours: int | None = None
    """After so long a new file is begun, since Kafka deletes whole files alone; None: the broker's
    own rule (a gigabyte or a week)."""

    def config(self) -> dict[str, str]:
        """Broker-side settings of the topic."""
        common = {"max.message.bytes": str(LARGEST_MESSAGE)}
        if self.compacted:
            return {"cleanup.policy": "compact", **common}
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_hours * HOUR_MS),
            STAMP: STAMP_OF_BROKER,
            **common,
            **({"segment.ms": str(self.segment_hours * HOUR_MS)} if self.segment_hours else {}),
        }


READINGS = Topic(
    "vitals.readings",
    (Upload, Tick),
    "What devices sent: one message an upload of one patient. Ticks mark the passing of time.",
    24 * 7,
)
EVENTS = Topic(
    "vitals.events",
    (Event,),
    "Episodes as they open, change and close.",
    24 * 30,
)
ALERTS = Topic(
    "vitals.alerts",
    (Alert,),
    "Events in words, for the care team and the patient.",
    24 * 30,
)
ACTIONS = Topic(
    "vitals.actions",
    (Action,),
    "What people did: acknowledge, resolve, comment, ask for help.",
    24 * 30,
)
DEADLETTER = Topic(
    "vitals.deadletter",
    (),
    "Messages that a worker could not take, byte for byte, with the reason in the headers. "
    "Keyed as the original was.",
    24 * 30,
    partitions=1,
)
DIRECTORY = Topic(
    "vitals.directory",
    (DirectoryEntry,),
    "Who is enrolled and which device may send for whom; no names. Keyed by entry.",
    0,
    public=False,
    compacted=True,
    partitions=1,
)
PHRASES = Topic(
    "vitals.phrases",
    (Phrase,),
    "The phrasebook's sentences and what reviewers said of them; nothing of any patient. "
    "Keyed by phrase.",
    0,
    public=False,
    compacted=True,
    partitions=1,
)
STATUS = Topic(
    "vitals.status",
    (Status,),
    "How each worker is doing, every two seconds: its troubles and counters; nothing of any "
    "patient. Keyed by process.",
    24,
    public=False,
    partitions=1,
    segment_hours=6,
)

TOPICS: MappingProxyType[str, Topic] = MappingProxyType(
    {
        topic.name: topic
        for topic in (READINGS, EVENTS, ALERTS, ACTIONS, DEADLETTER, DIRECTORY, PHRASES, STATUS)
    }
)
