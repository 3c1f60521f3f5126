"""The database gives back what was stored, to the last bit, and rounds nothing on its way."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

import store
from store.readings.trends import fetch_trend
from store.writing.writer import write
from tests.support.figures import exact, near_halves
from tests.support.messages import NOON, measurement, received, upload
from vigil.domain import figures
from vigil.domain.signals import SIGNALS

HALVES = {
    "heart_rate": (90.5, 91.5, 40.5), "systolic": (100.5, 159.7631, 90.0074),
    "diastolic": (99.7582, 60.5, 59.5), "temperature": (35.05, 36.05, 38.05),
    "spo2": (93.5, 94.5, 91.5), "respiratory_rate": (8.5, 11.5, 20.5),
}  # fmt: skip
STORE = Path(store.__file__).parent
ROUNDS = re.compile(r"\b(?:round|trunc|ceil|to_char)\s*\(|::\s*(?:numeric|real)\b")


def test_a_stored_value_has_the_figure_of_the_one_that_was_sent(either_url: str) -> None:
    with psycopg.connect(either_url, row_factory=dict_row, prepare_threshold=None) as connection:
        for number in range(3):
            values = {name: several[number] for name, several in HALVES.items()}
            write(connection, [received(upload(measurement(number * 900, "", **values)), number)])
        rows = connection.execute("SELECT signal, value FROM latest").fetchall()
    assert {row["signal"]: row["value"] for row in rows} == {
        name: several[-1] for name, several in HALVES.items()
    }

    async def asked() -> list[dict[str, object]]:
        async with await psycopg.AsyncConnection.connect(
            either_url, row_factory=dict_row, prepare_threshold=None, autocommit=True
        ) as own:
            return await fetch_trend(own, "p1", NOON, NOON + timedelta(minutes=50))

    points = asyncio.run(asked())
    for name, several in HALVES.items():
        drawn = [SIGNALS[name].display(point[f"{name}_avg"]) for point in points]  # type: ignore[arg-type]
        assert drawn == [SIGNALS[name].display(value) for value in several]


@settings(max_examples=5)
@given(values=st.lists(near_halves(400.0), min_size=200, max_size=200))
def test_sql_that_wants_figures_can_have_the_same(postgres_url: str, values: list[float]) -> None:
    """As ``docs/storage.md`` recommends to other readers of the database."""
    with psycopg.connect(postgres_url) as connection:
        for decimals in (0, 1, 2):
            found = connection.execute(
                "SELECT round(v::text::numeric, %s) FROM unnest(%s::float8[])"
                " WITH ORDINALITY AS t (v, n) ORDER BY n",
                (decimals, values),
            ).fetchall()
            assert [row[0] for row in found] == [exact(value, decimals) for value in values]


def test_no_query_rounds() -> None:
    files = [path for room in ("queries", "migrations") for path in (STORE / room).rglob("*.sql")]
    assert len(files) > 30
    assert [path.name for path in files if ROUNDS.search(path.read_text("utf-8"))] == []


def test_every_stored_signal_has_a_figure() -> None:
    assert set(SIGNALS) <= set(figures.DECIMALS)
