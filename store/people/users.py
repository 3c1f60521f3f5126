"""Users who may sign in. Passwords are hashed by the caller; this module never receives one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from psycopg.rows import class_row

from store.database.connections import AsyncConnection, Connection, translated

Role = Literal["care_team", "admin"]
ROLES: tuple[Role, ...] = ("care_team", "admin")


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in."""

    user_id: str
    role: Role
    display_name: str
    active: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Credentials:
    """The stored data that a sign-in is checked against."""

    user_id: str
    password_hash: str
    active: bool


def add(
    connection: Connection, user_id: str, password_hash: str, role: Role, display_name: str = ""
) -> bool:
    """Add a user, or set password, role and name of an existing one and enable them again.

    All sessions of an existing user end.

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
    """Disable a user and end their sessions; False: there is no such user."""
    with translated(), connection.transaction():
        changed = connection.execute(
            "UPDATE users SET active = false WHERE user_id = %s", (user_id,)
        )
        connection.execute("DELETE FROM sessions WHERE user_id = %s", (user_id,))
    return changed.rowcount == 1


def list_users(connection: Connection) -> list[User]:
    """Every user, by id."""
    with translated(), connection.cursor(row_factory=class_row(User)) as cursor:
        return cursor.execute(
            "SELECT user_id, role, display_name, active, created_at FROM users ORDER BY user_id"
        ).fetchall()


async def credentials(connection: AsyncConnection, user_id: str) -> Credentials | None:
    """The user's password hash; None: there is no such user."""
    with translated():
        async with connection.cursor(row_factory=class_row(Credentials)) as cursor:
            await cursor.execute(
                "SELECT user_id, password_hash, active FROM users WHERE user_id = %s", (user_id,)
            )
            return await cursor.fetchone()


async def rehash(connection: AsyncConnection, user_id: str, password_hash: str) -> None:
    """Store the hash of the same password with newer parameters."""
    with translated():
        await connection.execute(
            "UPDATE users SET password_hash = %s WHERE user_id = %s", (password_hash, user_id)
        )
