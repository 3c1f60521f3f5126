"""Percentiles, one patient's buckets, and late readings: the same answers on either database."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from itertools import pairwise
from random import Random
from statistics import quantiles
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.readings.trends import ORIGIN
from store.writing.writer import write
from tests.support.messages import NOON, measurement, received, upload, withdrawal
from vigil.domain.reading import Measurement

WIDTHS = {
    "readings_1m": timedelta(minutes=1),
    "readings_15m": timedelta(minutes=15),
    "readings_1h": timedelta(hours=1),
    "readings_1d": timedelta(days=1),
}
BANDS = [relation for relation in WIDTHS if relation != "readings_1m"]


def is_timescale(connection: Connection) -> bool:
    found = connection.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    connection.commit()
    return found is not None


def settle(connection: Connection, *, pack: bool = False) -> None:
    """Do what TimescaleDB's policies do by the clock; on plain PostgreSQL there is nothing to do.

    Args:
        pack: everything into the columnstore, whatever its age.
    """
    if not is_timescale(connection):
        return
    connection.autocommit = True
    for relation in WIDTHS:
        connection.execute(f"CALL refresh_continuous_aggregate('{relation}', NULL, NULL)")
    for relation in ("readings", *WIDTHS) if pack else ():
        connection.execute(f"SELECT compress_chunk(c) FROM show_chunks('{relation}') c")
    connection.autocommit = False


def store(connection: Connection, taken: list[Measurement], late: float = 1, **rest: Any) -> int:
    """Write them, 50 an upload; how many were new."""
    new = 0
    for start in range(0, len(taken), 50):
        part = upload(*taken[start : start + 50], late=late, **rest)
        new += write(connection, [received(part, start)]).new["readings"]
    connection.commit()
    return new


def history(days: float = 2.5) -> list[Measurement]:
    """A heart rate every 7 minutes, with pressures now and then."""
    random = Random(11)  # noqa: S311  (not a secret)
    taken = []
    for number in range(int(days * 1440 / 7)):
        values = {"heart_rate": float(random.randint(50, 110))}
        if number % 9 == 0:
            values |= {"systolic": float(random.randint(100, 150))}
        taken.append(measurement(number * 420, "", **values))
    return taken


def expected(
    taken: list[Measurement], signal: str, width: timedelta
) -> dict[datetime, tuple[Any, ...]]:
    """Bucket → average, least, greatest, count and the three percentiles, computed in Python."""
    grouped: dict[datetime, list[float]] = defaultdict(list)
    for one in taken:
        if signal in one.values:
            grouped[ORIGIN + (one.time - ORIGIN) // width * width].append(one.values[signal])
    return {
        bucket: (pytest.approx(sum(v) / len(v)), min(v), max(v), len(v), *percentiles(v))
        for bucket, v in grouped.items()
    }


def percentiles(values: list[float]) -> list[Any]:
    """The 10th, 50th and 90th, between the two values that they lie between."""
    if len(values) == 1:
        return values * 3
    cuts = quantiles(values, n=10, method="inclusive")
    return [pytest.approx(cuts[place]) for place in (0, 4, 8)]


def answered(
    connection: Connection, relation: str, signal: str, where: str = "", values: Any = ()
) -> dict[datetime, tuple[Any, ...]]:
    figures = ("avg", "min", "max", "count") + (("p10", "p50", "p90") if relation in BANDS else ())
    columns = ", ".join(f"{signal}_{figure}" for figure in figures)
    rows = connection.execute(
        f"SELECT bucket, {columns} FROM {where or relation}"
        f" WHERE patient_id = 'p1' AND {signal}_count > 0 ORDER BY bucket",
        values,
    ).fetchall()
    connection.commit()
    assert all(earlier["bucket"] < later["bucket"] for earlier, later in pairwise(rows))
    return {row.pop("bucket"): tuple(row.values()) for row in rows}


def cut(wanted: dict[datetime, tuple[Any, ...]], relation: str) -> dict[datetime, tuple[Any, ...]]:
    return {k: v if relation in BANDS else v[:4] for k, v in wanted.items()}


@pytest.mark.parametrize("relation", WIDTHS)
def test_figures_are_exact_before_and_after_they_are_kept(
    connection: Connection, relation: str
) -> None:
    taken = history()
    store(connection, taken)
    for _ in range(2):
        for signal in ("heart_rate", "systolic"):
            wanted = expected(taken, signal, WIDTHS[relation])
            assert answered(connection, relation, signal) == cut(wanted, relation)
        settle(connection)


@pytest.mark.parametrize("relation", WIDTHS)
def test_one_patients_buckets_begin_within_the_span(connection: Connection, relation: str) -> None:
    taken = history()
    store(connection, taken)
    store(connection, [measurement(0, heart_rate=200.0)], patient="someone else")
    width = WIDTHS[relation]
    whole = cut(expected(taken, "heart_rate", width), relation)
    first = ORIGIN + (NOON - ORIGIN) // width * width
    for since, until in (
        (first, NOON + timedelta(days=9)),
        (first + timedelta(microseconds=1), first + 3 * width),
        (first + width, first + 2 * width + timedelta(microseconds=1)),
        (first + width, first + width),
    ):
        wanted = {bucket: row for bucket, row in whole.items() if since <= bucket < until}
        of_it = f"{relation}_of('p1', %s, %s)"
        answer = answered(connection, relation, "heart_rate", of_it, (since, until))
        assert answer == wanted


def test_late_readings_after_packing_are_stored_once_and_correct_the_figures(
    connection: Connection,
) -> None:
    taken = history()
    store(connection, taken)
    settle(connection, pack=True)
    late = [measurement(200 + number * 840, "", heart_rate=160.0) for number in range(40)]
    assert store(connection, taken) == 0  # packed rows, again
    assert store(connection, [*late[:20], *taken[5:30]], late=500_000) == 20
    assert store(connection, late, late=500_000) == 20
    settle(connection)
    assert store(connection, [*taken, *late]) == 0
    row = connection.execute("SELECT count(*) AS n FROM readings").fetchone()
    assert row == {"n": len(taken) + len(late)}
    for relation, width in WIDTHS.items():
        wanted = cut(expected([*taken, *late], "heart_rate", width), relation)
        assert answered(connection, relation, "heart_rate") == wanted
    settle(connection, pack=True)  # it can be packed again
    assert store(connection, late) == 0


def test_another_value_at_a_compressed_time_is_stored_too(connection: Connection) -> None:
    taken = history(0.5)
    store(connection, taken)
    settle(connection, pack=True)
    corrected = measurement(420, "", heart_rate=44.0)  # another content, so another id
    assert corrected.time == taken[1].time
    assert store(connection, [corrected]) == 1
    settle(connection)
    wanted = cut(expected([*taken, corrected], "heart_rate", WIDTHS["readings_1m"]), "readings_1m")
    assert answered(connection, "readings_1m", "heart_rate") == wanted


def test_a_span_of_one_patient_is_found_by_the_tables_key(database_url: str) -> None:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        store(connection, history())
        connection.execute("ANALYZE readings")
        connection.execute("SET enable_seqscan = off")
        rows = connection.execute(
            "EXPLAIN SELECT bucket, heart_rate_p50 FROM readings_1h_of('p1', %s, %s)",
            (NOON, NOON + timedelta(hours=5)),
        ).fetchall()
    plan = "\n".join(str(next(iter(row.values()))) for row in rows)
    condition = next(line for line in plan.splitlines() if "Index Cond" in line and "time" in line)
    assert "readings_pkey" in plan, plan
    assert "patient_id" in condition, plan


INVALID = """
    SELECT lowest_modified_value AS lowest, greatest_modified_value AS greatest
    FROM _timescaledb_catalog.continuous_aggs_hypertable_invalidation_log
    ORDER BY 1
"""
"""What TimescaleDB will compute again, in microseconds since 1970."""


def invalid(connection: Connection) -> list[tuple[float, float]]:
    """Its ranges, in seconds after noon."""
    rows = connection.execute(INVALID).fetchall()
    connection.commit()
    noon = NOON.timestamp()
    return [(row["lowest"] / 1e6 - noon, row["greatest"] / 1e6 - noon) for row in rows]


def test_late_readings_among_live_ones_have_only_their_minutes_computed_again(
    connection: Connection,
) -> None:
    if not is_timescale(connection):
        pytest.skip("plain PostgreSQL computes its averages when they are asked for")
    day = 86_400
    store(connection, [measurement(60 * number) for number in range(0, 6 * 1440, 7)])
    settle(connection)
    assert invalid(connection) == []
    live = [measurement(6 * day - 600 + number, heart_rate=80.0) for number in range(100)]
    late = [measurement(age, heart_rate=99.0) for age in (90, 2 * day + 10, 2 * day + 700, 5 * day)]
    mixed = upload(*late[:2], *live[:50])
    others = [upload(late[2], *live[50:]), upload(late[3], patient="p2")]
    write(connection, [received(one, place) for place, one in enumerate([mixed, *others])])
    connection.commit()
    ranges = invalid(connection)
    assert all(greatest - lowest <= 100 for lowest, greatest in ranges), ranges
    assert {lowest for lowest, _ in ranges} >= {90, 2 * day + 10, 2 * day + 700, 5 * day}
    assert len(ranges) <= 5


def test_a_withdrawal_among_live_readings_has_only_its_minutes_computed_again(
    connection: Connection,
) -> None:
    if not is_timescale(connection):
        pytest.skip("plain PostgreSQL computes its averages when they are asked for")
    day = 86_400
    wrong = [measurement(number, heart_rate=150.0) for number in (0, 60, 120)]
    store(connection, wrong)
    store(connection, [measurement(6 * day - 60)])
    settle(connection)
    batch = [received(upload(measurement(6 * day)), 1), received(withdrawal(*wrong), 2)]
    assert write(connection, batch).new == {"readings": 1, "withdrawals": 1}
    connection.commit()
    assert (0.0, 120.0) in invalid(connection)
    assert all(greatest - lowest <= 120 for lowest, greatest in invalid(connection))
