"""Connections with a deadline for every answer: the database answers in time, or is unavailable.

The server ends a statement after ``statement_timeout``, and reports it. If it cannot be reached (a
router dropped the connection, the machine was removed, a disk hangs) no answer ever comes, and the
kernel waits for hours. So a wait for an answer ends here too, somewhat later. The connection is
then closed, because the outcome of the statement is unknown, and the error is that of a database
that is unavailable. Every statement is written so that it can be repeated.

libpq's own options do not replace this: ``tcp_user_timeout`` and keepalives notice a machine that
is gone, and not a server that acknowledges packets and never answers.
"""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import AsyncConnectionPool, ConnectionPool

Row_co = TypeVar("Row_co", covariant=True)

ANSWER_SECONDS = 40.0
"""More than ``statement_timeout``, so that a server that can still answer reports the timeout."""
CHECK_SECONDS = 2.0
"""An empty query is answered at once or never. Much less than callers wait for a pool, so that one
lost connection does not make the database unavailable."""


class TimeoutConnection(psycopg.Connection[Row_co]):
    """Waits for an answer at most :attr:`answer_seconds`."""

    answer_seconds: float | None = ANSWER_SECONDS
    """None: without limit, for statements that may take any time."""

    def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's. A caller that passes a timeout handles its end itself."""
        if timeout is not None:
            return super().wait(gen, interval, timeout)
        try:
            return super().wait(gen, interval, self.answer_seconds)
        except psycopg.OperationalError as error:
            if not _unanswered(self, error):
                raise
            raise _closed(self) from None


class AsyncTimeoutConnection(psycopg.AsyncConnection[Row_co]):
    """The same for the web process."""

    answer_seconds: float | None = ANSWER_SECONDS
    """None: without limit."""

    async def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
        """As psycopg's. A caller that passes a timeout handles its end itself."""
        if timeout is not None:
            return await super().wait(gen, interval, timeout)
        try:
            return await super().wait(gen, interval, self.answer_seconds)
        except psycopg.OperationalError as error:
            if not _unanswered(self, error):
                raise
            raise _closed(self) from None


def check_connection(connection: psycopg.Connection[Any]) -> None:
    """Raise if a pool's connection does not answer; run each time before it is handed out."""
    assert isinstance(connection, TimeoutConnection)  # noqa: S101  (the pool's class)
    usual, connection.answer_seconds = connection.answer_seconds, CHECK_SECONDS
    ConnectionPool.check_connection(connection)
    connection.answer_seconds = usual


async def check_connection_async(connection: psycopg.AsyncConnection[Any]) -> None:
    """The same for the web process."""
    assert isinstance(connection, AsyncTimeoutConnection)  # noqa: S101  (the pool's class)
    usual, connection.answer_seconds = connection.answer_seconds, CHECK_SECONDS
    await AsyncConnectionPool.check_connection(connection)
    connection.answer_seconds = usual


def disable_timeouts(connection: psycopg.Connection[Any]) -> None:
    """Let statements on this connection take any time from now on."""
    connection.execute("SET statement_timeout = 0")
    if isinstance(connection, TimeoutConnection):
        connection.answer_seconds = None


def _unanswered(
    connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any],
    error: psycopg.OperationalError,
) -> bool:
    """Whether the wait ended and the statement did not: psycopg's class of it is private, but what
    a server reports has a SQLSTATE, and a lost connection is no longer active."""
    active = connection.info.transaction_status == TransactionStatus.ACTIVE
    return active and error.sqlstate is None


def _closed(connection: psycopg.Connection[Any] | psycopg.AsyncConnection[Any]) -> Exception:
    connection.pgconn.finish()
    return psycopg.OperationalError("no answer in time; the connection was closed")
