"""The topics: Vigil's public interface, in one table.

Key is ``patient_id`` everywhere but where said otherwise, so one patient's messages stay in order
in one partition.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from vigil.errors import SettingsError
from vigil.model import Action, Alert, DirectoryEntry, Event, Tick, Upload

if TYPE_CHECKING:
    from vigil.settings import Settings

HOUR_MS = 3_600_000
LARGEST_MESSAGE = 4 * 1_048_576
"""Bytes, compressed: a body of ``VIGIL_MAX_BODY_BYTES`` and a whole dead letter fit."""


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

    def config(self) -> dict[str, str]:
        """Broker-side settings of the topic."""
        common = {"max.message.bytes": str(LARGEST_MESSAGE)}
        if self.compacted:
            return {"cleanup.policy": "compact", **common}
        return {
            "cleanup.policy": "delete",
            "retention.ms": str(self.retention_hours * HOUR_MS),
            **common,
        }


READINGS = Topic(
    "vitals.readings", (Upload, Tick),
    "What devices sent: one message an upload of one patient. Ticks mark the passing of time.",
    24 * 7,
)  # fmt: skip
EVENTS = Topic(
    "vitals.events", (Event,),
    "Episodes as they open, change and close.", 24 * 30,
)  # fmt: skip
ALERTS = Topic(
    "vitals.alerts", (Alert,),
    "Events in words, for the care team and the patient.", 24 * 30,
)  # fmt: skip
ACTIONS = Topic(
    "vitals.actions", (Action,),
    "What people did: acknowledge, resolve, comment, ask for help.", 24 * 30,
)  # fmt: skip
DEADLETTER = Topic(
    "vitals.deadletter", (),
    "Messages that a worker could not take, byte for byte, with the reason in the headers. "
    "Keyed as the original was.", 24 * 30, partitions=1,
)  # fmt: skip
DIRECTORY = Topic(
    "vitals.directory", (DirectoryEntry,),
    "Who is enrolled and which device may send for whom; no names. Keyed by entry.",
    0, public=False, compacted=True, partitions=1,
)  # fmt: skip

TOPICS: MappingProxyType[str, Topic] = MappingProxyType(
    {
        topic.name: topic
        for topic in (READINGS, EVENTS, ALERTS, ACTIONS, DEADLETTER, DIRECTORY)
    }
)  # fmt: skip


def create_missing(settings: Settings) -> list[str]:
    """Create every topic that the broker lacks and return their names. Safe to repeat.

    A topic that is there already is left as it is, its partitions and settings too.

    Raises:
        UnavailableError: the broker does not answer within ``VIGIL_STARTUP_TIMEOUT_SECONDS``.
        SettingsError: the broker has not as many nodes as ``VIGIL_REPLICATION`` asks for.
    """
    from kafka.admin import NewTopic  # noqa: PLC0415  (slow to import; only this function needs it)
    from kafka.errors import (  # noqa: PLC0415
        InvalidReplicationFactorError,
        KafkaError,
        TopicAlreadyExistsError,
    )

    from vigil.broker import open_admin, unavailable  # noqa: PLC0415

    created = []
    try:
        with open_admin(settings) as admin:
            existing = set(admin.list_topics())
            for topic in TOPICS.values():
                if topic.name in existing:
                    continue
                new = NewTopic(
                    topic.name,
                    topic.partitions or settings.partitions,
                    settings.replication,
                    topic_configs=topic.config(),
                )
                try:
                    admin.create_topics([new])
                except TopicAlreadyExistsError:  # another process was quicker
                    continue
                created.append(topic.name)
    except InvalidReplicationFactorError as error:
        raise SettingsError(
            f"The broker cannot keep {settings.replication} copies of a topic.",
            code="settings.invalid",
            field="VIGIL_REPLICATION",
            mend="Ask for no more than there are brokers.",
        ) from error
    except KafkaError as error:
        raise unavailable(settings, type(error).__name__) from error
    return created
