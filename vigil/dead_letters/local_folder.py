"""Dead letters that no broker accepts, in a folder of this machine: a file each, bounded, private.

A file's name is the dead letter's ``ce_id``, so that the same one is kept once. It is on the disk
before processing continues. What was kept is never dropped to make room: a dead letter for which
there is none is refused (:class:`FolderFullError`), and the caller reports the message's position.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from vigil.contracts import wire
from vigil.contracts.topics import DEAD_LETTERS
from vigil.values.clock import from_millis

if TYPE_CHECKING:
    from vigil.service.settings import Settings

MOST_FILES = 100_000
SUFFIX = ".letter"
_BLOCK = 4096
"""Bytes that a file may occupy beyond its size: it occupies whole blocks."""
COUNT_SECONDS = 10.0
"""How long a count is used before the folder is counted again: counting a full folder takes longer
than writing a dead letter, and few other processes write there."""


class FolderFullError(Exception):
    """There is no room for a dead letter, or its folder cannot be written to."""


class _File(msgspec.Struct, frozen=True):
    """The content of a file (MessagePack)."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    kept_at: int
    """Milliseconds since 1970."""


@dataclass(frozen=True, slots=True)
class LocalDeadLetter:
    """A dead letter in the folder."""

    path: Path
    message: wire.Outgoing
    timestamp: int
    """When it was written, in milliseconds since 1970."""


class LocalDeadLetters:
    """The dead letters of a folder.

    Args:
        largest_bytes: what all files together may occupy.
    """

    def __init__(self, folder: Path, largest_bytes: int):
        self.folder = folder
        self._largest = largest_bytes
        self._count = self._size = 0
        self._counted_at = float("-inf")

    @classmethod
    def from_settings(cls, settings: Settings) -> LocalDeadLetters:
        """The folder that the settings name."""
        return cls(broker_folder(settings), settings.deadletter_dir_bytes)

    def keep(self, dead_letter: wire.Outgoing, now_millis: int) -> None:
        """Write a dead letter, and return when it is on the disk. Safe to repeat.

        Raises:
            FolderFullError: there is no room, or the folder cannot be written to.
        """
        file = _File(
            key=dead_letter.key,
            value=dead_letter.value,
            headers=dead_letter.headers,
            kept_at=now_millis,
        )
        data = msgspec.msgpack.encode(file)
        path = self.folder / f"{_file_name(dead_letter)}{SUFFIX}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists():
                return
            self._refresh()
            size = self._size + len(data) + _BLOCK
            if self._count >= MOST_FILES or size > self._largest:
                raise FolderFullError(
                    f"{self.folder} is full: {self._count} dead letters, {self._size} bytes"
                )
            _write(path, data)
            self._count, self._size = self._count + 1, size
        except OSError as error:
            raise FolderFullError(f"{self.folder}: {error.strerror or error}") from error

    def read_all(self) -> Iterator[LocalDeadLetter]:
        """Every dead letter, in order of name. A file that is not ours is skipped."""
        try:
            paths = sorted(self.folder.glob(f"*{SUFFIX}"))
        except OSError:
            return
        for path in paths:
            try:
                found = msgspec.msgpack.decode(path.read_bytes(), type=_File)
            except (OSError, msgspec.DecodeError):
                continue
            message = wire.Outgoing(
                DEAD_LETTERS.name, key=found.key, value=found.value, headers=found.headers
            )
            timestamp = found.kept_at if from_millis(found.kept_at) else 0
            yield LocalDeadLetter(path, message, timestamp)

    def count(self) -> int:
        """How many there are."""
        try:
            self._refresh()
        except OSError:
            return 0
        return self._count

    def remove(self, kept: LocalDeadLetter) -> None:
        """Remove one that the broker has."""
        kept.path.unlink(missing_ok=True)
        self._counted_at = min(self._counted_at, time.monotonic() - COUNT_SECONDS)

    def _refresh(self) -> None:
        """Count the dead letters and their bytes, if that was not done just now."""
        now = time.monotonic()
        if now - self._counted_at >= COUNT_SECONDS:
            sizes = _read_sizes(self.folder)
            self._count, self._size = len(sizes), sum(sizes) + _BLOCK * len(sizes)
            self._counted_at = now


def _read_sizes(folder: Path) -> list[int]:
    """The size of each dead letter. One that another process removes meanwhile is left out."""
    sizes: list[int] = []
    if folder.exists():
        with os.scandir(folder) as found:
            for entry in found:
                if entry.name.endswith(SUFFIX):
                    with suppress(FileNotFoundError):
                        sizes.append(entry.stat().st_size)
    return sizes


def broker_folder(settings: Settings) -> Path:
    """The folder in which this machine keeps what belongs to one broker.

    A configured folder is taken to be for one broker. Below the default, which all of this user's
    installations share, each broker has its own: dead letters must not be sent to another.
    """
    if "deadletter_dir" in settings.model_fields_set:
        return settings.deadletter_dir.expanduser()
    broker = sha256(settings.kafka_bootstrap.encode()).hexdigest()[:12]
    return settings.deadletter_dir.expanduser() / broker


def _file_name(dead_letter: wire.Outgoing) -> str:
    """The dead letter's id, which is ours and safe as a file's name."""
    return wire.header(dead_letter.headers, "ce_id")


def _write(path: Path, data: bytes) -> None:
    """Write all of it, or nothing; it is on the disk when this returns."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
