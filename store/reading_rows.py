"""Readings as rows for the table, made straight from the uploads that carry them."""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable
from datetime import timedelta
from operator import attrgetter
from struct import Struct
from typing import Any

from msgspec.structs import replace

from store.reading_keys import split
from vigil.clock import EARLIEST
from vigil.handler import Received
from vigil.model import Measurement, Upload
from vigil.signals import NAMES

COLUMNS: tuple[tuple[str, str], ...] = (
    ("patient_id", "text"),
    ("device_id", "text"),
    ("received_at", "timestamptz"),
    ("synthetic", "bool"),
    ("time", "timestamptz"),
    ("reading_key", "int8"),
    ("reading_id", "text"),
    *((name, "float8") for name in NAMES),
    ("steps_per_min", "float8"),
    ("activity", "text"),
    ("contact", "bool"),
    ("posture", "text"),
)
"""Name and type of each field of a row. First stands what all readings of an upload share."""
AHEAD = timedelta(days=1)
"""A reading measured so long after it arrived is refused. The door is stricter; this keeps what
reaches the topic past the door from being ``latest`` for ever."""

_KNOWN = frozenset(NAMES)
_CONTEXT = attrgetter("steps_per_min", "activity", "contact", "posture")
_NUMBER = Struct(">q").unpack

Row = tuple[Any, ...]
Refuse = Callable[[Received, str], None]
"""To be told of a message, and why something in it is left out."""


def problem(upload: Upload, item: Measurement) -> str:
    """What keeps a reading out of the table; an empty string if nothing."""
    if not item.values.keys() <= _KNOWN:  # kept whole for a newer Vigil, whose table has the column
        return f"{len(item.values.keys() - _KNOWN)} of its signals are not in the signals table"
    if item.time < EARLIEST:
        return "it was measured before the year 2000"
    if item.time > upload.received_at and item.time > upload.received_at + AHEAD:
        return "it was measured more than a day after it arrived"
    return ""


def cleaned(received: Received, refuse: Refuse) -> Upload:
    """The upload that a message is, without what the table cannot hold."""
    upload: Upload = received.message  # type: ignore[assignment]
    problems = [problem(upload, item) for item in upload.measurements]
    if not any(problems):
        return upload
    for why in filter(None, problems):
        refuse(received, why)
    kept = (item for item, why in zip(upload.measurements, problems, strict=True) if not why)
    return replace(upload, measurements=tuple(kept))


def write_rows(upload: Upload, write: Callable[[Row], object]) -> bool:
    """Give ``write`` the row of each measurement, as :data:`COLUMNS` says.

    Returns:
        Whether that was all of them: not what :func:`cleaned` would leave out.
    """
    arrived, whole = upload.received_at, True
    shared = (upload.patient_id, upload.device_id, arrived, upload.synthetic)
    for item in upload.measurements:
        time, values = item.time, item.values
        # What `problem` asks, in place: this is done for every reading.
        if (
            time < EARLIEST
            or (time > arrived and time > arrived + AHEAD)
            or not _KNOWN.issuperset(values)
        ):
            whole = False
        else:
            identity = _identity(item.reading_id)
            write((*shared, time, *identity, *map(values.get, NAMES), *_CONTEXT(item.context)))
    return whole


def _identity(reading_id: str) -> tuple[int, str | None]:
    """What :func:`split` says, sooner for the ids that Vigil derives."""
    if len(reading_id) == 18 and reading_id[:2] == "r-" and reading_id.islower():
        try:
            return _NUMBER(unhexlify(reading_id[2:]))[0], None
        except ValueError:  # no hexadecimal number
            pass
    return split(reading_id)
