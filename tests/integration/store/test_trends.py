"""Trends: the right buckets for the zoom, and the same answers on either database."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.readings.trends import ORIGIN, POINTS, Zoom, choose_zoom, fetch_trend
from store.writing.writer import write
from tests.support.messages import NOON, measurement, received, upload

RELATIONS = {
    "readings_1m": timedelta(minutes=1),
    "readings_15m": timedelta(minutes=15),
    "readings_1h": timedelta(hours=1),
}
SPANS = st.floats(0.001, 40 * 365 * 86_400).map(lambda seconds: timedelta(seconds=seconds))
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2060, 1, 1)).map(  # noqa: DTZ001
    lambda moment: moment.replace(tzinfo=UTC)
)


@given(start=MOMENTS, span=SPANS)
def test_no_zoom_answers_with_more_than_its_points(start: datetime, span: timedelta) -> None:
    width = choose_zoom(start, start + span).width
    first = (start - ORIGIN) // width
    last = (start + span - ORIGIN - timedelta(microseconds=1)) // width
    assert last - first + 1 <= POINTS


@pytest.mark.parametrize(
    ("span", "relation", "seconds"),
    [
        (timedelta(minutes=30), "readings", 1),
        (timedelta(hours=6), "readings", 15),
        (timedelta(days=1), "readings_1m", 60),
        (timedelta(days=7), "readings_15m", 900),
        (timedelta(days=30), "readings_1h", 3600),
        (timedelta(days=365), "readings_1h", 12 * 3600),
        (timedelta(days=4 * 365), "readings_1d", 86_400),
        (timedelta(days=20 * 365), "readings_1d", 4 * 86_400),
    ],
)
def test_zoom_picks_the_finest_that_fits(span: timedelta, relation: str, seconds: int) -> None:
    assert choose_zoom(NOON, NOON + span) == Zoom(relation, timedelta(seconds=seconds))


def fill(connection: Connection, minutes: int = 300) -> list[tuple[datetime, float, float | None]]:
    """Readings every 20 s with gaps; systolic now and then. Stored, and returned."""
    rows: list[tuple[datetime, float, float | None]] = []
    taken = []
    for number in range(minutes * 3):
        if number % 7 == 3 or 200 < number < 260:
            continue
        values: dict[str, float] = {"heart_rate": 60 + number * 7 % 31}
        if number % 45 == 0:
            values["systolic"] = 110 + number * 3 % 17
        taken.append(measurement(number * 20, "", **values))
        rows.append((taken[-1].time, values["heart_rate"], values.get("systolic")))
    for start in range(0, len(taken), 50):
        write(connection, [received(upload(*taken[start : start + 50]), start)])
    write(connection, [received(upload(measurement(heart_rate=200.0), patient="someone else"))])
    connection.commit()
    return rows


def buckets(rows: list[tuple[datetime, float, float | None]], width: timedelta) -> list[Any]:
    """The same in Python: bucket, average, least, greatest and count of the heart rate, and the
    count of systolic pressures."""
    grouped: dict[datetime, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[ORIGIN + (row[0] - ORIGIN) // width * width].append(row)
    answer = []
    for bucket, members in sorted(grouped.items()):
        rates = [rate for _, rate, _ in members]
        pressures = [p for _, _, p in members if p is not None]
        answer.append(
            (
                bucket,
                pytest.approx(fmean(rates)),
                min(rates),
                max(rates),
                len(rates),
                len(pressures),
            )
        )
    return answer


def aggregates(connection: Connection, relation: str) -> list[Any]:
    rows = connection.execute(
        "SELECT bucket, heart_rate_avg, heart_rate_min, heart_rate_max, heart_rate_count,"
        f" systolic_count FROM {relation} WHERE patient_id = 'p1' ORDER BY bucket"
    ).fetchall()
    connection.commit()
    return [tuple(row.values()) for row in rows]


def refresh(connection: Connection) -> None:
    """Do what TimescaleDB's policies do by the clock; on PostgreSQL there is nothing to do."""
    found = connection.execute("SELECT 1 FROM pg_extension WHERE extname = 'timescaledb'")
    timescale = found.fetchone() is not None
    connection.commit()
    if timescale:
        connection.autocommit = True
        for relation in RELATIONS:
            connection.execute(f"CALL refresh_continuous_aggregate('{relation}', NULL, NULL)")
        connection.autocommit = False


@pytest.mark.parametrize("relation", RELATIONS)
def test_aggregates_answer_alike_everywhere(connection: Connection, relation: str) -> None:
    rows = fill(connection)
    width = RELATIONS[relation]
    assert aggregates(connection, relation) == buckets(rows, width)  # not yet materialised
    refresh(connection)
    assert aggregates(connection, relation) == buckets(rows, width)
    late = measurement(205 * 20, heart_rate=99.0)  # into the gap: history is corrected
    write(connection, [received(upload(late, late=5000))])
    connection.commit()
    refresh(connection)
    assert aggregates(connection, relation) == buckets([*rows, (late.time, 99.0, None)], width)


def asked(url: str, start: datetime, end: datetime) -> list[dict[str, Any]]:
    async def ask() -> list[dict[str, Any]]:
        async with await psycopg.AsyncConnection.connect(
            url, row_factory=dict_row, prepare_threshold=None, autocommit=True
        ) as connection:
            return await fetch_trend(connection, "p1", start, end)

    return asyncio.run(ask())


@pytest.mark.parametrize(
    "span",
    [timedelta(minutes=30), timedelta(hours=5), timedelta(days=1), timedelta(days=7),
     timedelta(days=30), timedelta(days=365), timedelta(days=4 * 365), timedelta(days=3650)],
)  # fmt: skip
def test_a_trend_is_the_buckets_of_its_zoom(either_url: str, span: timedelta) -> None:
    with psycopg.connect(either_url, row_factory=dict_row, prepare_threshold=None) as connection:
        rows = fill(connection)
    start, end = NOON + timedelta(minutes=7, seconds=3), NOON + timedelta(minutes=7) + span
    zoom = choose_zoom(start, end)
    relation, width = zoom.relation, zoom.width
    answer = asked(either_url, start, end)
    first = ORIGIN + (start - ORIGIN) // width * width
    if relation == "readings":
        expected = buckets([row for row in rows if first <= row[0] < end], width)
    else:
        expected = [bucket for bucket in buckets(rows, width) if first <= bucket[0] < end]
    assert [
        (r["bucket"], r["heart_rate_avg"], r["heart_rate_min"], r["heart_rate_max"]) for r in answer
    ] == [bucket[:4] for bucket in expected]
    assert answer
    assert all(row["spo2_avg"] is None for row in answer)


@pytest.mark.parametrize("span", [timedelta(days=7), timedelta(days=30), timedelta(days=4 * 365)])
def test_a_trend_has_the_percentiles_of_its_buckets(either_url: str, span: timedelta) -> None:
    with psycopg.connect(either_url, row_factory=dict_row, prepare_threshold=None) as connection:
        rows = fill(connection)
    width = choose_zoom(NOON, NOON + span).width
    grouped: dict[datetime, list[float]] = defaultdict(list)
    for time, rate, _ in rows:
        grouped[ORIGIN + (time - ORIGIN) // width * width].append(rate)
    answer = asked(either_url, NOON, NOON + span)
    assert {row["bucket"] for row in answer} == set(grouped)
    for row in answer:
        rates = sorted(grouped[row["bucket"]])
        for percent in (10, 50, 90):
            place = (len(rates) - 1) * percent / 100
            low, high = rates[int(place)], rates[min(int(place) + 1, len(rates) - 1)]
            expected = low + (high - low) * (place - int(place))
            assert row[f"heart_rate_p{percent}"] == pytest.approx(expected)
        assert row["spo2_p50"] is None


def test_nothing_measured_is_an_empty_answer(either_url: str) -> None:
    assert asked(either_url, NOON, NOON + timedelta(days=1)) == []
    assert asked(either_url, NOON, NOON) == []
