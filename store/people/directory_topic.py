"""The content of the directory topic, and its conflicts with the tables.

The tables are authoritative, unless they are older than what was published from them: a database
restored from a backup lacks devices that ingest still accepts, and would accept again devices that
were revoked since. Each entry on the topic has the time of its change. An entry that is newer there
than in the tables, or that the tables lack, is not overwritten but stored as a conflict, for a
person to resolve.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kafka import TopicPartition

from store.database.connections import Connection, notify_directory, translated
from vigil.contracts import wire
from vigil.contracts.topics import DIRECTORY
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.domain.encoding import encode
from vigil.kafka import partition_reader
from vigil.service.errors import WireError
from vigil.values.clock import EARLIEST

CHANGED_AT = "ce_time"
"""Header: when the entry's row was changed, by the database's clock."""
Entry = PatientEntry | DeviceEntry


@dataclass(frozen=True, slots=True)
class Published:
    """An entry, and when its row was changed; None: the topic has no time for it."""

    entry: Entry
    changed_at: datetime | None


def entry_key(entry: Entry) -> str:
    """The message key."""
    if isinstance(entry, PatientEntry):
        return f"patient:{entry.patient_id}"
    return f"device:{entry.device_id}"


def message(published: Published, source: str) -> wire.Outgoing:
    """The entry as it goes onto the topic."""
    return wire.to_directory_message(published.entry, published.changed_at or EARLIEST, source)


def read_topic(consumer: Any) -> dict[str, Published]:
    """Message key → entry: the topic's content now. The consumer is assigned to it.

    Raises:
        KafkaError: the broker does not answer.
    """
    found: dict[str, Published] = {}
    for record in partition_reader.read_retained(consumer, TopicPartition(DIRECTORY.name, 0)):
        key = (record.key or b"").decode("utf-8", "replace")
        if not record.value:
            found.pop(key, None)
            continue
        try:
            entry = wire.decode(DIRECTORY.name, record.value, record.headers)
        except WireError:  # ingest ignores it too
            continue
        if isinstance(entry, PatientEntry | DeviceEntry):
            found[entry_key(entry)] = Published(entry, _changed_at(record))
    return found


def _changed_at(record: Any) -> datetime | None:
    text = wire.header(record.headers, CHANGED_AT)
    try:
        moment = datetime.fromisoformat(text) if text else None
    except ValueError:
        return None
    return moment if moment is not None and moment.tzinfo is not None else None


def find_conflicts(
    topic: Mapping[str, Published], tables: Mapping[str, Published]
) -> dict[str, Published]:
    """Message key → entry of the topic that must not be overwritten from the tables."""
    found = {}
    for key, there in topic.items():
        here = tables.get(key)
        if here is None:
            if there.entry.active:
                found[key] = there
        elif there.entry != here.entry and _newer(there, here):
            found[key] = there
    return found


def _newer(there: Published, here: Published) -> bool:
    if there.changed_at is None or here.changed_at is None:
        return False
    return there.changed_at > here.changed_at


def store_conflicts(connection: Connection, found: Mapping[str, Published]) -> None:
    """Replace the stored conflicts by these."""
    with translated(), connection.transaction():
        connection.execute(
            "DELETE FROM directory_conflicts WHERE entry <> ALL (%s)", (list(found),)
        )
        for key in sorted(found):
            connection.execute(
                "INSERT INTO directory_conflicts (entry, content, changed_at) VALUES (%s, %s, %s)"
                " ON CONFLICT (entry) DO UPDATE SET content = EXCLUDED.content,"
                " changed_at = EXCLUDED.changed_at",
                (key, encode(found[key].entry).decode(), found[key].changed_at),
            )


@dataclass(frozen=True, slots=True)
class Conflict:
    """An entry for a person to resolve."""

    entry: str
    active: bool
    """On the topic, and so at every ingest process."""
    known: bool
    """Whether the tables have it at all."""


_LIST = """
    SELECT c.entry, (c.content ->> 'active')::boolean IS NOT false AS active,
           p.patient_id IS NOT NULL OR d.device_id IS NOT NULL AS known
    FROM directory_conflicts c
    LEFT JOIN patients p ON c.entry = 'patient:' || p.patient_id
    LEFT JOIN devices d ON c.entry = 'device:' || d.device_id
    ORDER BY c.entry DESC
"""
_PATIENTS = """
    INSERT INTO patients AS p (patient_id, ward, locale, active, synthetic)
    SELECT content ->> 'patient_id', content ->> 'ward', coalesce(content ->> 'locale', 'en'),
           %(adopt)s AND (content ->> 'active')::boolean IS NOT false,
           coalesce((content ->> 'synthetic')::boolean, false)
    FROM directory_conflicts WHERE entry LIKE 'patient:%%'
    ON CONFLICT (patient_id) DO UPDATE
    SET ward = EXCLUDED.ward, locale = EXCLUDED.locale, active = EXCLUDED.active,
        changed_at = clock_timestamp()
"""
_DEVICES = """
    INSERT INTO devices AS d (device_id, label, key_sha256, patient_id, assigned_at,
                              clock_correction_seconds, active)
    SELECT content ->> 'device_id', 'from the directory', content ->> 'key_sha256',
           content ->> 'patient_id', (content ->> 'assigned_at')::timestamptz,
           coalesce((content ->> 'clock_correction_seconds')::integer, 0),
           %(adopt)s AND (content ->> 'active')::boolean IS NOT false
    FROM directory_conflicts WHERE entry LIKE 'device:%%'
    ON CONFLICT (device_id) DO UPDATE
    SET key_sha256 = EXCLUDED.key_sha256, patient_id = EXCLUDED.patient_id,
        clock_correction_seconds = EXCLUDED.clock_correction_seconds,
        assigned_at = coalesce(EXCLUDED.assigned_at, CASE
            WHEN d.patient_id IS DISTINCT FROM EXCLUDED.patient_id
            THEN (SELECT changed_at FROM directory_conflicts WHERE entry = 'device:' || d.device_id)
        END),
        active = EXCLUDED.active, changed_at = clock_timestamp()
"""


def list_conflicts(connection: Connection) -> list[Conflict]:
    """The stored conflicts; patients before their devices."""
    with translated():
        return [Conflict(**row) for row in connection.execute(_LIST)]


def resolve_conflicts(connection: Connection, *, adopt: bool) -> int:
    """Write every conflict's entry into the tables, as it is on the topic or as revoked.

    Returns:
        How many there were.
    """
    with translated(), connection.transaction():
        connection.execute(_PATIENTS, {"adopt": adopt})
        connection.execute(_DEVICES, {"adopt": adopt})
        gone = connection.execute("DELETE FROM directory_conflicts").rowcount
        if gone:
            notify_directory(connection)
    return gone
