"""A ward's burden of alarms: which count, and over which days."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.episodes import burden
from store.episodes.burden import Burden
from store.writing.writer import write
from tests.support.messages import NOON, measurement, received, upload
from tests.support.seed import Seed

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def seed(connection: Connection) -> Seed:
    """A seed whose now is the newest reading of ``p1``."""
    return Seed(connection, NOON)


def measured(connection: Connection, patient_id: str, *days_before: float) -> None:
    readings = [measurement(-days * 86_400, heart_rate=70.0) for days in days_before]
    write(connection, [received(upload(each, patient=patient_id)) for each in readings])


def wards(url: str) -> list[Burden]:
    async def ask() -> list[Burden]:
        async with await psycopg.AsyncConnection.connect(
            url, row_factory=dict_row, prepare_threshold=None, autocommit=True
        ) as connection:
            return await burden.by_ward(connection)

    return asyncio.run(ask())


def test_what_counts_and_over_which_days(seed: Seed, either_url: str) -> None:
    seed.patient("p1", ward="Ward A")
    seed.patient("p2", ward="Ward A")  # never measured
    measured(seed.connection, "p1", 0, 0.5, 2.5, 6.9, 7.1)
    seed.event("p1", "heart_rate_high", priority="high", onset=HOUR)
    seed.event("p1", "heart_rate_low", onset=2 * DAY, phase="closed", ended=DAY)
    seed.event("p1", "heart_rate_unusual", priority="low", onset=3 * DAY)
    seed.event("p1", "heart_rate_high", onset=8 * DAY)  # before
    seed.event("p1", "no_data", onset=HOUR)  # technical
    seed.event("p1", "blood_pressure_high", onset=HOUR, retrospective=True)  # history when it came
    seed.connection.commit()
    seed.connection.close()
    assert wards(either_url) == [Burden("Ward A", 2, 3, high=1, medium=1, low=1)]


def test_a_recording_of_long_ago_counts_from_its_own_end(seed: Seed, either_url: str) -> None:
    for number, before in enumerate((0, 900)):
        seed.patient(f"p{number}", ward=f"Ward {number}")
        measured(seed.connection, f"p{number}", before, before + 1)
        seed.event(f"p{number}", "heart_rate_high", onset=before * DAY + HOUR)
    seed.connection.commit()
    seed.connection.close()
    assert [(ward.patient_days, ward.alarms) for ward in wards(either_url)] == [(2, 1), (2, 1)]


def test_removed_patients_do_not_count(seed: Seed, either_url: str) -> None:
    seed.patient("p1")
    seed.connection.execute("UPDATE patients SET active = false")
    seed.connection.commit()
    seed.connection.close()
    assert wards(either_url) == []
