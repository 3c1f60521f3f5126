"""Who is enrolled and which device may send for whom, kept in memory from ``vitals.directory``.

The topic is consumed continuously (:mod:`vigil.kafka.compacted_topic`), so devices are recognised
while the database is unavailable, and the broker too. A log that was created anew is read in
parallel; the entries of the old one serve until it is read.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING
from zlib import crc32

from vigil.contracts.topics import DIRECTORY
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.kafka.compacted_topic import CompactedTopicReader
from vigil.service import logs

if TYPE_CHECKING:
    from vigil.contracts.wire import Carried
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("directory")


class Book:
    """The entries of the directory that were read so far."""

    def __init__(self) -> None:
        self.patients: dict[str, PatientEntry] = {}
        self._devices: dict[str, DeviceEntry] = {}
        self._by_digest: dict[str, DeviceEntry] = {}

    def add_entry(self, entry: PatientEntry | DeviceEntry) -> None:
        """Add an entry, or replace the one of the same id; a device's old key is void."""
        if isinstance(entry, PatientEntry):
            self.patients[entry.patient_id] = entry
        else:
            self._drop_device(entry.device_id)
            self._devices[entry.device_id] = entry
            self._by_digest[entry.key_sha256] = entry

    def drop(self, key: str) -> None:
        """Forget the entry of a message key, ``patient:…`` or ``device:…``."""
        kind, _, name = key.partition(":")
        if kind == "patient":
            self.patients.pop(name, None)
        else:
            self._drop_device(name)

    def device(self, key: str) -> DeviceEntry | None:
        """The active device of a key; None: there is none.

        It is found by the key's digest. The time of the search reveals nothing about any key, since
        nobody can choose a digest.
        """
        entry = self._by_digest.get(sha256(key.encode()).hexdigest())
        return entry if entry is not None and entry.active else None

    def _drop_device(self, device_id: str) -> None:
        entry = self._devices.pop(device_id, None)
        if entry is not None and self._by_digest.get(entry.key_sha256) is entry:
            del self._by_digest[entry.key_sha256]

    def __len__(self) -> int:
        return len(self.patients) + len(self._devices)


class Directory:
    """Consumes the topic on a background thread; may be queried from any other."""

    def __init__(self, settings: Settings, health: Health | None = None):
        self._book = Book()
        self._health = health
        self._topic_reader = CompactedTopicReader(
            settings, DIRECTORY, lambda: _Reading(self), name="directory"
        )
        self.trouble: str | None = "not read yet"
        """Why no device can be recognised now; None once the topic was read to its end."""

    def start(self) -> None:
        """Begin to read."""
        self._topic_reader.start()

    def stop(self) -> None:
        """End reading; what was known stays known."""
        self._topic_reader.stop()

    def unread(self) -> str | None:
        """Why what is new, a revoked key too, is not known now; None: it is."""
        return self._topic_reader.trouble()

    def device(self, key: str) -> DeviceEntry | None:
        """The active device of a key."""
        return self._book.device(key)

    def patient(self, patient_id: str) -> PatientEntry | None:
        """The patient, if enrolled now."""
        entry = self._book.patients.get(patient_id)
        return entry if entry is not None and entry.active else None

    def open(self, book: Book) -> None:
        """The book was read to the end: use it from now on.

        A log that was created anew is empty until its publisher has noticed; until then the old
        book serves, so that a broker that lost its data does not turn known devices away.
        """
        if book is self._book or (not len(book) and len(self._book)):
            return
        self._book, self.trouble = book, None
        log.info("directory read", entries=len(book))

    def report_position(self, book: Book) -> None:
        """Say how far the book that is asked was read: what is revoked before that place is."""
        place = self._topic_reader.position
        if self._health is not None and place is not None and book is self._book:
            self._health.gauge("directory_log", crc32(place[0].encode()))
            self._health.gauge("directory_offset", place[1])


class _Reading:
    """One log, into a book of its own; a :class:`vigil.kafka.compacted_topic.EntryConsumer`."""

    def __init__(self, directory: Directory):
        self._directory = directory
        self._book = Book()

    def apply_entry(self, entry: Carried) -> None:
        """An entry; the topic carries no other."""
        if isinstance(entry, PatientEntry | DeviceEntry):
            self._book.add_entry(entry)

    def delete_entry(self, key: str) -> None:
        """An entry was deleted."""
        self._book.drop(key)

    def reached_end(self) -> None:
        """The book is whole."""
        self._directory.open(self._book)
        self._directory.report_position(self._book)
