"""Who is enrolled and which device may send for whom, kept in memory from ``vitals.directory``.

The topic is read from its beginning and then followed, so the door stays open while the database
is away, and the broker too (what was known stays known). Whether the log is still the one that was
read is asked every few seconds: another cluster id, or an end before our position, means that it
was made anew, and it is read again from the start beside the old one, which serves until then.
"""

from __future__ import annotations

import threading
import time
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from vigil import logs, wire
from vigil.broker import open_admin, open_consumer, unavailable
from vigil.errors import WireError
from vigil.model import DeviceEntry, PatientEntry
from vigil.topics import DIRECTORY

if TYPE_CHECKING:
    from vigil.settings import Settings

log = logs.get("directory")

PLACE = TopicPartition(DIRECTORY.name, 0)
CHECK_SECONDS = 2.0
PATIENCE_SECONDS = 5.0
"""How long one attempt to reach the broker may take, so that a request to stop is soon heard."""


class Book:
    """The directory as far as it was read."""

    def __init__(self) -> None:
        self.patients: dict[str, PatientEntry] = {}
        self._devices: dict[str, DeviceEntry] = {}
        self._by_digest: dict[str, DeviceEntry] = {}

    def put(self, entry: PatientEntry | DeviceEntry) -> None:
        """Add an entry, or replace the one of the same id: its old key is no key any more."""
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
        """The device that a key opens the door for, if it is active.

        Found by the key's digest: the time that the search takes tells nothing about any key,
        since nobody can choose a digest.
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
    """Follows the topic on a thread of its own; asked from any other."""

    def __init__(self, settings: Settings):
        self._settings = settings
        self._book = Book()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="directory", daemon=True)
        self.trouble: str | None = "not read yet"
        """Why nobody can be known now; None once the topic was read to its end."""

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End reading; what was known stays known."""
        self._stop.set()
        self._thread.join(PATIENCE_SECONDS)

    def device(self, key: str) -> DeviceEntry | None:
        """The active device of a key."""
        return self._book.device(key)

    def patient(self, patient_id: str) -> PatientEntry | None:
        """The patient, if enrolled now."""
        entry = self._book.patients.get(patient_id)
        return entry if entry is not None and entry.active else None

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._read()
            except Exception as error:  # whatever it is: a thread that ended would go unseen
                log.warning("the directory cannot be read now", error=type(error).__name__)
                self._stop.wait(0.5)

    def _read(self) -> None:
        """Read one log from its start for as long as it is the same log."""
        with (
            open_admin(self._settings, PATIENCE_SECONDS) as admin,
            closing(open_consumer(self._settings, None, PATIENCE_SECONDS)) as consumer,
        ):
            cluster, end = _cluster(admin), 0
            consumer.assign([PLACE])
            consumer.seek_to_beginning(PLACE)
            book = Book()
            checked = float("-inf")
            while not self._stop.is_set():
                if time.monotonic() - checked >= CHECK_SECONDS:
                    checked = time.monotonic()
                    before, end = end, self._end(consumer)
                    if _cluster(admin) != cluster or end < before:
                        log.warning("the directory's log was made anew; reading it again")
                        return
                self._take(book, consumer)
                # Tansu counts its last batch as one message in `end`; a fetch tells the true end.
                if consumer.position(PLACE) >= max(end, consumer.highwater(PLACE) or 0):
                    self._open(book)

    def _take(self, book: Book, consumer: Any) -> None:
        for raw in consumer.poll(timeout_ms=300).get(PLACE, ()):
            if not raw.value:
                book.drop((raw.key or b"").decode("utf-8", "replace"))
                continue
            try:
                entry = wire.decode(DIRECTORY.name, raw.value, raw.headers)
            except WireError as error:
                log.warning("a directory entry was skipped", code=error.code, offset=raw.offset)
                continue
            if isinstance(entry, PatientEntry | DeviceEntry):
                book.put(entry)

    def _open(self, book: Book) -> None:
        """The book was read to the end: ask it from now on.

        A log made anew is empty until its publisher has seen that; until then the old one serves,
        so that a broker that lost its memory does not turn known devices away.
        """
        if book is self._book or (not len(book) and len(self._book)):
            return
        self._book, self.trouble = book, None
        log.info("directory read", entries=len(book))

    def _end(self, consumer: Any) -> int:
        try:
            return int(consumer.end_offsets([PLACE])[PLACE])
        except KafkaError as error:
            raise unavailable(self._settings, type(error).__name__) from error


def _cluster(admin: Any) -> str:
    return str(admin.describe_cluster()["cluster_id"])
