"""How quickly the pages' queries answer over a month of a thousand patients.

``python -m benchmarks.board_queries [--patients 1000] [--days 30] [--every-seconds 60]`` fills the
database at ``VIGIL_DATABASE_URL`` where it holds no reading (43 million rows by default: it takes
its time), and then asks what the pages ask, each so many times with the caches warm, over patients
drawn at random. The time is that of the page's own function: question, answer, and rows as Python
values. Meant for native TimescaleDB; it says what it ran on.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

import psycopg
from msgspec.structs import replace
from psycopg.rows import dict_row

from benchmarks import board_load
from dashboard.board.snapshot import read_ward
from dashboard.board.sparklines import Sparklines
from dashboard.patient.trend import SPANS
from dashboard.shell.context import WebContext
from store.database.connections import AsyncConnection, Connection, async_pool
from store.database.migrate import migrate
from store.episodes import board, burden, evidence, shift
from store.episodes.feed import BoardFeed
from store.people import phones, roster
from store.readings import trends
from vigil.composition.stage import tune_garbage_collection
from vigil.service.settings import Settings

LIMIT_MS = 50.0
"""At the 95th percentile, for what a person waits for."""
LONGEST_SECONDS = 30.0
"""No question is asked for longer than this, however often it was to be asked."""

Ask = Callable[[], Awaitable[Any]]


class Asked(NamedTuple):
    """A question, and whether the limit is for it."""

    what: str
    ask: Ask
    limited: bool = True


def prepared(settings: Settings, ward: tuple[int, int, int]) -> str:
    """Migrate, and fill what is empty; says what server it is and how much is there."""
    migrate(settings.database())
    with psycopg.connect(settings.database(), row_factory=dict_row, autocommit=True) as connection:
        begun = connection.execute("SELECT FROM readings LIMIT 1").rowcount
        if begun and not connection.execute("SELECT FROM events LIMIT 1").rowcount:
            raise SystemExit("The database was filled in part: empty it, then try again.")
        if not begun:
            patients, days, every_seconds = ward
            end = datetime.now(UTC).replace(second=0, microsecond=0)
            began = time.monotonic()
            made = board_load.Ward(patients, days, every_seconds, end)
            board_load.load(
                connection, made, lambda what: print(f"{time.monotonic() - began:6.0f} s  {what}")
            )
        return described(connection)


def described(connection: Connection) -> str:
    """The server, and what it holds."""
    row = connection.execute(
        "SELECT version() AS server, (SELECT count(*) FROM patients) AS patients,"
        " (SELECT count(*) FROM readings) AS readings, (SELECT count(*) FROM events) AS events,"
        " (SELECT max(time) - min(time) FROM readings) AS span"
    ).fetchone()
    assert row is not None
    wasm = " in WASM" if "emscripten" in row["server"] else ", native"
    extension = board_load.timescale(connection)
    server = " ".join(row["server"].split()[:2])
    kind = f"TimescaleDB {extension} on {server}" if extension else server
    return (
        f"{kind}{wasm}; {row['patients']:,} patients, {row['readings']:,} readings over"
        f" {row['span'].days + 1} days, {row['events']:,} steps of episodes"
    )


class Pages:
    """What the pages ask, of patients drawn at random."""

    def __init__(
        self, context: WebContext, connection: AsyncConnection, rates: Mapping[str, board.Value]
    ):
        """``rates`` is every patient's newest heart rate."""
        self._context = context
        self._connection = connection
        self._rates = rates
        self._patients = sorted(rates)
        self._random = Random(1)
        self._end = datetime.now(UTC)
        self._sparklines = Sparklines()
        self._asked = 0

    def questions(self) -> list[Asked]:
        """All of them."""
        return [
            Asked("ward board: all that a change asks", self._board),
            Asked("… who is enrolled", lambda: board.patients(self._connection)),
            Asked("… the latest values", lambda: board.latest(self._connection)),
            Asked("… the episodes on the board", lambda: board.active_episodes(self._connection)),
            Asked("ward board: sparklines, each 30 s", self._new_of_sparklines),
            Asked("… all read whole, at the start", self._whole_sparklines, False),
            *(Asked(f"patient's trend, {name}", self._trend(span)) for name, span in SPANS.items()),
            Asked("patient's trend, 1 year", self._trend(timedelta(days=365))),
            Asked("patient's page: values, episodes, what they rest on, deeds", self._patient),
            Asked("patient's phone: messages and answers", self._phone),
            Asked("summary of a patient's 12 hours", self._shift_of_patient),
            Asked("summary of a ward's 12 hours", self._shift_of_ward),
            Asked(
                "administration: patients", lambda: roster.patient_lines(self._connection), False
            ),
            Asked("administration: devices", lambda: roster.device_lines(self._connection), False),
            Asked("administration: alarm burden", self._burden, False),
        ]

    def _someone(self) -> str:
        return self._random.choice(self._patients)

    async def _board(self) -> object:
        return await read_ward(self._context, Sparklines())

    async def _whole_sparklines(self) -> None:
        await Sparklines().refresh(self._connection, self._rates)

    async def _new_of_sparklines(self) -> None:
        """Where everybody has a reading that was not known at the read before."""
        self._asked += 1
        later = timedelta(microseconds=self._asked)
        newest = {
            patient: replace(value, received_at=value.received_at + later)
            for patient, value in self._rates.items()
        }
        await self._sparklines.refresh(self._connection, newest)

    def _trend(self, span: timedelta) -> Ask:
        async def ask() -> None:
            patient = self._someone()
            values = await board.latest(self._connection, patient)
            end = max(value.time for value in values) + timedelta(minutes=1)
            points = await trends.fetch_trend(self._connection, patient, end - span, end)
            assert 0 < len(points) <= trends.POINTS

        return ask

    async def _patient(self) -> None:
        patient = self._someone()
        values = await board.latest(self._connection, patient)
        since = max(value.time for value in values) - timedelta(days=30)
        shown = await board.episodes_of(self._connection, patient, since)
        ids = [episode.episode_id for episode in shown]
        await evidence.bases(self._connection, ids)
        await evidence.actions_of_events(self._connection, ids)

    async def _phone(self) -> None:
        patient = self._someone()
        shown = await phones.messages(self._connection, patient, 50)
        await phones.answers(self._connection, patient, [row["episode_id"] for row in shown])

    async def _shift_of_patient(self) -> object:
        start = self._end - timedelta(hours=12)
        of = shift.Subject(patient_id=self._someone())
        return await shift.fetch_shift(self._connection, of, start, self._end)

    async def _shift_of_ward(self) -> object:
        start = self._end - timedelta(hours=12)
        return await shift.fetch_shift(
            self._connection, shift.Subject(ward="Ward A"), start, self._end
        )

    async def _burden(self) -> object:
        return await burden.by_ward(self._connection)


async def measured(asked: Asked, times: int) -> list[float]:
    """Milliseconds of each answer, in order of length, after five that do not count."""
    taken: list[float] = []
    stop = time.monotonic() + LONGEST_SECONDS
    for number in range(times + 5):
        began = time.perf_counter()
        await asked.ask()
        if number >= 5:
            taken.append(1000 * (time.perf_counter() - began))
        if time.monotonic() > stop and taken:
            break
    return sorted(taken)


def line(asked: Asked, taken: list[float]) -> str:
    """A row of the table."""
    at = {percent: taken[round((len(taken) - 1) * percent / 100)] for percent in (50, 95, 100)}
    verdict = "–"
    if asked.limited:
        verdict = "yes" if at[95] < LIMIT_MS else "no"
    figures = " | ".join(f"{at[percent]:.1f}" for percent in (50, 95, 100))
    return f"| {asked.what} | {len(taken)} | {figures} | {verdict} |"


async def report(settings: Settings, times: int) -> None:
    """Ask everything and print the table."""
    async with async_pool(settings, size=2) as pool:
        context = WebContext(settings=settings, pool=pool, feed=BoardFeed(settings))
        async with context.database() as connection:
            values = await board.latest(connection)
            rates = {value.patient_id: value for value in values if value.signal == "heart_rate"}
            tune_garbage_collection()  # as the web process does at its start
            print(f"\n| asked | times | p50, ms | p95, ms | max, ms | p95 < {LIMIT_MS:.0f} ms |")
            print("|---|---|---|---|---|---|")
            for asked in Pages(context, connection, rates).questions():
                print(line(asked, await measured(asked, times)), flush=True)
    print(f"\nLoad average: {' '.join(f'{load:.1f}' for load in os.getloadavg())}")


def main(environment: Mapping[str, str] = os.environ) -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="The pages' queries over weeks of a large ward.")
    parser.add_argument("--patients", type=int, default=1000)
    parser.add_argument("--days", type=int, default=30)
    parser.add_argument("--every-seconds", type=int, default=60)
    parser.add_argument("--times", type=int, default=200, help="How often each question is asked.")
    given = parser.parse_args()
    if "VIGIL_DATABASE_URL" not in environment:
        parser.error("VIGIL_DATABASE_URL must name a database that may be filled.")
    settings = Settings(demo=True, database_url=environment["VIGIL_DATABASE_URL"])
    print(prepared(settings, (given.patients, given.days, given.every_seconds)))
    asyncio.run(report(settings, given.times))


if __name__ == "__main__":
    main()
