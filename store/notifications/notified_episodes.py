"""What the notify worker knows about each episode: the priority notified, when it was last paged
and acknowledged, and what ended it.

The facts come from two topics that may be read in any order (an acknowledgement can be read before
the alert that it answers), and two workers may read one each: so the rows are locked while a batch
is decided on (:mod:`notify.planning.policy`), and each write merges facts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from psycopg.types.json import Jsonb

from store.database.connections import Connection
from vigil.domain.kinds import Priority


class Worsening(msgspec.Struct, frozen=True):
    """A step that is worse than the one before, or in which a further finding of high priority
    joined, of an episode that nobody had acknowledged as far as is known. It pages if it turns out
    that somebody had."""

    sequence: int
    priority: Priority
    kind: str
    time: datetime
    """Event time."""
    published: datetime
    synthetic: bool
    time_uncertain: bool
    reason: Literal["worse", "joined"] = "worse"


@dataclass(frozen=True, slots=True)
class PagedEpisode:
    """An episode, as far as paging is concerned."""

    notified: Priority | None = None
    """The priority that people know of: it rises with a page and falls with the episode; None:
    nobody was notified."""
    sequence: int = -1
    """The last step that was decided on; -1: none."""
    paged_at: datetime | None = None
    """When the alert that was last paged was published."""
    acknowledged_at: datetime | None = None
    """The newest acknowledgement by staff."""
    patient_notified: bool = False
    """Whether a page went to the patient's phone."""
    worsening: Worsening | None = None
    """The newest one since the last page."""


UNKNOWN = PagedEpisode()
"""An episode that nothing is known of."""


def lock_episodes(
    connection: Connection, episode_ids: Iterable[str], now: datetime, *, add: Iterable[str] = ()
) -> dict[str, PagedEpisode]:
    """Episode id → what is known of it, locked until the end of the transaction. Absent: nothing.

    An acknowledgement that is dated a day or more ahead covers nothing.

    Args:
        add: those that get a row if they have none, so that they too are locked.
    """
    _execute_many(
        connection,
        "INSERT INTO paged_episodes (event_id) VALUES (%s) ON CONFLICT DO NOTHING",
        [(one,) for one in sorted(set(add))],
    )
    rows = connection.execute(
        """
        SELECT event_id, told, coalesce(sequence, -1) AS sequence, paged_at, worse,
               CASE WHEN acknowledged_at <= %s + interval '1 day' THEN acknowledged_at END
                   AS acknowledged_at,
               EXISTS (
                   SELECT FROM deliveries d
                   WHERE d.event_id = e.event_id AND d.channel = 'web_push'
               ) AS patient_notified
        FROM paged_episodes e WHERE event_id = ANY(%s) ORDER BY event_id FOR UPDATE
        """,
        (now, list(episode_ids)),
    )
    return {
        row["event_id"]: PagedEpisode(
            notified=row["told"],
            sequence=row["sequence"],
            paged_at=row["paged_at"],
            acknowledged_at=row["acknowledged_at"],
            patient_notified=row["patient_notified"],
            worsening=msgspec.convert(row["worse"], Worsening | None),
        )
        for row in rows
    }


def record_episodes(connection: Connection, known: Mapping[str, PagedEpisode]) -> None:
    """Store what is known of episodes. What an earlier step led to does not replace what a later
    one did, and of two acknowledgements the newer counts."""
    _execute_many(
        connection,
        """
        INSERT INTO paged_episodes AS e (
            event_id, told, sequence, paged_at, worse, acknowledged_at
        )
        VALUES (%s, %s, %s, %s, %s, %s)
        ON CONFLICT (event_id) DO UPDATE
        SET (told, sequence, paged_at, worse) = (
                SELECT EXCLUDED.told, EXCLUDED.sequence, EXCLUDED.paged_at, EXCLUDED.worse
                WHERE EXCLUDED.sequence >= coalesce(e.sequence, -1)
                UNION ALL
                SELECT e.told, e.sequence, e.paged_at, e.worse
                WHERE EXCLUDED.sequence < coalesce(e.sequence, -1)
            ),
            acknowledged_at = GREATEST(e.acknowledged_at, EXCLUDED.acknowledged_at)
        """,
        [
            (
                episode_id,
                one.notified,
                one.sequence,
                one.paged_at,
                Jsonb(msgspec.to_builtins(one.worsening)) if one.worsening else None,
                one.acknowledged_at,
            )
            for episode_id, one in sorted(known.items())
        ],
    )


def record_closed(connection: Connection, episode_ids: Iterable[str], now: datetime) -> None:
    """Store that episodes have ended. One that nobody was notified of needs no row."""
    connection.execute(
        "UPDATE paged_episodes SET closed_at = %s WHERE event_id = ANY(%s) AND closed_at IS NULL",
        (now, sorted(episode_ids)),
    )


def record_reopened(connection: Connection, episode_ids: Iterable[str]) -> None:
    """Store that episodes go on after all, as after a withdrawal of what had ended them."""
    found = sorted(episode_ids)
    if found:
        connection.execute(
            "UPDATE paged_episodes SET closed_at = NULL"
            " WHERE event_id = ANY(%s) AND closed_at IS NOT NULL",
            (found,),
        )


def _execute_many(connection: Connection, statement: str, rows: list[tuple[object, ...]]) -> None:
    """Takes rows in the order of their keys, so that two workers cannot deadlock."""
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)
