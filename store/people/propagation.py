"""Whether a change of the directory has reached every ingest process, before it is reported done.

A change is committed to the tables. A store publishes it, and records up to when the topic has the
content of the tables (``directory_published``). Each ingest process reports on ``vitals.status``
how far it has read (gauges ``directory_log`` and ``directory_offset``). The change is in force once
every process with a recent status has read past that offset. A process that starts later reads the
topic to its end before it accepts anything.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from zlib import crc32

from store.database.connections import Connection, notify_directory, translated
from store.workers.status_rows import Line, list_processes

OFFSET, LOG = "directory_offset", "directory_log"
"""Gauges of an ingest process."""
SILENT_AFTER = timedelta(seconds=60)
"""A process without a status for so long has ended, or accepts no device unknown to it."""
TIMEOUT_SECONDS = 15.0
LATE_SECONDS = 20.0
"""Status messages, which come every two seconds, are late if the newest is older than this."""
SETTLE_SECONDS = 3.0
"""A process that has just started has no status yet: its first message is sent within half a
second, and is stored by the store."""
PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Propagation:
    """Whether a change is in force."""

    complete: bool
    missing: str
    """If not: what is missing, as a sentence."""
    processes: int = 0
    """How many ingest processes were checked."""


def log_number(log_id: str) -> int:
    """The id of the log that an offset counts in, as a number."""
    return crc32(log_id.encode())


def wait_for_propagation(
    connection: Connection,
    seconds: float = TIMEOUT_SECONDS,
    pause: Callable[[float], None] = time.sleep,
) -> Propagation:
    """Wait until everything committed now is in force, at most so long.

    Args:
        connection: in autocommit, after the change was committed on it.
    """
    with translated():
        row = connection.execute("SELECT clock_timestamp() AS now").fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    with translated():  # the publication of the change itself may have begun before now
        notify_directory(connection)
    committed, deadline = row["now"], time.monotonic() + seconds
    while True:
        answer = _check(connection, committed)
        if answer.complete or time.monotonic() >= deadline:
            return answer
        pause(PAUSE_SECONDS)


def _check(connection: Connection, committed: datetime) -> Propagation:
    with translated():
        row = connection.execute(
            "SELECT (SELECT as_of FROM directory_published) AS as_of,"
            " (SELECT log_id FROM directory_published) AS log_id,"
            " (SELECT next_offset FROM directory_published) AS next_offset,"
            " (SELECT max(time) FROM service_status) AS newest, clock_timestamp() AS now"
        ).fetchone()
    assert row is not None  # noqa: S101  (a SELECT without FROM has one row)
    if row["as_of"] is None and row["newest"] is None:
        return Propagation(True, "")  # nothing of this database was ever published
    if row["as_of"] is None or row["as_of"] < committed:
        return Propagation(False, "No store has published it: `vigil run store` does.")
    if row["newest"] is None or (row["now"] - row["newest"]).total_seconds() > LATE_SECONDS:
        return Propagation(
            False, "No status of ingest arrives: the store is behind, or has stopped."
        )
    processes = [
        line
        for line in list_processes(connection, row["now"] - SILENT_AFTER)
        if OFFSET in line.gauges
    ]
    number = log_number(row["log_id"])
    behind = [
        process for process in processes if not _has_read(process, number, row["next_offset"])
    ]
    if behind:
        what = f"{len(behind)} of {len(processes)} ingest processes have not read it yet."
        return Propagation(False, what, len(processes))
    if (row["now"] - committed).total_seconds() < SETTLE_SECONDS:
        return Propagation(False, "An ingest process may just have been started.", len(processes))
    return Propagation(True, "", len(processes))


def _has_read(process: Line, log: int, offset: int) -> bool:
    return process.gauges.get(LOG) == log and process.gauges[OFFSET] >= offset
