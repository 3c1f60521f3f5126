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

from store.database import guard, troubles, waiting
from store.database.waiting import PatientAsyncConnection, PatientConnection

if TYPE_CHECKING:
    from vigil.service.settings import Settings

OPTIONS: dict[str, Any] = {
    "connect_timeout": 5,
    "options": "-c timezone=UTC -c statement_timeout=30000",
}
Connection = psycopg.Connection[DictRow]
AsyncConnection = psycopg.AsyncConnection[DictRow]

BOARD_CHANNEL = "vigil_board"
"""NOTIFY channel on which writers say that something the board shows has changed."""
DIRECTORY_CHANNEL = "vigil_directory"
"""NOTIFY channel on which it is said that patients or devices have changed."""


@contextmanager
def translated() -> Iterator[None]:
    """Turns the database's troubles into :class:`UnavailableError`; a slip of ours stays as it is.

    A database that lacks a table or column of ours counts as away: they come with `vigil migrate`,
    which may still be running.
    """
    try:
        yield
    except psycopg.Error as error:
        trouble = troubles.read(error)
        if trouble is None:
            raise
        raise trouble from error


def connect(
    settings: Settings, *, autocommit: bool = False, any_schema: bool = False
) -> Connection:
    """One connection that answers rows as dicts.

    Args:
        any_schema: do not ask whether the database is one for this version of Vigil.

    Raises:
        UnavailableError: nobody answers, or the schema is newer or older than the code.
        SettingsError: the password is a default one outside the demo, or the database is none that
            Vigil can use.
    """
    with translated():
        opened = PatientConnection[DictRow].connect(
            settings.database(), row_factory=dict_row, autocommit=autocommit, **OPTIONS
        )
        if not any_schema:
            try:
                _examine(opened)
            except BaseException:
                opened.close()
                raise
        return opened


def _examine(opened: Connection) -> None:
    guard.ask(opened, guard.connection(opened))
    opened.commit()  # what was asked began a transaction, and set how errors are logged


class Pool(ConnectionPool[psycopg.Connection[DictRow]]):
    """Gives a connection only once it was asked whether the database is one for Vigil."""

    def getconn(self, timeout: float | None = None) -> Connection:
        """As psycopg's; raises what :func:`connect` does."""
        opened = super().getconn(timeout)
        if opened not in self._examined:
            try:
                _examine(opened)
            except BaseException:
                self.putconn(opened)
                raise
            self._examined.add(opened)
        return opened

    @cached_property
    def _examined(self) -> WeakSet[Connection]:
        return WeakSet()


class AsyncPool(AsyncConnectionPool[AsyncConnection]):
    """The same for the web process."""

    async def getconn(self, timeout: float | None = None) -> AsyncConnection:
        """As psycopg's; raises what :func:`connect` does."""
        opened = await super().getconn(timeout)
        if opened not in self._examined:
            try:
                await guard.ask_async(opened, guard.connection(opened))
                await opened.commit()
            except BaseException:
                await self.putconn(opened)
                raise
            self._examined.add(opened)
        return opened

    @cached_property
    def _examined(self) -> WeakSet[AsyncConnection]:
        return WeakSet()


def open_pool(settings: Settings, size: int = 4) -> Pool:
    """A pool for a worker with threads; close it, or use it in a ``with``."""
    return Pool(
        settings.database(),
        connection_class=PatientConnection[DictRow],
        kwargs={"row_factory": dict_row, **OPTIONS},
        min_size=1,
        max_size=size,
        open=True,
        timeout=5,
        check=waiting.check,
    )


def async_pool(settings: Settings, size: int = 8) -> AsyncPool:
    """A pool for the web process; ``await pool.open()`` in its lifespan."""
    return AsyncPool(
        settings.database(),
        connection_class=PatientAsyncConnection[DictRow],
        kwargs={"row_factory": dict_row, **OPTIONS},
        min_size=1,
        max_size=size,
        open=False,
        timeout=5,
        check=waiting.check_async,
    )


def notify_board(connection: Connection, what: str) -> None:
    """Tell every open board, when this transaction commits, that ``what`` changed."""
    connection.execute(sql.SQL("SELECT pg_notify({}, %s)").format(BOARD_CHANNEL), (what,))


def notify_directory(connection: Connection) -> None:
    """Tell the directory's publisher, when this transaction commits, that it changed."""
    connection.execute(sql.SQL("SELECT pg_notify({}, '')").format(DIRECTORY_CHANNEL))
