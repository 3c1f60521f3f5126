"""Connections, all made here, and the translation of the driver's errors into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool, PoolTimeout

from vigil.errors import UnavailableError

if TYPE_CHECKING:
    from vigil.settings import Settings

OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "options": "-c timezone=UTC -c statement_timeout=30000",
}
Connection = psycopg.Connection[DictRow]
AsyncConnection = psycopg.AsyncConnection[DictRow]
AsyncPool = AsyncConnectionPool[AsyncConnection]
Pool = ConnectionPool[psycopg.Connection[DictRow]]

BOARD_CHANNEL = "vigil_board"
"""NOTIFY channel on which writers say that something the board shows has changed."""
DIRECTORY_CHANNEL = "vigil_directory"
"""NOTIFY channel on which it is said that patients or devices have changed."""


def unavailable(why: object) -> UnavailableError:
    """The error to raise when the database does not answer."""
    first = str(why).strip().splitlines()
    return UnavailableError(
        f"The database does not answer: {first[0] if first else type(why).__name__}.",
        code="unavailable.database",
        field="VIGIL_DATABASE_URL",
        mend="Start it, or name another; `vigil doctor` tells what is reachable.",
    )


@contextmanager
def translated() -> Iterator[None]:
    """Turns "the server is away" into :class:`UnavailableError`; a slip of ours stays as it is.

    A database without our tables counts as away: they come with `vigil migrate`, which may still
    be running.
    """
    try:
        yield
    except psycopg.errors.UndefinedTable as error:
        raise UnavailableError(
            "The database lacks a table that `vigil migrate` makes.",
            code="unavailable.database",
            mend="Run it, or wait where it is running.",
        ) from error
    except (psycopg.OperationalError, psycopg.InterfaceError, PoolTimeout) as error:
        raise unavailable(error) from error


def connect(settings: Settings, *, autocommit: bool = False) -> Connection:
    """One connection that answers rows as dicts.

    Raises:
        UnavailableError: nobody answers.
        SettingsError: the password is a default one outside the demo.
    """
    with translated():
        return psycopg.connect(
            settings.database(), row_factory=dict_row, autocommit=autocommit, **OPTIONS
        )


def open_pool(settings: Settings, size: int = 4) -> Pool:
    """A pool for a worker with threads; close it, or use it in a ``with``."""
    return ConnectionPool(
        settings.database(),
        connection_class=psycopg.Connection[DictRow],
        kwargs={"row_factory": dict_row, **OPTIONS},
        min_size=1,
        max_size=size,
        open=True,
        timeout=5,
        check=ConnectionPool.check_connection,
    )


def async_pool(settings: Settings, size: int = 8) -> AsyncPool:
    """A pool for the web process; ``await pool.open()`` in its lifespan."""
    return AsyncConnectionPool(
        settings.database(),
        connection_class=psycopg.AsyncConnection[DictRow],
        kwargs={"row_factory": dict_row, **OPTIONS},
        min_size=1,
        max_size=size,
        open=False,
        timeout=5,
        check=AsyncConnectionPool.check_connection,
    )


def notify_board(connection: Connection, what: str) -> None:
    """Tell every open board, when this transaction commits, that ``what`` changed."""
    connection.execute(sql.SQL("SELECT pg_notify({}, %s)").format(BOARD_CHANNEL), (what,))


def notify_directory(connection: Connection) -> None:
    """Tell the directory's publisher, when this transaction commits, that it changed."""
    connection.execute(sql.SQL("SELECT pg_notify({}, '')").format(DIRECTORY_CHANNEL))
