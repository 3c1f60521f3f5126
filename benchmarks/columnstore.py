"""How much smaller TimescaleDB's columnstore is than rows, for the table ``readings``.

    VIGIL_DATABASE_URL=postgresql://… python -m benchmarks.columnstore [--patients N] [--days D]

Makes a database of its own on that server, migrates it, fills it with a reading a minute of each
patient, packs every chunk and prints what TimescaleDB says of its size before and after (table,
indexes and TOAST alike), and what each column takes when packed. Then the database is dropped. The
user needs the right to create databases.

What is stored is what a wrist band and a cuff send: a heart rate in whole beats that drifts by hour
and by minute; steps and activity; blood pressure every 30 minutes by day and every hour by night;
oxygen saturation every 15 minutes; temperature and respiratory rate every 4 hours. Each patient is
measured at a second of the minute of their own; what was measured arrives 1 to 3 seconds later, to
the microsecond. The keys are 64 random bits, as those of derived ids are.
"""

from __future__ import annotations

import argparse
import os
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from store.database.migrate import migrate

SERVER = "VIGIL_DATABASE_URL"
FILL = """
    WITH minutes AS (
        SELECT p, moment,
               moment + (p * 7 %% 60) * INTERVAL '1 second' AS time,
               extract(hour FROM moment)::int AS hour,
               (extract(epoch FROM moment) / 60)::bigint AS minute
        FROM generate_series(%(first)s::timestamptz, %(first)s::timestamptz
            + INTERVAL '1439 minutes', INTERVAL '1 minute') AS moment,
            generate_series(1, %(patients)s) AS p
    ), lived AS (
        SELECT *, hour NOT BETWEEN 6 AND 21 AS night,
               (minute / 20 + p * 13) %% 11 = 0 AND hour BETWEEN 8 AND 20 AS walking,
               (minute + p * 7) AS own
        FROM minutes
    )
    INSERT INTO readings (
        patient_id, time, reading_key, device_id, received_at, heart_rate, systolic, diastolic,
        spo2, respiratory_rate, temperature, steps_per_min, activity
    )
    SELECT 'patient-' || lpad(p::text, 5, '0'), time,
           ('x' || encode(uuid_send(gen_random_uuid()), 'hex'))::bit(64)::bigint
               # (random() * 4294967296)::bigint,
           'band-' || lpad(p::text, 5, '0'),
           time + INTERVAL '1 second' + 2 * random() * random() * INTERVAL '1 second',
           round(58 + p %% 25 + CASE WHEN night THEN -8 ELSE 4 END
               + CASE WHEN walking THEN 28 ELSE 0 END + 5 * sin(own / 47.0)
               + random_normal() * 2.5),
           CASE WHEN cuff THEN round(112 + p %% 30 + 6 * slow + random_normal() * 6) END,
           CASE WHEN cuff THEN round(70 + p %% 15 + 3 * slow + random_normal() * 4) END,
           CASE WHEN own %% 15 = 0 THEN least(100, round(96.6 + random_normal())) END,
           CASE WHEN own %% 240 = 0 THEN round(15 + random_normal() * 2) END,
           CASE WHEN own %% 240 = 0 THEN round((36.7 + random_normal() * 0.25)::numeric, 1) END,
           CASE WHEN walking THEN round(88 + random_normal() * 9) ELSE 0 END,
           CASE WHEN walking THEN 'active' WHEN night THEN 'asleep' ELSE 'rest' END
    FROM lived, LATERAL (
        SELECT own %% CASE WHEN night THEN 60 ELSE 30 END = 0 AS cuff, sin(own / 300.0) AS slow
    ) AS pressure
    ORDER BY time
"""
"""One day of everybody, in the order of arrival."""
FIRST = datetime(2026, 3, 5, tzinfo=UTC)
"""A chunk begins on it: the seven days of the default fill one, as in a hospital they would."""
SIZES = "SELECT * FROM hypertable_columnstore_stats('readings')"
PACKED = """
    SELECT compress_relid::regclass::text FROM _timescaledb_catalog.compression_settings
    WHERE compress_relid IS NOT NULL
"""
COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"


@contextmanager
def _database(server: str) -> Iterator[str]:
    """The URL of a database of our own; refuses a server that cannot pack."""
    with psycopg.connect(server, autocommit=True) as connection:
        found = connection.execute(
            "SELECT default_version, current_setting('timescaledb.license', true)"
            " FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchone()
        if found is None or found[1] != "timescale":
            raise SystemExit(
                f"The server of {SERVER} has no TimescaleDB (or only its Apache edition), so there"
                " is no columnstore to measure. Name a server that has it loaded at start."
            )
        name = f"columnstore_{secrets.token_hex(4)}"
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        print(f"TimescaleDB {found[0]}")
        try:
            yield urlunsplit(urlsplit(server)._replace(path=f"/{name}"))
        finally:
            drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
            connection.execute(drop)


def _fill(connection: psycopg.Connection, patients: int, days: int) -> None:
    connection.execute("SELECT setseed(0.5)")
    for day in range(days):
        connection.execute(FILL, {"first": FIRST + timedelta(days=day), "patients": patients})


def _columns(connection: psycopg.Connection, rows: int) -> Iterator[tuple[str, float]]:
    """The columns and their packed bytes a row, the heaviest first."""
    packed = [name for (name,) in connection.execute(PACKED)]
    sizes: Counter[str] = Counter()
    for relation in packed:
        names = connection.execute(COLUMNS, (relation,)).fetchall()
        sums = sql.SQL(", ").join(
            sql.SQL("sum(pg_column_size({}))").format(sql.Identifier(name)) for (name,) in names
        )
        found = connection.execute(sql.SQL("SELECT {} FROM {}").format(sums, sql.SQL(relation)))
        for (name,), size in zip(names, found.fetchone() or (), strict=True):
            sizes[name] += int(size or 0)
    for name, size in sizes.most_common():
        yield name, size / rows


def measure(patients: int, days: int, server: str) -> float:
    """Print the sizes; return how many times smaller the columnstore is."""
    with _database(server) as url:
        migrate(url)
        with psycopg.connect(url, autocommit=True) as connection:
            _fill(connection, patients, days)
            connection.execute("SELECT compress_chunk(c) FROM show_chunks('readings') c")
            rows = patients * days * 1440
            stats = connection.cursor(row_factory=psycopg.rows.dict_row).execute(SIZES).fetchone()
            assert stats is not None
            print(f"{rows:,} readings of {patients:,} patients in {stats['total_chunks']} chunks")
            print(f"{'':14}{'rows':>14}{'columnstore':>14}   bytes")
            for part in ("table", "index", "toast", "total"):
                before = stats[f"before_compression_{part}_bytes"]
                after = stats[f"after_compression_{part}_bytes"]
                print(f"{part:14}{before:>14,}{after:>14,}")
            before, after = (stats[f"{w}_compression_total_bytes"] for w in ("before", "after"))
            print(f"a reading: {before / rows:.1f} bytes in rows, {after / rows:.1f} packed")
            for name, size in _columns(connection, rows):
                print(f"  {name:42}{size:8.3f} bytes")
            print(f"ratio: {before / after:.1f}")
            return float(before / after)


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--days", type=int, default=7, choices=range(1, 31))
    given = parser.parse_args()
    server = os.environ.get(SERVER)
    if not server:
        raise SystemExit(f"Name a server with TimescaleDB in {SERVER}.")
    measure(given.patients, given.days, server)


if __name__ == "__main__":
    main()
