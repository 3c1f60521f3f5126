"""Connections that do not wait for ever: a database that is asked answers in time, or is away.

The server ends a statement after ``statement_timeout``, and says so. Where it cannot be heard (a
router forgot the connection, the machine was taken away, a disk hangs) nothing ever comes, and the
kernel's own patience is hours. So a wait for an answer ends here too, somewhat later; the
connection is closed then, for nobody knows what became of the statement, and the error is that of a
database that is away. Everything is written so that it can be asked again.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.errors import _WaitTimeout
from psycopg_pool import AsyncConnectionPool, ConnectionPool

Row_co = TypeVar("Row_co", covariant=True)

SECONDS = 40.0
"""More than ``statement_timeout``, so that a server which can still speak is heard first."""
CHECK_SECONDS = 2.0
"""An empty question is answered at once or never. Much less than who asks a pool waits for, so that
one lost connection is not yet a database that is away."""


class PatientConnection(psycopg.Connection[Row_co]):
    """Waits for an answer for so long and no longer."""

    patience_seconds: float | None = SECONDS
    """None: for ever; for statements that may take as long as they take."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's. Who names a time of their own deals with its end."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.patience_seconds)
        except _WaitTimeout:
            raise _given_up(self) from None


class PatientAsyncConnection(psycopg.AsyncConnection[Row_co]):
    """The same for the web process."""

    patience_seconds: float | None = SECONDS
    """None: for ever."""

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's. Who names a time of their own deals with its end."""
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, self.patience_seconds)
        except _WaitTimeout:
            raise _given_up(self) from None


def check(connection: psycopg.Connection[Any]) -> None:
    """Whether a pool's connection still answers; asked each time before it is given out."""
    assert isinstance(connection, PatientConnection)  # noqa: S101  (the pool's class)
    usual, connection.patience_seconds = connection.patience_seconds, CHECK_SECONDS
    ConnectionPool.check_connection(connection)
    connection.patience_seconds = usual


async def check_async(connection: psycopg.AsyncConnection[Any]) -> None:
    """The same for the web process."""
    assert isinstance(connection, PatientAsyncConnection)  # noqa: S101  (the pool's class)
    usual, connection.patience_seconds = connection.patience_seconds, CHECK_SECONDS
    await AsyncConnectionPool.check_connection(connection)
    connection.patience_seconds = usual


def without_end(connection: psycopg.Connection[Any]) -> None:
    """What is asked on this connection from now on may take as long as it takes."""
    connection.execute("SET statement_timeout = 0")
    if isinstance(connection, PatientConnection):
        connection.patience_seconds = None


def _given_up(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> Exception:
    connection.pgconn.finish()
    return psycopg.OperationalError("no answer in time; the connection was given up")
