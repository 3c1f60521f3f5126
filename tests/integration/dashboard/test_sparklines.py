"""What is kept of the sparklines is what reading them whole would give, and little is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from dashboard.board import sparklines
from dashboard.board.sparklines import TURNS, Sparklines
from store.database.connections import AsyncConnection, Connection, async_pool
from store.episodes import board
from store.episodes.board import SPARK_POINTS, SparkPoint, SparkSpan, Value
from store.writing.writer import write
from tests.support.messages import measurement, received, withdrawal
from vigil.domain.reading import Measurement, Upload
from vigil.service.settings import Settings

NOON = measurement(0).time
MINUTE = 60
HOUR = 60 * MINUTE


class House:
    """A database that readings are written to, and the sparklines of a board."""

    def __init__(self, writing: Connection, reading: AsyncConnection):
        self._writing = writing
        self._reading = reading
        self.lines = Sparklines()
        self.patients = ["a", "b"]

    def take(self, patient: str, *items: Measurement) -> None:
        arrived = max(item.time for item in items) + timedelta(seconds=2)
        write(self._writing, [received(Upload(patient, "d", arrived, items))])

    def withdraw(self, patient: str, *items: Measurement) -> None:
        write(
            self._writing, [received(withdrawal(*items, patient=patient, time=datetime.now(UTC)))]
        )

    async def newest(self) -> dict[str, Value]:
        values = await board.latest(self._reading)
        return {
            value.patient_id: value
            for value in values
            if value.signal == "heart_rate" and value.patient_id in self.patients
        }

    async def refresh(self, times: int = 1) -> None:
        for _ in range(times):
            await self.lines.refresh(self._reading, await self.newest())

    async def shown(self) -> dict[str, Any]:
        return {patient: dict(self.lines.line_of(patient)) for patient in self.patients}

    async def whole(self) -> dict[str, Any]:
        """What lines that are read for the first time show."""
        fresh = Sparklines()
        await fresh.refresh(self._reading, await self.newest())
        return {patient: dict(fresh.line_of(patient)) for patient in self.patients}


def within(database_url: str, story: Callable[[House], Awaitable[None]]) -> None:
    async def run() -> None:
        settings = Settings(demo=True, database_url=database_url)
        with psycopg.connect(database_url, row_factory=dict_row) as writing:
            async with async_pool(settings) as pool, pool.connection() as reading:
                await reading.set_autocommit(True)
                await story(House(writing, reading))

    asyncio.run(run())


def rates(start: int, stop: int, step: int = 5 * MINUTE, rate: float = 70.0) -> list[Measurement]:
    return [
        measurement(second, heart_rate=rate + second % 7) for second in range(start, stop, step)
    ]


def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """Notes which quarters of whom are asked for."""
    found: list[tuple[str, int, int]] = []
    for name in ("sparks", "newest_sparks"):
        original = getattr(board, name)

        async def noted(
            connection: AsyncConnection, spans: Sequence[SparkSpan], original: Any = original
        ) -> list[SparkPoint]:
            found.extend((span.patient_id, span.since, span.until) for span in spans)
            points: list[SparkPoint] = await original(connection, spans)
            return points

        monkeypatch.setattr(board, name, noted)
    return found


def test_a_new_reading_has_its_quarter_read_and_nothing_else(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(house: House) -> None:
        house.take("a", *rates(0, 6 * HOUR))
        house.take("b", *rates(0, HOUR))
        await house.refresh()
        house.lines._turn = -1  # nobody's turn
        found = asked(monkeypatch)
        await house.refresh()
        assert found == []
        last = board.quarter_of(NOON) + 23
        house.lines._turn = -1
        house.take("a", measurement(6 * HOUR - 2 * MINUTE, heart_rate=99.0))
        await house.refresh()
        assert found == [("a", last, last + 1)]
        house.lines._turn = -1
        house.take("a", measurement(6 * HOUR + 1, heart_rate=88.0))
        await house.refresh()
        assert found[1:] == [("a", last, last + 2)]
        assert house.lines.line_of("a")[SPARK_POINTS - 1] == 88.0
        assert await house.shown() == await house.whole()

    within(database_url, story)


def test_late_readings_are_in_the_line_after_every_turn_at_the_latest(database_url: str) -> None:
    async def story(house: House) -> None:
        house.take("a", *rates(0, 5 * HOUR))
        await house.refresh()
        house.take("a", measurement(2 * HOUR + 7, heart_rate=180.0))
        await house.refresh(TURNS)
        assert await house.shown() == await house.whole()
        assert max(house.lines.line_of("a").values()) > 90

    within(database_url, story)


def test_withdrawn_readings_are_out_of_the_line_at_once(database_url: str) -> None:
    async def story(house: House) -> None:
        right, wrong = rates(0, 3 * HOUR), rates(3 * HOUR, 4 * HOUR, rate=150.0)
        house.take("a", *right, *wrong)
        await house.refresh()
        assert max(house.lines.line_of("a").values()) > 140
        house.lines._turn = -1
        house.withdraw("a", *wrong)
        await house.refresh()
        assert max(house.lines.line_of("a").values()) < 80
        assert await house.shown() == await house.whole()

    within(database_url, story)


def test_who_leaves_is_forgotten_and_read_whole_on_return(database_url: str) -> None:
    async def story(house: House) -> None:
        house.take("a", *rates(0, HOUR))
        house.take("b", *rates(0, HOUR))
        await house.refresh()
        house.patients = ["b"]
        await house.refresh()
        assert dict(house.lines.line_of("a")) == {}
        house.patients = ["a", "b"]
        house.take("a", *rates(2 * HOUR, 3 * HOUR))
        await house.refresh()
        assert await house.shown() == await house.whole()

    within(database_url, story)


def test_only_missing_lines_are_read_where_no_read_is_due(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(house: House) -> None:
        house.take("a", *rates(0, HOUR))
        await house.refresh()
        house.take("a", *rates(HOUR, 2 * HOUR))
        house.take("b", *rates(0, HOUR))
        found = asked(monkeypatch)
        await house.lines.refresh(house._reading, await house.newest(), due=False)
        assert {patient for patient, _, _ in found} == {"b"}
        assert house.lines.line_of("b")
        await house.refresh()
        assert await house.shown() == await house.whole()

    within(database_url, story)


@pytest.mark.parametrize("seed", range(3))
def test_after_every_turn_the_lines_are_those_read_whole(database_url: str, seed: int) -> None:
    """Readings in any order, gaps of hours, withdrawals, patients who come and go."""

    async def story(house: House) -> None:
        random = Random(seed)  # noqa: S311  (not a secret)
        ends = {"a": 0, "b": 0}
        taken: dict[str, list[list[Measurement]]] = {"a": [], "b": []}
        for _ in range(40):
            patient = random.choice("ab")
            what = random.random()
            if what < 0.6:
                start = ends[patient] + random.choice((30, 300, 1200, 9000, 30_000))
                items = rates(start, start + random.choice((60, 600, 4000)), rate=40 + 80 * what)
                ends[patient] = start + 4000
            elif what < 0.8:
                items = [measurement(random.randint(0, ends[patient]), heart_rate=150.0)]
            elif taken[patient]:
                gone = taken[patient].pop(random.randrange(len(taken[patient])))
                house.withdraw(patient, *gone)
                items = []
            else:
                items = []
            if items:
                house.take(patient, *items)
                taken[patient].append(items)
            house.patients = ["a", "b"] if random.random() < 0.9 else [patient]
            await house.refresh()
        house.patients = ["a", "b"]
        await house.refresh(TURNS)
        assert await house.shown() == await house.whole()
        lines: Mapping[str, Any] = await house.shown()
        assert all(0 <= number < SPARK_POINTS for line in lines.values() for number in line)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparklines, "WITHDRAWN_WITHIN", timedelta(seconds=0))
        within(database_url, story)
