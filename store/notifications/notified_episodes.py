"""What the notify worker stores about each episode: the priority notified, and what ended it.

The facts come from two topics that may be read in any order (an acknowledgement can be read before
the alert that it answers), so each write merges facts and decides nothing;
:mod:`store.notifications.deliveries` decides when a delivery is claimed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from store.database.connections import Connection
from vigil.domain.kinds import Priority


def notified_levels(connection: Connection, episode_ids: Iterable[str]) -> dict[str, Priority]:
    """Episode id → the most urgent priority notified; absent: nobody was notified of it."""
    rows = connection.execute(
        "SELECT event_id, told FROM paged_episodes WHERE event_id = ANY(%s) AND told IS NOT NULL",
        (list(episode_ids),),
    )
    return {row["event_id"]: row["told"] for row in rows}


def record_notified(connection: Connection, levels: Mapping[str, Priority]) -> None:
    """Store that these events were notified at these priorities; a priority never goes down."""
    _execute_many(
        connection,
        """
        INSERT INTO paged_episodes AS e (event_id, told) VALUES (%s, %s)
        ON CONFLICT (event_id) DO UPDATE
        SET told = CASE WHEN e.told = 'high' THEN 'high' ELSE EXCLUDED.told END
        """,
        sorted(levels.items()),
    )


def record_acknowledged(connection: Connection, moments: Mapping[str, datetime]) -> None:
    """Store up to when each event was acknowledged; the latest time counts."""
    _execute_many(
        connection,
        """
        INSERT INTO paged_episodes AS e (event_id, acknowledged_at) VALUES (%s, %s)
        ON CONFLICT (event_id) DO UPDATE
        SET acknowledged_at = GREATEST(e.acknowledged_at, EXCLUDED.acknowledged_at)
        """,
        sorted(moments.items()),
    )


def record_closed(connection: Connection, episode_ids: Iterable[str], now: datetime) -> None:
    """Store that episodes have ended. One that nobody was notified of needs no row."""
    connection.execute(
        "UPDATE paged_episodes SET closed_at = %s WHERE event_id = ANY(%s) AND closed_at IS NULL",
        (now, sorted(episode_ids)),
    )


def _execute_many(connection: Connection, statement: str, rows: list[tuple[str, object]]) -> None:
    """Takes rows in the order of their keys, so that two workers cannot deadlock."""
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
