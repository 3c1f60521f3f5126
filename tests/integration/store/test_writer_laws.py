"""Whatever happens on the way, the tables hold what writing each message once would leave there.

The log is read as a worker of the stream reads it: batch by batch, from an earlier offset again
after a failure or a new assignment, by one of two workers in turn, and some batches fail midway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.writing import writer
from store.writing.writer import Writer
from tests.support.messages import (
    NOON,
    action,
    alert,
    event,
    measurement,
    phrase,
    received,
    upload,
    withdrawal,
)
from vigil.contracts.wire import Carried
from vigil.domain.reading import Tick
from vigil.service.errors import UnavailableError
from vigil.streaming.handler import Received

TABLES = (
    "readings", "latest", "events", "episodes", "alerts", "actions", "phrases", "withdrawals",
)  # fmt: skip
WALL = ("opened_at", "raised_at", "changed_at")
"""When it was written, by the wall clock."""
FAILING = ("readings", "latest", "events", "actions")
GOOD: tuple[Carried, ...] = (
    upload(measurement(0), measurement(60, heart_rate=75.0, spo2=97.0)),
    upload(measurement(60, heart_rate=75.0, spo2=97.0), measurement(120, spo2=96.0), late=3),
    upload(measurement(120, "a", spo2=90.0), measurement(120, "b", heart_rate=88.0), late=3),
    upload(measurement(120, "a", spo2=90.0), late=900),
    upload(measurement(30, "c", heart_rate=60.0), late=5000),
    upload(*(measurement(i) for i in range(200, 212)), patient="p2"),
    upload(measurement(205), measurement(300), patient="p2"),
    upload(measurement(0), measurement(-400_000), measurement(-90_000), measurement(300)),
    upload(measurement(-400_000, "b"), measurement(-89_900, "a"), measurement(-90_000), late=9e4),
    upload(measurement(-400_000), patient="p2", late=400_000),
    withdrawal(measurement(-400_000), measurement(300)),
    event(), event(sequence=1), alert(), action(), phrase(), Tick(NOON),
    withdrawal(measurement(120, "a", spo2=90.0), measurement(60, heart_rate=75.0, spo2=97.0)),
    withdrawal(measurement(211), measurement(300), patient="p2"),
)  # fmt: skip
BAD: tuple[Carried, ...] = (
    upload(measurement(10), measurement(11, "a\x00b"), measurement(12)),
    upload(measurement(400, glucose=5.0), measurement(401), patient="p2"),
    upload(measurement(0), late=-90_000),
    event(sequence=2, kind="a\x00b"),
)


class Step(NamedTuple):
    """What happens to one batch."""

    size: int
    again: int
    """So many messages before it are read again with it."""
    worker: int
    fails: str | None
    """The table whose writing fails, at the first try."""


steps = st.lists(
    st.builds(
        Step, st.integers(1, 9), st.integers(0, 6), st.integers(0, 1),
        st.sampled_from((None, None, *FAILING)),
    ),
    max_size=10,
)  # fmt: skip
logs = st.lists(st.sampled_from((*GOOD, *GOOD, *BAD)), min_size=1, max_size=24)

_FAILS = """
    CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF current_setting('test.fails', true) = TG_TABLE_NAME THEN
            RAISE EXCEPTION 'no room' USING ERRCODE = '53100';
        END IF;
        RETURN NULL;
    END $$
"""


@pytest.fixture
def workers(database_url: str) -> Iterator[list[Connection]]:
    """Two connections to a database in which each of some tables can be made to fail."""
    with ExitStack() as stack:
        opened = [
            stack.enter_context(psycopg.connect(database_url, row_factory=dict_row))
            for _ in range(2)
        ]
        with opened[0].transaction():
            opened[0].execute(_FAILS)
            for table in FAILING:
                opened[0].execute(
                    f"CREATE TRIGGER fails AFTER INSERT OR UPDATE ON {table}"
                    " FOR EACH STATEMENT EXECUTE FUNCTION fails()"
                )
        yield opened


def emptied(connection: Connection) -> None:
    with connection.transaction():
        connection.execute(f"TRUNCATE {', '.join(TABLES)}, phrase_history, withdrawn_readings")


def contents(connection: Connection) -> dict[str, list[str]]:
    """Every row, but for when it was written."""
    with connection.transaction():
        return {
            table: sorted(
                str({name: value for name, value in row.items() if name not in WALL})
                for row in connection.execute(f"SELECT * FROM {table}")
            )
            for table in TABLES
        }


def withdrawn(connection: Connection) -> int:
    """How many readings were stored, and withdrawn afterwards."""
    with connection.transaction():
        row = connection.execute("SELECT count(device_id) AS n FROM withdrawn_readings").fetchone()
    return int(row["n"]) if row else 0


class Seen:
    """The results of the writers for a log."""

    def __init__(self) -> None:
        self.new: Counter[str] = Counter()
        self.rejected: set[int] = set()

    def write(self, writing: Writer, batch: list[Received]) -> None:
        try:
            written = writing.write(batch)
        except UnavailableError:
            self.new += writing.committed
            raise
        self.new += written.new
        self.rejected |= {one.received.offset for one in written.rejected}


def run(connections: list[Connection], log: list[Received], plan: list[Step]) -> Seen:
    """The log, read by this plan and then to its end."""
    seen, position = Seen(), 0
    writers = [Writer(connection) for connection in connections]
    for step in [*plan, Step(len(log), 3, 0, None)]:
        batch = log[max(0, position - step.again) : position + step.size]
        position += step.size
        if step.fails:
            failing(connections[step.worker], step.fails)
            with suppress(UnavailableError):
                seen.write(writers[step.worker], batch)
            failing(connections[step.worker], "")
        seen.write(writers[step.worker], batch)
    return seen


def failing(connection: Connection, table: str) -> None:
    with connection.transaction():
        connection.execute("SELECT set_config('test.fails', %s, false)", (table,))


@settings(
    max_examples=15, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(log=logs, plan=steps, rows=st.integers(2, 12))
def test_the_tables_are_what_each_message_once_would_leave(
    workers: list[Connection], log: list[Any], plan: list[Step], rows: int
) -> None:
    numbered = [received(message, offset) for offset, message in enumerate(log)]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(writer, "ROWS", rows)
        emptied(workers[0])
        seen = run(workers, numbered, plan)
        found, moved = contents(workers[0]), withdrawn(workers[0])
    emptied(workers[0])
    once = Seen()
    for one in numbered:
        once.write(Writer(workers[0]), [one])
    assert found == contents(workers[0])
    assert seen.rejected == once.rejected == {i for i, sent in enumerate(log) if sent in BAD}
    counted = {table: len(found[table]) for table in ("readings", "events", "alerts", "actions")}
    counted["readings"] += moved
    assert {table: seen.new[table] for table in counted} == counted
