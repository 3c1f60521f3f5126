"""What one late reading among live ones costs TimescaleDB's averages, at their next refresh.

``python -m benchmarks.late_readings [--days-late 4] [--late 1] [--rounds 7] [--before 1]`` takes
the database that ``benchmarks.board_queries`` fills at ``VIGIL_DATABASE_URL`` (native TimescaleDB
2.29 or later; no worker may run beside it). In each round every average is refreshed until nothing
is due, a batch is written as the worker ``store`` writes it (a reading of now of each patient, and
the late ones, a day apart), and every average is refreshed again up to the same time, as its
policy does. Reported are the rows that this second refresh deletes and inserts, by the server's
own messages, and its time. In the first ``--before`` rounds everything is written in one
transaction too, which is how it was before late readings had transactions of their own.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from unittest import mock

import psycopg
from psycopg.rows import dict_row

from benchmarks.board_queries import described
from store.database.connections import Connection
from store.writing import time_ranges
from store.writing.writer import write
from vigil.domain import ids
from vigil.domain.reading import Measurement, Upload
from vigil.streaming.handler import Received

AVERAGES = ("readings_1m", "readings_15m", "readings_1h", "readings_1d")
_POLICIES = """
    SELECT a.view_name AS name, j.job_id, j.config
    FROM timescaledb_information.continuous_aggregates a
    JOIN timescaledb_information.jobs j
      ON j.hypertable_name IN (a.view_name, a.materialization_hypertable_name)
    WHERE j.proc_name = 'policy_refresh_continuous_aggregate' AND a.view_name = ANY(%s)
"""
_REFRESH = """
    CALL refresh_continuous_aggregate(%(name)s, NULL, %(end)s::timestamptz, false,
        jsonb_build_object('buckets_per_batch', %(at_once)s::int, 'refresh_newest_first', false))
"""
_ROWS = re.compile(r"^(deleted|inserted) (\d+) row\(s\)")


class Policy(NamedTuple):
    """A refresh policy, with the end of what it has to do now."""

    name: str
    end: datetime
    at_once: int


class Cost(NamedTuple):
    """Of one refresh."""

    deleted: int
    inserted: int
    milliseconds: float


def refreshed(connection: Connection, policy: Policy) -> Cost:
    """Refresh one average; what the server says that it did."""
    rows: dict[str, int] = defaultdict(int)

    def count(diagnostic: Any) -> None:
        found = _ROWS.match(diagnostic.message_primary or "")
        if found:
            rows[found[1]] += int(found[2])

    connection.add_notice_handler(count)
    began = time.perf_counter()
    connection.execute(_REFRESH, policy._asdict())
    taken = 1000 * (time.perf_counter() - began)
    connection.remove_notice_handler(count)
    return Cost(rows["deleted"], rows["inserted"], taken)


@contextmanager
def policies(connection: Connection) -> Iterator[list[Policy]]:
    """The refresh policies, which do not run by themselves for the length of the block."""
    found = connection.execute(_POLICIES, (list(AVERAGES),)).fetchall()
    row = connection.execute("SELECT now() AS now").fetchone()
    assert row is not None
    made = []
    for one in found:
        settled = connection.execute(
            "SELECT %s - %s::interval AS end", (row["now"], one["config"]["end_offset"])
        ).fetchone()
        assert settled is not None
        made.append(Policy(one["name"], settled["end"], one["config"]["buckets_per_batch"]))
        connection.execute("SELECT alter_job(%s, scheduled => false)", (one["job_id"],))
    try:
        yield sorted(made, key=lambda policy: AVERAGES.index(policy.name))
    finally:
        for one in found:
            connection.execute("SELECT alter_job(%s, scheduled => true)", (one["job_id"],))


def batch(patients: Sequence[str], ages: Sequence[timedelta]) -> list[Received]:
    """A reading of now of each patient, and one of each age, of patients in turn."""
    now = datetime.now(UTC)
    moments = [(patient, now) for patient in patients]
    moments += [(patients[7 * n % len(patients)], now - age) for n, age in enumerate(ages)]
    made = []
    for offset, (patient, moment) in enumerate(moments):
        name = f"r-{ids.derive('late', patient, moment.isoformat()).replace('-', '')[:16]}"
        item = Measurement(name, moment, {"heart_rate": 71.0})
        sent = Upload(patient, f"band-{patient}", now, (item,))
        made.append(Received("vitals.readings", 0, offset, sent, None))
    return made


def round_of(
    connection: Connection, due: Sequence[Policy], work: list[Received], *, together: bool
) -> dict[str, Cost]:
    """Refresh, write, and the cost of refreshing again."""
    for policy in due:
        refreshed(connection, policy)
    limit = timedelta.max if together else time_ranges.LIVE
    with mock.patch.object(time_ranges, "LIVE", limit):
        new = write(connection, work).new["readings"]
    assert new == len(work), "the database has these readings already"
    return {policy.name: refreshed(connection, policy) for policy in due}


def report(what: str, rounds: Sequence[dict[str, Cost]]) -> None:
    """Print the rows of one way of writing: medians of the rounds."""
    for name in AVERAGES:
        costs = [one[name] for one in rounds]
        deleted, inserted, taken = (
            statistics.median(column) for column in zip(*costs, strict=True)
        )
        slowest = max(cost.milliseconds for cost in costs)
        print(
            f"| {what} | {name} | {len(costs)} | {deleted:,.0f} | {inserted:,.0f}"
            f" | {taken:,.1f} | {slowest:,.1f} |",
            flush=True,
        )


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days-late", type=float, default=4)
    parser.add_argument("--late", type=int, default=1, help="Late readings, each a day older.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--before", type=int, default=1, help="Rounds that write all together too.")
    given = parser.parse_args()
    ages = [timedelta(days=given.days_late + number) for number in range(given.late)]
    with psycopg.connect(
        os.environ["VIGIL_DATABASE_URL"], row_factory=dict_row, autocommit=True
    ) as connection:
        print(described(connection))
        connection.execute("SET client_min_messages = log")
        rows = connection.execute("SELECT patient_id FROM patients ORDER BY 1").fetchall()
        patients = [row["patient_id"] for row in rows]
        apart, together = [], []
        with policies(connection) as due:
            for number in range(given.rounds):
                if number < given.before:
                    work = batch(patients, ages)
                    together.append(round_of(connection, due, work, together=True))
                apart.append(round_of(connection, due, batch(patients, ages), together=False))
    print("\n| written | average | rounds | rows deleted | inserted | ms | slowest |")
    print("|---|---|---|---|---|---|---|")
    if together:
        report("in one transaction", together)
    report("late apart", apart)
    print(f"\nLoad average: {' '.join(f'{load:.1f}' for load in os.getloadavg())}")


if __name__ == "__main__":
    main()
