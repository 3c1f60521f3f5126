"""A patient's newest readings as people look through them, withdrawn ones among them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from store.database.connections import AsyncConnection
from store.database.fetching import fetch_rows
from store.queries import query
from store.readings.keys import join_id
from vigil.domain.signals import NAMES

AT_MOST = 100
"""Readings shown at once."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Who withdrew a reading, when and why."""

    actor: str
    time: datetime
    reason: str
    comment: str


@dataclass(frozen=True, slots=True)
class ListedReading:
    """A stored reading."""

    reading_id: str
    time: datetime
    received_at: datetime | None
    """None: withdrawn before it was stored."""
    device_id: str
    values: dict[str, float]
    withdrawn: Taken | None
    """None: it counts."""


async def newest_readings(
    connection: AsyncConnection,
    patient_id: str,
    *,
    device_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int = AT_MOST,
) -> list[ListedReading]:
    """The newest readings of a patient, the newest first.

    Args:
        device_id: of this device only.
        since: measured then or later.
        until: measured then or earlier.

    Raises:
        UnavailableError: the database does not answer.
    """
    values = {
        "patient": patient_id,
        "device": device_id,
        "since": since,
        "until": until,
        "limit": limit,
    }
    return [
        ListedReading(
            reading_id=join_id(row["reading_key"], row["reading_id"]),
            time=row["time"],
            received_at=row["received_at"],
            device_id=row["device_id"] or "",
            values={name: row[name] for name in NAMES if row[name] is not None},
            withdrawn=None
            if row["actor"] is None
            else Taken(row["actor"], row["withdrawn_at"], row["reason"], row["comment"]),
        )
        for row in await fetch_rows(connection, query("readings/newest"), values)
    ]
