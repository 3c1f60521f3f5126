"""The delivery log, which is also the queue: what is to be sent, to whom, and the outcome.

    pending ──► sent       the push service or the on-call service accepted it
       │──────► failed     tried; refused permanently, or not accepted before it expired
       └──────► dropped    not sent: acknowledged, ended or expired first

A row is *claimed* by incrementing ``attempts`` and moving ``next_try_at`` one lease ahead, in one
statement that no other worker can share. The row of a process that dies with a claim is due again
when the lease ends: sent at least once, and the phone shows a repeat in place of the first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import sql

from store.database import extreme_times
from store.database.connections import Connection
from store.queries import query
from vigil.domain import ids
from vigil.domain.kinds import Priority

Channel = Literal["web_push", "on_call"]
Reason = Literal[
    "opened",
    "raised",
    "worse",
    "joined",
    "continues",
    "withdrawn",
    "corrected",
    "need_help",
    "escalated",
]
Result = Literal["sent", "failed", "dropped"]

_OBSOLETE = sql.SQL("""
    CASE
        WHEN d.expires_at <= %(now)s THEN 'out of date'
        WHEN d.channel = 'on_call' AND e.acknowledged_at >= d.made_at
            AND e.acknowledged_at <= %(now)s + interval '1 day' THEN 'acknowledged'
        WHEN d.reason NOT IN ('withdrawn', 'corrected', 'need_help', 'escalated')
            AND e.closed_at IS NOT NULL
            THEN 'episode ended'
        WHEN d.reason IN ('withdrawn', 'corrected') AND NOT EXISTS (
            SELECT FROM deliveries p
            WHERE p.event_id = d.event_id AND p.channel = d.channel AND p.recipient = d.recipient
              AND p.reason NOT IN ('withdrawn', 'corrected', 'need_help', 'escalated')
              AND (p.state = 'sent' OR p.attempts > 0 AND p.state <> 'failed')
        ) THEN 'nobody was paged'
    END
""")
"""Why a pending delivery is obsolete; null: it is not.

An acknowledgement covers what was published before it and no later step, and applies to the staff's
pages only; one dated a day or more ahead covers nothing. What a person requested (help,
an escalation) does not end with the episode. That its readings were withdrawn is of use only to
whom a page about it reached.
"""


@dataclass(frozen=True, slots=True)
class PlannedDelivery:
    """A delivery to make; its id follows from its cause, channel and recipient."""

    cause: str
    """The alert's step or the action that it notifies of: each cause is notified once."""
    alert_id: str
    episode_id: str
    patient_id: str
    sequence: int
    channel: Channel
    recipient: str
    priority: Priority
    kind: str
    reason: Reason
    made_at: datetime
    """When the message that it notifies of was published."""
    expires_at: datetime
    synthetic: bool
    happened_at: datetime
    """The event time of what it notifies of."""
    time_uncertain: bool = False
    """Whether the device's clock is wrong, so that ``happened_at`` is not to be relied on."""
    because: str = ""
    """Why readings were withdrawn; else empty."""

    @property
    def delivery_id(self) -> str:
        """Derived from content, so that planning again lands on the same row."""
        return ids.derive("delivery", self.cause, self.channel, self.recipient)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A claimed delivery, with what its channel needs to send it."""

    delivery_id: str
    alert_id: str
    episode_id: str
    patient_id: str
    recipient: str
    priority: Priority
    kind: str
    reason: Reason
    made_at: datetime
    expires_at: datetime
    happened_at: datetime
    """The event time of what it notifies of; that of publication, of an earlier version."""
    time_uncertain: bool
    attempts: int
    """This one included."""
    synthetic: bool
    ward: str
    """Empty where the patient is not known here."""
    locale: str
    endpoint: str | None
    """Of an active push subscription that still belongs to this patient; None: there is none."""
    p256dh: str | None
    auth: str | None
    because: str = ""
    """Why readings were withdrawn; else empty."""


@dataclass(frozen=True, slots=True)
class Paged:
    """Who was paged about an episode, on a channel, and of what time the first page was."""

    recipient: str
    happened_at: datetime


def paged(
    connection: Connection, episode_ids: Iterable[str], channel: Channel
) -> dict[str, list[Paged]]:
    """Episode id → whom a page about it reached on a channel, or may still reach."""
    rows = connection.execute(
        """
        SELECT event_id, recipient, min(coalesce(happened_at, made_at)) AS happened_at
        FROM deliveries
        WHERE event_id = ANY(%s) AND channel = %s AND state IN ('pending', 'sent')
          AND reason NOT IN ('withdrawn', 'corrected', 'need_help', 'escalated')
        GROUP BY event_id, recipient ORDER BY recipient
        """,
        (sorted(episode_ids), channel),
    )
    found: dict[str, list[Paged]] = {}
    for row in rows:
        found.setdefault(row["event_id"], []).append(Paged(row["recipient"], row["happened_at"]))
    return found


def plan(connection: Connection, rows: Iterable[PlannedDelivery], now: datetime) -> int:
    """Write deliveries to be sent; existing ones stay as they are.

    Returns how many are new.
    """
    values = [
        {**asdict(row), "delivery_id": row.delivery_id, "now": now}
        for row in sorted(rows, key=lambda row: row.delivery_id)
    ]
    if not values:
        return 0
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            INSERT INTO deliveries
                (delivery_id, alert_id, event_id, patient_id, sequence, channel, recipient,
                 priority, kind, reason, made_at, expires_at, synthetic, happened_at,
                 time_uncertain, because, state, next_try_at)
            VALUES
                (%(delivery_id)s, %(alert_id)s, %(episode_id)s, %(patient_id)s, %(sequence)s,
                 %(channel)s, %(recipient)s, %(priority)s, %(kind)s, %(reason)s, %(made_at)s,
                 %(expires_at)s, %(synthetic)s, %(happened_at)s, %(time_uncertain)s, %(because)s,
                 'pending', %(now)s)
            ON CONFLICT (delivery_id) DO NOTHING
            """,
            values,
        )
        return max(0, cursor.rowcount)


def claim(
    connection: Connection, channel: Channel, now: datetime, lease: timedelta
) -> Delivery | None:
    """Claim the most urgent delivery that is due on a channel; None: nothing is due.

    No other worker can claim it before ``lease`` has passed.
    """
    row = connection.execute(
        sql.SQL(
            """
            WITH due AS (
                SELECT d.delivery_id FROM deliveries d
                LEFT JOIN paged_episodes e USING (event_id)
                WHERE d.state = 'pending' AND d.channel = %(channel)s
                  AND d.next_try_at <= %(now)s AND {obsolete} IS NULL
                ORDER BY d.priority = 'high' DESC, d.next_try_at
                LIMIT 1
                FOR UPDATE OF d SKIP LOCKED
            ), claimed AS (
                UPDATE deliveries d
                SET attempts = d.attempts + 1, next_try_at = %(now)s + %(lease)s
                FROM due WHERE d.delivery_id = due.delivery_id
                RETURNING d.*
            )
            SELECT c.delivery_id, c.alert_id, c.event_id AS episode_id, c.patient_id, c.recipient,
                   c.priority, c.kind, c.reason, c.made_at, c.expires_at,
                   coalesce(c.happened_at, c.made_at) AS happened_at, c.time_uncertain, c.attempts,
                   c.because, coalesce(p.ward, '') AS ward, coalesce(p.locale, 'en') AS locale,
                   c.synthetic OR coalesce(p.synthetic, false) AS synthetic,
                   s.endpoint, s.p256dh, s.auth
            FROM claimed c
            LEFT JOIN patients p USING (patient_id)
            LEFT JOIN (push_subscriptions s JOIN phones o USING (phone_id))
                ON s.subscription_id = c.recipient AND s.ended_at IS NULL
                AND o.patient_id = c.patient_id AND o.revoked_at IS NULL
            """
        ).format(obsolete=_OBSOLETE),
        {"channel": channel, "now": now, "lease": lease},
    ).fetchone()
    return Delivery(**row) if row else None


def finish(
    connection: Connection, delivery_id: str, result: Result, detail: str, now: datetime
) -> None:
    """Record the outcome of a delivery.

    ``sent`` is recorded whatever was decided meanwhile; any other result only for a delivery that
    is still pending.
    """
    connection.execute(
        """
        UPDATE deliveries SET state = %(result)s, detail = %(detail)s, finished_at = %(now)s
        WHERE delivery_id = %(id)s
          AND (state = 'pending' OR (%(result)s = 'sent' AND state <> 'sent'))
        """,
        {"result": result, "detail": detail, "now": now, "id": delivery_id},
    )


def retry(connection: Connection, delivery_id: str, at: datetime, detail: str) -> None:
    """Put a delivery back into the queue, to be retried at a time."""
    connection.execute(
        "UPDATE deliveries SET next_try_at = %s, detail = %s"
        " WHERE delivery_id = %s AND state = 'pending'",
        (at, detail, delivery_id),
    )


def drop_obsolete(connection: Connection, now: datetime) -> dict[str, int]:
    """End the pending deliveries that are obsolete; returns how many, by their new state.

    One that was tried and not accepted before it expired has failed; the others are dropped.
    """
    rows = connection.execute(
        sql.SQL(
            """
            WITH obsolete AS (
                SELECT d.delivery_id, {obsolete} AS why FROM deliveries d
                LEFT JOIN paged_episodes e USING (event_id)
                WHERE d.state = 'pending' AND {obsolete} IS NOT NULL
                FOR UPDATE OF d SKIP LOCKED
            )
            UPDATE deliveries d
            SET finished_at = %(now)s,
                state = CASE WHEN why = 'out of date' AND attempts > 0
                        THEN 'failed' ELSE 'dropped' END,
                detail = CASE WHEN d.detail = '' THEN why ELSE why || '; ' || d.detail END
            FROM obsolete WHERE obsolete.delivery_id = d.delivery_id
            RETURNING d.state
            """
        ).format(obsolete=_OBSOLETE),
        {"now": now},
    ).fetchall()
    states = [row["state"] for row in rows]
    return {state: states.count(state) for state in set(states)}


@dataclass(frozen=True, slots=True)
class Backlog:
    """Deliveries waiting to be sent."""

    pending: int
    oldest_seconds: float
    """Age of the oldest one since it was published; 0: none is waiting."""


def backlog(connection: Connection, now: datetime) -> Backlog:
    """How many deliveries are waiting, and for how long."""
    row = connection.execute(
        "SELECT count(*) AS pending, min(made_at) AS oldest FROM deliveries WHERE state = 'pending'"
    ).fetchone()
    assert row is not None  # noqa: S101  (an aggregate always has a row)
    oldest = row["oldest"]
    return Backlog(row["pending"], max(0.0, (now - oldest).total_seconds()) if oldest else 0.0)


def newest(
    connection: Connection, limit: int = 20, episode_id: str | None = None
) -> list[dict[str, Any]]:
    """The log, newest first: recipient, state, times and the phone's receipt of each delivery."""
    which = "deliveries/newest" if episode_id is None else "deliveries/newest_of_episode"
    with connection.cursor() as cursor:
        return extreme_times.fetch_all_blocking(
            cursor, query(which), {"episode": episode_id, "limit": limit}
        )
