"""What the notify worker remembers of each episode: how far it was told, and what has stopped it.

The facts come from two topics that may be read in any order (an acknowledgement can be seen before
the alert that it answers), so each write merges and none decides;
:mod:`store.notifications.deliveries` decides when a delivery is claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from store.database.connections import Connection
from vigil.domain.kinds import Priority


def told(connection: Connection, event_ids: Iterable[str]) -> dict[str, Priority]:
    """Event → the most urgent priority that was told of it; an event never told is absent."""
    rows = connection.execute(
        "SELECT event_id, told FROM paged_episodes WHERE event_id = ANY(%s) AND told IS NOT NULL",
        (list(event_ids),),
    )
    return {row["event_id"]: row["told"] for row in rows}


def tell(connection: Connection, levels: Mapping[str, Priority]) -> None:
    """Remember that these events were told at these priorities; never goes down."""
    _many(
        connection,
        """
        INSERT INTO paged_episodes AS e (event_id, told) VALUES (%s, %s)
        ON CONFLICT (event_id) DO UPDATE
        SET told = CASE WHEN e.told = 'high' THEN 'high' ELSE EXCLUDED.told END
        """,
        sorted(levels.items()),
    )


def acknowledge(connection: Connection, moments: Mapping[str, datetime]) -> None:
    """Remember until when each event was acknowledged; the latest counts."""
    _many(
        connection,
        """
        INSERT INTO paged_episodes AS e (event_id, acknowledged_at) VALUES (%s, %s)
        ON CONFLICT (event_id) DO UPDATE
        SET acknowledged_at = GREATEST(e.acknowledged_at, EXCLUDED.acknowledged_at)
        """,
        sorted(moments.items()),
    )


def close(connection: Connection, event_ids: Iterable[str], now: datetime) -> None:
    """Remember that episodes have ended. One that nobody was told of needs no row."""
    connection.execute(
        "UPDATE paged_episodes SET closed_at = %s WHERE event_id = ANY(%s) AND closed_at IS NULL",
        (now, sorted(event_ids)),
    )


def _many(connection: Connection, statement: str, rows: list[tuple[str, object]]) -> None:
    """Rows in the order of their keys, so that two workers cannot lock each other out."""
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
