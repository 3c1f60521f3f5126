"""The patient's phone: enrolled by a one-time link, authenticated by a token, reached by Web Push.

Links and tokens are 256 random bits; only their SHA-256 is stored, so that neither can be used by a
reader of the database. These are the web process's queries; the notify worker's are in
:mod:`store.notifications.subscriptions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from datetime import datetime
from hashlib import sha256
from secrets import token_urlsafe
from typing import Any, Literal

import psycopg
from psycopg.rows import DictRow

from store.database.fetching import fetch_rows
from store.queries import query
from vigil.domain import ids

AsyncConnection = psycopg.AsyncConnection[DictRow]
Link = Literal["open", "used", "expired", "unknown"]
_BITS_IN_BYTES = 32
_ROWS_LOOKED_AT = 400


@dataclass(frozen=True, slots=True)
class Phone:
    """An enrolled phone and its patient."""

    phone_id: str
    patient_id: str
    locale: str
    synthetic: bool


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's push endpoint, and the keys that messages are encrypted with (RFC 8291)."""

    endpoint: str
    p256dh: str
    auth: str


def digest(secret: str) -> str:
    """The stored digest of a link's code or a phone's token."""
    return sha256(secret.encode()).hexdigest()


async def create_enrolment(
    connection: AsyncConnection, patient_id: str, created_by: str, expires_at: datetime
) -> str:
    """Make a one-time link's code for a patient. It is returned once and cannot be read again.

    Args:
        created_by: the user's id.
        expires_at: the link is invalid from then on, used or not.
    """
    code = token_urlsafe(_BITS_IN_BYTES)
    await connection.execute(
        "INSERT INTO enrolments (code_sha256, patient_id, created_by, expires_at)"
        " VALUES (%s, %s, %s, %s)",
        (digest(code), patient_id, created_by, expires_at),
    )
    return code


async def link_status(connection: AsyncConnection, code: str, now: datetime) -> Link:
    """The state of a link, without using it."""
    cursor = await connection.execute(
        "SELECT used_at, expires_at FROM enrolments JOIN patients USING (patient_id)"
        " WHERE code_sha256 = %s AND active",
        (digest(code),),
    )
    row = await cursor.fetchone()
    if row is None:
        return "unknown"
    if row["used_at"] is not None:
        return "used"
    return "open" if row["expires_at"] > now else "expired"


async def redeem(
    connection: AsyncConnection, code: str, now: datetime, replaced: Phone | None = None
) -> str | None:
    """Use a link: make this phone the patient's and return the phone's token.

    Args:
        replaced: the same browser's earlier enrolment, which ends.

    Returns:
        The token; None if the link is not open. Of two concurrent calls one gets the token.
    """
    token = token_urlsafe(_BITS_IN_BYTES)
    async with connection.transaction():
        cursor = await connection.execute(
            """
            UPDATE enrolments e SET used_at = %(now)s
            FROM patients p
            WHERE e.code_sha256 = %(code)s AND e.used_at IS NULL AND e.expires_at > %(now)s
              AND p.patient_id = e.patient_id AND p.active
            RETURNING e.patient_id
            """,
            {"code": digest(code), "now": now},
        )
        row = await cursor.fetchone()
        if row is None:
            return None
        if replaced is not None:
            await revoke(connection, replaced.phone_id, because="enrolled again", now=now)
        await connection.execute(
            "INSERT INTO phones (phone_id, token_sha256, patient_id, created_at)"
            " VALUES (%s, %s, %s, %s)",
            (ids.derive("phone", digest(token)), digest(token), row["patient_id"], now),
        )
    return token


async def phone_by_token(connection: AsyncConnection, token: str) -> Phone | None:
    """The phone with a token; None: no such phone, or it was revoked."""
    cursor = await connection.execute(
        "SELECT phone_id, patient_id, locale, synthetic FROM phones"
        " JOIN patients USING (patient_id)"
        " WHERE token_sha256 = %s AND revoked_at IS NULL AND active",
        (digest(token),),
    )
    row = await cursor.fetchone()
    return Phone(**row) if row else None


async def revoke(connection: AsyncConnection, phone_id: str, because: str, now: datetime) -> None:
    """Revoke a phone: its token is invalid, and nothing more is pushed to it."""
    await connection.execute(
        "UPDATE phones SET revoked_at = %s WHERE phone_id = %s AND revoked_at IS NULL",
        (now, phone_id),
    )
    await unsubscribe(connection, phone_id, because=because, now=now)


async def subscribe(
    connection: AsyncConnection, phone_id: str, subscription: Subscription, now: datetime
) -> None:
    """Make this the only push subscription of a phone. Safe to repeat.

    A browser's endpoint belongs to the phone that registered it last: it moves with the browser.
    """
    ident = ids.derive("subscription", subscription.endpoint)
    async with connection.transaction():
        await connection.execute(
            "UPDATE push_subscriptions SET ended_at = %s, ended_because = 'replaced'"
            " WHERE phone_id = %s AND subscription_id <> %s AND ended_at IS NULL",
            (now, phone_id, ident),
        )
        await connection.execute(
            """
            INSERT INTO push_subscriptions
                (subscription_id, phone_id, endpoint, p256dh, auth, created_at)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT (subscription_id) DO UPDATE
            SET phone_id = EXCLUDED.phone_id, p256dh = EXCLUDED.p256dh, auth = EXCLUDED.auth,
                ended_at = NULL, ended_because = NULL
            """,
            (ident, phone_id, *astuple(subscription), now),
        )


async def unsubscribe(
    connection: AsyncConnection, phone_id: str, because: str, now: datetime
) -> None:
    """Push nothing more to a phone; it stays enrolled and can read its messages."""
    await connection.execute(
        "UPDATE push_subscriptions SET ended_at = %s, ended_because = %s"
        " WHERE phone_id = %s AND ended_at IS NULL",
        (now, because, phone_id),
    )


async def record_receipt(
    connection: AsyncConnection, delivery_id: str, phone_id: str, now: datetime
) -> bool:
    """Record that a phone showed a message; the first time counts.

    Returns False if that delivery was not to this phone.
    """
    cursor = await connection.execute(
        """
        UPDATE deliveries SET shown_at = coalesce(shown_at, %s)
        WHERE delivery_id = %s AND channel = 'web_push' AND recipient IN
            (SELECT subscription_id FROM push_subscriptions WHERE phone_id = %s)
        """,
        (now, delivery_id, phone_id),
    )
    return cursor.rowcount == 1


async def messages(
    connection: AsyncConnection, patient_id: str, limit: int
) -> list[dict[str, Any]]:
    """A patient's messages in their newest revision: open episodes first, then the newest.

    Those that a phone is notified of: clinical, of high or medium priority at some step, and not
    retrospective. ``texts`` is the patient's text by locale; the care team's never leaves the
    database.
    """
    values = {"patient": patient_id, "limit": limit, "rows": _ROWS_LOOKED_AT}
    return await fetch_rows(connection, query("phones/messages"), values)


async def answers(
    connection: AsyncConnection, patient_id: str, episode_ids: Sequence[str]
) -> list[dict[str, Any]]:
    """The patient's replies to these events, and the staff's acknowledgements; oldest first."""
    values = {"patient": patient_id, "ids": list(episode_ids)}
    return await fetch_rows(connection, query("phones/answers"), values)
