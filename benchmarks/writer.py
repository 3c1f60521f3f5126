"""How fast readings get into the table, held against binary COPY of the same rows in the same run.

    python -m benchmarks.writer [--rows N] [--rounds N] [--patients N] [--uploads 1 20 50]

The database is an embedded PostgreSQL 18 with the settings that ``vigil up`` gives it, or the
server that VIGIL_DATABASE_URL names (a TimescaleDB, say), where a database is made and dropped.

All ways write the same rows into ``readings`` itself, emptied before each, in transactions of
20,000 rows, in turn. The first five are given rows that are prepared as tuples, and write nothing
else. Vigil is given uploads just decoded from messages, and does all that its worker does:
it makes the rows, keeps ``latest`` (whose every row is older, so each is updated), counts what is
new and tells the boards. Rates are medians of the rounds; a ratio is the median of the rounds'
ratios to COPY.
"""

from __future__ import annotations

import argparse
import gc
import os
import random
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from local import parts
from store.database import arrays
from store.database.migrate import migrate
from store.readings.rows import COLUMNS, Row, write_rows
from store.writing.batching import FULL_ROWS
from store.writing.writer import Writer
from tests.support.processes import started
from vigil.composition.stage import tune_garbage_collection
from vigil.contracts import wire
from vigil.domain.reading import Context, Measurement, Upload
from vigil.streaming.handler import Received

START = datetime(2026, 1, 5, tzinfo=UTC)
TYPES = [kind for _, kind in COLUMNS]
NAMES = arrays.column_names(COLUMNS)
COPY = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT binary)")
INSERT = sql.SQL("INSERT INTO readings ({}) {} ON CONFLICT DO NOTHING")
UNNEST = INSERT.format(NAMES, sql.SQL("SELECT * FROM {}").format(arrays.unnest(COLUMNS)))
ONE = INSERT.format(
    NAMES, sql.SQL("VALUES ({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(COLUMNS)))
)
FROM_STAGED = INSERT.format(NAMES, sql.SQL("SELECT {} FROM staged").format(NAMES))

Connection = psycopg.Connection[Any]
T = TypeVar("T")


class Load:
    """What is written in a round, batch by batch. A batch is made just before it is written, as in
    a worker, and the making is not measured."""

    def __init__(self, count: int, each: int, patients: int):
        self.messages = [
            wire.to_message(made, "benchmark") for made in simulated(count, each, patients)
        ]
        self._step = FULL_ROWS // each
        self.seconds = 0.0

    def received(self) -> Iterator[list[Received]]:
        """The messages, decoded."""
        return self._measured(self._decoded())

    def tuples(self) -> Iterator[list[Row]]:
        """Their rows."""
        return self._measured(map(_rows, self._decoded()))

    def _decoded(self) -> Iterator[list[Received]]:
        for start in range(0, len(self.messages), self._step):
            yield [
                Received(
                    sent.topic, 0, place, wire.decode(sent.topic, sent.value, sent.headers), None
                )
                for place, sent in enumerate(self.messages[start : start + self._step], start)
            ]

    def _measured(self, batches: Iterator[T]) -> Iterator[T]:
        self.seconds = 0.0
        for batch in batches:
            gc.collect()
            begun = time.perf_counter()
            yield batch
            self.seconds += time.perf_counter() - begun


def _rows(batch: Sequence[Received]) -> list[Row]:
    made: list[Row] = []
    for one in batch:
        write_rows(one.message, made.append)  # type: ignore[arg-type]
    return made


def simulated(count: int, each: int, patients: int) -> Iterator[Upload]:
    """Uploads of so many readings, a second apart: heart rates, every third with blood pressure.
    Patients in turn."""
    source = random.Random(6)
    rest = Context("rest", 0.0)
    for number in range(count // each):
        patient, turn = number % patients, number // patients
        measured = []
        for second in range(turn * each, (turn + 1) * each):
            values = {"heart_rate": 60.0 + source.randint(0, 40)}
            if second % 3 == 0:
                values |= {"systolic": 110.0 + source.randint(0, 30), "diastolic": 80.0}
            moment = START + timedelta(seconds=second)
            measured.append(Measurement(f"r-{source.getrandbits(64):016x}", moment, values, rest))
        arrived = measured[-1].time + timedelta(seconds=2)
        yield Upload(f"patient-{patient}", f"watch-{patient}", arrived, tuple(measured))


def _copy(cursor: psycopg.Cursor[Any], table: str, batch: Sequence[Row]) -> None:
    with cursor.copy(COPY.format(sql.Identifier(table), NAMES)) as copy:
        copy.set_types(TYPES)
        for row in batch:
            copy.write_row(row)


def by_copy(connection: Connection, load: Load) -> None:
    """The limit: straight into the table; a repetition would end it."""
    for batch in load.tuples():
        with connection.transaction(), connection.cursor() as cursor:
            _copy(cursor, "readings", batch)


def by_staging(kind: str) -> Callable[[Connection, Load], None]:
    """COPY into a table aside, and from there into the table."""

    def run(connection: Connection, load: Load) -> None:
        with connection.transaction():
            connection.execute(f"CREATE {kind} TABLE staged AS TABLE readings WITH NO DATA")
        for batch in load.tuples():
            with connection.transaction(), connection.cursor() as cursor:
                cursor.execute("TRUNCATE staged")
                _copy(cursor, "staged", batch)
                cursor.execute(FROM_STAGED)
        with connection.transaction():
            connection.execute("DROP TABLE staged")

    return run


def by_unnest(connection: Connection, load: Load) -> None:
    """One array a column."""
    for batch in load.tuples():
        with connection.transaction():
            connection.execute(UNNEST, arrays.to_columns(COLUMNS, batch))


def by_executemany(connection: Connection, load: Load) -> None:
    """One statement a row, pipelined by the driver."""
    for batch in load.tuples():
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(ONE, batch)


def by_vigil(connection: Connection, load: Load) -> None:
    """Vigil's writer, with all that it does."""
    writer = Writer(connection)
    for batch in load.received():
        assert not writer.write(batch).rejected


def everything_again(connection: Connection, load: Load) -> None:
    """Vigil's writer where each reading is there, as after a restart from an old offset."""
    writer = Writer(connection)
    for batch in load.received():
        assert not writer.write(batch).new


WAYS: dict[str, Callable[[Connection, Load], None]] = {
    "binary COPY into the table": by_copy,
    "COPY into an unlogged table, INSERT … ON CONFLICT": by_staging("UNLOGGED"),
    "COPY into a temporary table, INSERT … ON CONFLICT": by_staging("TEMPORARY"),
    "unnest, ON CONFLICT": by_unnest,
    "executemany, ON CONFLICT": by_executemany,
    "Vigil": by_vigil,
    "Vigil, everything stored already": everything_again,
}


def emptied(connection: Connection, way: Callable[[Connection, Load], None]) -> None:
    """The tables as a way is to find them."""
    if way is everything_again:
        return
    connection.execute("TRUNCATE readings")
    connection.execute("UPDATE latest SET time = '2000-01-01', received_at = '2000-01-01'")
    connection.commit()
    connection.autocommit = True
    connection.execute("VACUUM latest")
    connection.autocommit = False


def report(connection: Connection, each: int, work: Load, rounds: int) -> None:
    """Measure each way in turn, and print a table."""
    count = len(work.messages) * each
    taken: dict[str, list[float]] = {name: [] for name in WAYS}
    by_vigil(connection, work)  # so that ``latest`` has its rows
    for _ in range(rounds):
        for name, way in WAYS.items():
            emptied(connection, way)
            way(connection, work)
            taken[name].append(work.seconds / count)
    limit = taken["binary COPY into the table"]
    print(f"\n{count:,} readings, {each} an upload, {rounds} rounds\n")
    print("| way | rows/s | of COPY |\n|---|---|---|")
    for name, each_round in taken.items():
        ratio = statistics.median(a / b for a, b in zip(limit, each_round, strict=True))
        print(f"| {name} | {1 / statistics.median(each_round):,.0f} | {ratio:.0%} |")


@contextmanager
def database() -> Iterator[str]:
    """A fresh, migrated database; its URL."""
    named = os.environ.get("VIGIL_DATABASE_URL")
    if not named:
        with tempfile.TemporaryDirectory(prefix="vigil-benchmark-") as folder:
            Path(folder).chmod(0o755)
            with started(parts.postgres(Path(folder) / "data")) as part:
                migrate(part.address)
                yield part.address
        return
    name = f"vigil_benchmark_{secrets.token_hex(4)}"
    with psycopg.connect(named, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        try:
            url = psycopg.conninfo.make_conninfo(named, dbname=name)
            migrate(url)
            yield url
        finally:
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def main() -> None:
    """Print one table for each size of upload."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--patients", type=int, default=1_000)
    parser.add_argument("--uploads", nargs="*", type=int, default=[1, 20, 50])
    options = parser.parse_args()
    with database() as url, psycopg.connect(url, row_factory=dict_row) as connection:
        versions = connection.execute(
            "SELECT current_setting('server_version') AS server, (SELECT extversion"
            " FROM pg_extension WHERE extname = 'timescaledb') AS timescaledb"
        ).fetchone()
        connection.commit()
        print(f"{versions}, {options.patients:,} patients, transactions of {FULL_ROWS:,} rows")
        for each in options.uploads:
            work = Load(options.rows, each, options.patients)
            # as a worker does; what the benchmark itself holds is not swept
            tune_garbage_collection()
            report(connection, each, work, options.rounds)
            gc.unfreeze()


if __name__ == "__main__":
    main()
