"""Connections, all made here, and the translation of the driver's errors into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import psycopg
from psycopg import sql
from psycopg.rows import DictRow, dict_row
from psycopg_pool import AsyncConnectionPool, ConnectionPool

from store.database import driver_errors, guard, timeouts
from store.database.timeouts import AsyncTimeoutConnection, TimeoutConnection

if TYPE_CHECKING:
    from vigil.service.settings import Settings

OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "options": "-c timezone=UTC -c statement_timeout=30000",
}
Connection = psycopg.Connection[DictRow]
AsyncConnection = psycopg.AsyncConnection[DictRow]

BOARD_CHANNEL = "vigil_board"
"""NOTIFY channel for changes of data that the board shows."""
DIRECTORY_CHANNEL = "vigil_directory"
"""NOTIFY channel for changes of patients or devices."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn errors of the database into :class:`UnavailableError`; a bug of ours stays as it is.

    A database that lacks a table or column of ours counts as unavailable: `vigil migrate` adds
    them, and may still be running.
    """
    try:
        yield
    except psycopg.Error as error:
        unavailable = driver_errors.translate_error(error)
        if unavailable is None:
            raise
        raise unavailable from error


def connect(
    settings: Settings, *, autocommit: bool = False, any_schema: bool = False
) -> Connection:
    """Open one connection that returns rows as dicts.

    Args:
        any_schema: skip the check that the database fits this version of Vigil.

    Raises:
        UnavailableError: no answer, or the schema is newer or older than the code.
        SettingsError: the password is a default one outside the demo, or Vigil cannot use this
            database.
    """
    with translated():
        opened = TimeoutConnection[DictRow].connect(
            settings.database(), row_factory=dict_row, autocommit=autocommit, **OPTIONS
        )
        if not any_schema:
            try:
                _check_new(opened)
            except BaseException:
                opened.close()
                raise
        return opened


def _check_new(opened: Connection) -> None:
    guard.run_queries(opened, guard.check_connection(opened))
    opened.commit()  # the queries began a transaction, and set how errors are logged


class Pool(ConnectionPool[psycopg.Connection[DictRow]]):
    """Checks each new connection's database before it is handed out."""

    def getconn(self, timeout: float | None = None) -> Connection:
        """As psycopg's; raises what :func:`connect` does."""
        opened = super().getconn(timeout)
        if opened not in self._checked:
            try:
                _check_new(opened)
            except BaseException:
                self.putconn(opened)
                raise
            self._checked.add(opened)
        return opened

    @cached_property
    def _checked(self) -> WeakSet[Connection]:
        return WeakSet()


class AsyncPool(AsyncConnectionPool[AsyncConnection]):
    """The same for the web process."""

    async def getconn(self, timeout: float | None = None) -> AsyncConnection:
        """As psycopg's; raises what :func:`connect` does."""
        opened = await super().getconn(timeout)
        if opened not in self._checked:
            try:
                await guard.run_queries_async(opened, guard.check_connection(opened))
                await opened.commit()
            except BaseException:
                await self.putconn(opened)
                raise
            self._checked.add(opened)
        return opened

    @cached_property
    def _checked(self) -> WeakSet[AsyncConnection]:
        return WeakSet()


def open_pool(settings: Settings, size: int = 4) -> Pool:
    """A pool for a worker with threads; close it, or use it in a ``with`` statement."""
    return Pool(
        settings.database(),
        connection_class=TimeoutConnection[DictRow],
        kwargs={"row_factory": dict_row, **OPTIONS},
        min_size=1,
        max_size=size,
        open=True,
        timeout=5,
        check=timeouts.check_connection,
    )


def async_pool(settings: Settings, size: int = 8) -> AsyncPool:
    """A pool for the web process; ``await pool.open()`` in its lifespan."""
    return AsyncPool(
        settings.database(),
        connection_class=AsyncTimeoutConnection[DictRow],
        kwargs={"row_factory": dict_row, **OPTIONS},
        min_size=1,
        max_size=size,
        open=False,
        timeout=5,
        check=timeouts.check_connection_async,
    )


def notify_board(connection: Connection, what: str) -> None:
    """Notify every open board of a change of ``what``, when this transaction commits."""
    connection.execute(sql.SQL("SELECT pg_notify({}, %s)").format(BOARD_CHANNEL), (what,))


def notify_directory(connection: Connection) -> None:
    """Notify the directory's publisher of a change, when this transaction commits."""
    connection.execute(sql.SQL("SELECT pg_notify({}, '')").format(DIRECTORY_CHANNEL))
