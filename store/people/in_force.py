"""Whether every door knows what the tables hold: asked before "revoked" is said.

A change is committed to the tables; a store publishes it, and notes up to when the topic holds what
the tables held (``directory_published``); each door tells on ``vitals.status`` how far it has read
(the gauges ``directory_log`` and ``directory_offset``). It is in force once every door that was
heard of lately is past that place. A door that begins later reads the topic to its end before it
lets anybody in.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from zlib import crc32

from store.database.connections import Connection, notify_directory, translated
from store.workers.status_rows import Line, heard

OFFSET, LOG = "directory_offset", "directory_log"
"""Gauges of a door."""
SILENT = timedelta(seconds=60)
"""A door that has said nothing for so long has ended, or lets nobody in that it did not know."""
PATIENCE_SECONDS = 15.0
LATE_SECONDS = 20.0
"""Words of processes, which come every two seconds, are late where the newest is so old."""
SETTLE_SECONDS = 3.0
"""A door that was started a moment ago has not been heard of yet: its first word comes within half
a second, and through the store."""
PAUSE_SECONDS = 0.2


class Answer(NamedTuple):
    """Whether it is in force."""

    yes: bool
    why: str
    """If not: what it waits for, as a sentence."""
    doors: int = 0
    """How many were asked."""


def log_number(log_id: str) -> int:
    """Which log an offset counts in, as a figure."""
    return crc32(log_id.encode())


def wait(
    connection: Connection,
    seconds: float = PATIENCE_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> Answer:
    """Whether what is committed now is in force, waiting for so long.

    Args:
        connection: in autocommit, after the change was committed on it.
    """
    with translated():
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    with translated():  # the pass that the change itself asked for may have begun before now
        notify_directory(connection)
    committed, deadline = row["now"], time.monotonic() + seconds
    while True:
        answer = _ask(connection, committed)
        if answer.yes or time.monotonic() >= deadline:
            return answer
        pause(PAUSE_SECONDS)


def _ask(connection: Connection, committed: datetime) -> Answer:
    with translated():
        row = connection.execute(
            "SELECT (SELECT as_of FROM directory_published) AS as_of,"
            " (SELECT log_id FROM directory_published) AS log_id,"
            " (SELECT next_offset FROM directory_published) AS next_offset,"
            " (SELECT max(time) FROM service_status) AS newest, clock_timestamp() AS now"
        ).fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    if row["as_of"] is None and row["newest"] is None:
        return Answer(True, "")  # nothing of this database was ever told to a door
    if row["as_of"] is None or row["as_of"] < committed:
        return Answer(False, "No store has published it: `vigil run store` does.")
    if row["newest"] is None or (row["now"] - row["newest"]).total_seconds() > LATE_SECONDS:
        return Answer(False, "Nothing is heard of the doors: the store is behind, or has stopped.")
    doors = [line for line in heard(connection, row["now"] - SILENT) if OFFSET in line.gauges]
    number = log_number(row["log_id"])
    behind = [door for door in doors if not _past(door, number, row["next_offset"])]
    if behind:
        what = f"{len(behind)} of {len(doors)} doors have not read it yet."
        return Answer(False, what, len(doors))
    if (row["now"] - committed).total_seconds() < SETTLE_SECONDS:
        return Answer(False, "A door may just have been started.", len(doors))
    return Answer(True, "", len(doors))


def _past(door: Line, log: int, offset: int) -> bool:
    return door.gauges.get(LOG) == log and door.gauges[OFFSET] >= offset
