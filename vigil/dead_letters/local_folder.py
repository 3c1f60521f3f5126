"""Dead letters that no broker takes, in a folder of this machine: one file each, bounded, private.

A file's name is the letter's ``ce_id``, so that the same letter is kept once. It is written to the
disk before anyone goes on. What was kept is never dropped to make room: a letter for which there is
none is refused (:class:`FullError`), and whoever calls says where the message stands.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from vigil.contracts import wire
from vigil.contracts.topics import DEADLETTER
from vigil.values.clock import from_millis

if TYPE_CHECKING:
    from vigil.service.settings import Settings

MOST_FILES = 100_000
SUFFIX = ".letter"
_ROOM = 4096
"""A file takes whole blocks of the disk."""
COUNT_SECONDS = 10.0
"""So long what was counted holds, but for what is done here: to count a full folder takes longer
than to write a letter, and other processes are few."""


class FullError(Exception):
    """There is no room for a letter, or its folder cannot be written to."""


class _File(msgspec.Struct, frozen=True):
    """What stands in a file (MessagePack)."""

    key: bytes | None
    value: bytes
    headers: list[tuple[str, bytes]]
    kept_at: int
    """Milliseconds since 1970."""


class Kept(NamedTuple):
    """A letter in the folder."""

    path: Path
    letter: wire.Outgoing
    timestamp: int
    """When it was written, in milliseconds since 1970."""


class LocalLetters:
    """The folder.

    Args:
        largest_bytes: what all files together may take.
    """

    def __init__(self, folder: Path, largest_bytes: int):
        self.folder = folder
        self._largest = largest_bytes
        self._count = self._size = 0
        self._counted_at = float("-inf")

    @classmethod
    def of(cls, settings: Settings) -> LocalLetters:
        """The one that the settings name."""
        return cls(folder_of(settings), settings.deadletter_dir_bytes)

    def keep(self, letter: wire.Outgoing, now_millis: int) -> None:
        """Write a letter, and return when the disk has it. Safe to repeat.

        Raises:
            FullError: there is no room, or the folder cannot be written to.
        """
        data = msgspec.msgpack.encode(_File(letter.key, letter.value, letter.headers, now_millis))
        path = self.folder / f"{_name(letter)}{SUFFIX}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.exists():
                return
            files, size = self._used()
            if files >= MOST_FILES or size + len(data) + _ROOM > self._largest:
                raise FullError(f"{self.folder} is full: {files} letters, {size} bytes")
            _write(path, data)
            self._count, self._size = files + 1, size + len(data) + _ROOM
        except OSError as error:
            raise FullError(f"{self.folder}: {error.strerror or error}") from error

    def all(self) -> Iterator[Kept]:
        """Every letter, in order of name. A file that is none of ours is passed over."""
        try:
            paths = sorted(self.folder.glob(f"*{SUFFIX}"))
        except OSError:
            return
        for path in paths:
            try:
                found = msgspec.msgpack.decode(path.read_bytes(), type=_File)
            except (OSError, msgspec.DecodeError):
                continue
            message = wire.Outgoing(DEADLETTER.name, found.key, found.value, found.headers)
            stamp = found.kept_at if from_millis(found.kept_at) else 0
            yield Kept(path, message, stamp)

    def count(self) -> int:
        """How many there are."""
        try:
            return self._used()[0]
        except OSError:
            return 0

    def remove(self, kept: Kept) -> None:
        """The broker has it."""
        kept.path.unlink(missing_ok=True)
        self._counted_at = min(self._counted_at, time.monotonic() - COUNT_SECONDS)

    def _used(self) -> tuple[int, int]:
        """How many letters there are, and their bytes."""
        now = time.monotonic()
        if now - self._counted_at >= COUNT_SECONDS:
            sizes = _sizes(self.folder)
            self._count, self._size = len(sizes), sum(sizes) + _ROOM * len(sizes)
            self._counted_at = now
        return self._count, self._size


def _sizes(folder: Path) -> list[int]:
    """Of each letter there is. One that another process removes meanwhile is none."""
    sizes: list[int] = []
    if folder.exists():
        with os.scandir(folder) as found:
            for entry in found:
                if entry.name.endswith(SUFFIX):
                    with suppress(FileNotFoundError):
                        sizes.append(entry.stat().st_size)
    return sizes


def folder_of(settings: Settings) -> Path:
    """Where this machine keeps what belongs to one broker.

    A folder that was named is taken to be for one broker. Below the default, which every Vigil of
    this user has, each broker has its own: letters must not go to another.
    """
    if "deadletter_dir" in settings.model_fields_set:
        return settings.deadletter_dir.expanduser()
    broker = sha256(settings.kafka_bootstrap.encode()).hexdigest()[:12]
    return settings.deadletter_dir.expanduser() / broker


def _name(letter: wire.Outgoing) -> str:
    """The letter's id, which is ours and safe as a file's name."""
    return wire.header(letter.headers, "ce_id")


def _write(path: Path, data: bytes) -> None:
    """All of it, or nothing; on the disk before this returns."""
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
