"""Signed-in sessions and failed sign-ins. The cookie holds a token, the table its SHA-256."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row, tuple_row

from store.database.connections import AsyncConnection, translated
from store.people.users import Role

LIFETIME = timedelta(hours=12)
"""A session ends so long after its last use: a shift."""
LONGEST = timedelta(days=7)
"""A session ends at the latest so long after it began."""
FAILURES_KEPT = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Session:
    """Someone who is signed in."""

    token_sha256: str
    user_id: str
    display_name: str
    role: Role
    csrf: str
    last_seen_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Backoff:
    """How failed sign-ins of one user slow down the next."""

    free: int = 5
    """So many may fail before the first wait."""
    first: timedelta = timedelta(seconds=30)
    """The first wait; each further failure doubles it."""
    longest: timedelta = timedelta(minutes=15)
    """The longest wait."""
    window: timedelta = timedelta(hours=1)
    """Older failures are not counted."""

    def wait(self, failures: int) -> timedelta:
        """How long after the newest of so many failures the next attempt may come.

        >>> [Backoff().wait(n).seconds for n in (4, 5, 6, 7, 50)]
        [0, 30, 60, 120, 900]
        """
        if failures < self.free:
            return timedelta(0)
        doublings = min(failures - self.free, 16)
        return min(self.first * (1 << doublings), self.longest)


async def create(
    connection: AsyncConnection, token_sha256: str, user_id: str, csrf: str, now: datetime
) -> None:
    """Begin a session; expired sessions are deleted along with it."""
    with translated():
        await connection.execute("DELETE FROM sessions WHERE expires_at < %s", (now,))
        await connection.execute(
            "INSERT INTO sessions (token_sha256, user_id, csrf, created_at, last_seen_at,"
            " expires_at) VALUES (%(token)s, %(user)s, %(csrf)s, %(now)s, %(now)s, %(ends)s)",
            {
                "token": token_sha256,
                "user": user_id,
                "csrf": csrf,
                "now": now,
                "ends": now + LIFETIME,
            },
        )


async def find(connection: AsyncConnection, token_sha256: str, now: datetime) -> Session | None:
    """The session, unless it has ended or its user is disabled."""
    with translated():
        async with connection.cursor(row_factory=class_row(Session)) as cursor:
            await cursor.execute(
                """
                SELECT s.token_sha256, s.user_id, u.display_name, u.role, s.csrf,
                       s.last_seen_at, s.expires_at
                FROM sessions s JOIN users u USING (user_id)
                WHERE s.token_sha256 = %s AND s.expires_at > %s AND u.active
                """,
                (token_sha256, now),
            )
            return await cursor.fetchone()


async def touch(connection: AsyncConnection, token_sha256: str, now: datetime) -> None:
    """Extend a session that was used and has not ended, at most to :data:`LONGEST`."""
    with translated():
        await connection.execute(
            "UPDATE sessions SET last_seen_at = %(now)s,"
            " expires_at = least(%(now)s + %(lifetime)s, created_at + %(longest)s)"
            " WHERE token_sha256 = %(token)s AND expires_at > %(now)s",
            {"now": now, "lifetime": LIFETIME, "longest": LONGEST, "token": token_sha256},
        )


async def end(connection: AsyncConnection, token_sha256: str) -> None:
    """Sign out."""
    with translated():
        await connection.execute("DELETE FROM sessions WHERE token_sha256 = %s", (token_sha256,))


async def begin_attempt(
    connection: AsyncConnection, user_id: str, now: datetime, rule: Backoff
) -> datetime | None:
    """Count a sign-in attempt as failed; :func:`clear_failures` removes it after a success.

    Counting first, one attempt of a user at a time, leaves no gap for concurrent attempts.

    Returns:
        None: check the password. A time: not before then; nothing was counted.
    """
    with translated():
        async with connection.transaction(), connection.cursor(row_factory=tuple_row) as cursor:
            await cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (user_id,))
            await cursor.execute(
                "SELECT count(*), max(failed_at) FROM sign_in_failures"
                " WHERE user_id = %s AND failed_at > %s",
                (user_id, now - rule.window),
            )
            count, newest = await cursor.fetchone() or (0, None)
            again_at: datetime = (newest or now) + rule.wait(count)
            if again_at > now:
                return again_at
            await cursor.execute(
                "DELETE FROM sign_in_failures WHERE failed_at < %s", (now - FAILURES_KEPT,)
            )
            await cursor.execute(
                "INSERT INTO sign_in_failures (user_id, failed_at) VALUES (%s, %s)",
                (user_id, now),
            )
    return None


async def clear_failures(connection: AsyncConnection, user_id: str) -> None:
    """Forget a user's failures after a successful sign-in."""
    with translated():
        await connection.execute("DELETE FROM sign_in_failures WHERE user_id = %s", (user_id,))
