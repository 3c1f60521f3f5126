"""Who may sign in. Passwords arrive here hashed; this module never sees one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from psycopg.rows import class_row

from store.database.connections import AsyncConnection, Connection, translated

Role = Literal["care_team", "admin"]
ROLES: tuple[Role, ...] = ("care_team", "admin")


class User(NamedTuple):
    """A person who may sign in."""

    user_id: str
    role: Role
    display_name: str
    active: bool
    created_at: datetime


class Credentials(NamedTuple):
    """What a sign-in is checked against."""

    user_id: str
    password_hash: str
    active: bool


def add(
    connection: Connection, user_id: str, password_hash: str, role: Role, display_name: str = ""
) -> bool:
    """Add a user, or give an existing one this password, role and name, and let them in again.

    Whoever is signed in as an existing user is signed out.

    Returns:
        True where the user is new.
    """
    with translated(), connection.transaction():
        row = connection.execute(
            """
            INSERT INTO users (user_id, password_hash, role, display_name)
            VALUES (%s, %s, %s, %s)
            ON CONFLICT (user_id) DO UPDATE
            SET password_hash = EXCLUDED.password_hash, role = EXCLUDED.role,
                display_name = EXCLUDED.display_name, active = true
            RETURNING xmax = 0 AS is_new
            """,
            (user_id, password_hash, role, display_name),
        ).fetchone()
        connection.execute("DELETE FROM sessions WHERE user_id = %s", (user_id,))
        connection.execute("DELETE FROM sign_in_failures WHERE user_id = %s", (user_id,))
    assert row is not None  # noqa: S101  (RETURNING after an upsert always has a row)
    return bool(row["is_new"])


def disable(connection: Connection, user_id: str) -> bool:
    """Let a user in no longer, and sign them out; False where there is no such user."""
    with translated(), connection.transaction():
        changed = connection.execute(
            "UPDATE users SET active = false WHERE user_id = %s", (user_id,)
        )
        connection.execute("DELETE FROM sessions WHERE user_id = %s", (user_id,))
    return changed.rowcount == 1


def listing(connection: Connection) -> list[User]:
    """Every user, by id."""
    with translated(), connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(
            "SELECT user_id, role, display_name, active, created_at FROM users ORDER BY user_id"
        ).fetchall()


async def credentials(connection: AsyncConnection, user_id: str) -> Credentials | None:
    """The user's password hash, or None where there is no such user."""
    with translated():
        async with connection.cursor(row_factory=class_row(Credentials)) as cursor:
            await cursor.execute(
                "SELECT user_id, password_hash, active FROM users WHERE user_id = %s", (user_id,)
            )
            return await cursor.fetchone()


async def rehash(connection: AsyncConnection, user_id: str, password_hash: str) -> None:
    """Keep the same password under newer parameters."""
    with translated():
        await connection.execute(
            "UPDATE users SET password_hash = %s WHERE user_id = %s", (password_hash, user_id)
        )
