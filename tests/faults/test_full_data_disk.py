"""The disk below a running ``vigil up`` is full, really: it waits, and no reading is lost.

The database ends itself when it can write no log of its own, and cannot start again until there is
room. The broker here keeps its log in memory: were ``vigil up`` to end, every reading that it had
acknowledged and not stored would be gone.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta

import httpx
import psycopg
import pytest

from local.restarter import PAUSE
from store.database.connections import connect
from store.people import patients
from tests.support.disks import fill, small_disk
from tests.support.processes import open_folder
from tests.support.running import eventually
from tests.support.whole import Whole, whole
from vigil.service.settings import Settings
from vigil.values.clock import utc_now

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(900)]

KAFKA_HOME = os.environ.get("KAFKA_HOME")
FIRST, MEANWHILE = 50, 300
START = utc_now().replace(microsecond=0) - timedelta(hours=1)


def test_a_full_disk_makes_everything_wait_and_loses_no_reading() -> None:
    with (
        small_disk(320 << 20) as disk,
        open_folder() as folder,
        whole(folder, None, "up", "--data", str(disk / "data")) as system,
        _door(system) as door,
    ):
        url = system.environment()["VIGIL_DATABASE_URL"]
        _send(door, 0, FIRST)
        eventually(lambda: _stored(url) == FIRST)

        filler = fill(disk)
        _need_room(url)
        eventually(lambda: "database ended" in (folder / "terminal.txt").read_text(), 180)
        # Supervisord has given up by now, after its four attempts; what follows is ours alone.
        _send(door, FIRST, MEANWHILE)
        time.sleep(PAUSE + 1)  # longer than until our next attempt

        assert (folder / "terminal.txt").read_text().count("is full") == 1
        filler.unlink()
        eventually(lambda: _stored(url) == FIRST + MEANWHILE, 180)
        logs = disk / "data" / "logs"
        assert sum(file.stat().st_size for file in logs.iterdir()) < 10_000_000


@pytest.mark.skipif(KAFKA_HOME is None, reason="KAFKA_HOME names no Apache Kafka")
def test_apache_kafka_comes_back_by_itself_once_there_is_room() -> None:
    """It ends itself; the door takes nothing then, and what it had acknowledged is there after."""
    with (
        small_disk(512 << 20) as disk,
        open_folder() as folder,
        whole(folder, KAFKA_HOME, "up", "--data", str(disk / "data")) as system,
        _door(system) as door,
    ):
        url = system.environment()["VIGIL_DATABASE_URL"]
        filler = fill(disk)
        taken = 0
        with suppress(AssertionError):
            for n in range(100_000):
                _send(door, n, 1)
                taken = n + 1
        eventually(lambda: "broker died" in (folder / "terminal.txt").read_text(), 180)
        assert "is full" in (folder / "terminal.txt").read_text()
        filler.unlink()
        eventually(lambda: _taken(door, taken), 180)
        eventually(lambda: _stored(url) == taken + 1, 180)


def _taken(door: httpx.Client, n: int) -> bool:
    try:
        _send(door, n, 1)
    except (AssertionError, httpx.HTTPError):
        return False
    return True


@contextmanager
def _door(system: Whole) -> Iterator[httpx.Client]:
    url = system.environment()["VIGIL_DATABASE_URL"]
    with connect(Settings(database_url=url)) as connection:
        patients.enrol(connection, patients.Patient("p1", "ward-1", "Avery Example"))
        secret = patients.add_device(connection, patients.Device("watch-1", patient_id="p1"))
    base = system.environment()["VIGIL_PUBLIC_URL"]
    key = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=base, headers=key, timeout=30) as door:
        eventually(lambda: door.post("/v1/readings", json={"readings": []}).status_code != 401)
        yield door


def _send(door: httpx.Client, first: int, count: int) -> None:
    """Readings of so many different seconds, each acknowledged by the door."""
    for n in range(first, first + count):
        moment = (START + timedelta(seconds=n)).isoformat()
        reading = {"patient_id": "p1", "time": moment, "values": {"heart_rate": 66}}
        answer = door.post("/v1/readings", json={"readings": [reading]})
        assert answer.status_code == 200, answer.text


def _stored(url: str) -> int:
    with suppress(psycopg.Error), psycopg.connect(url, connect_timeout=2) as connection:
        row = connection.execute("SELECT count(*) FROM readings").fetchone()
        assert row is not None
        return int(row[0])
    return -1


def _need_room(url: str) -> None:
    """Have the database write to its log until there is no room for more, and it ends."""
    with psycopg.connect(url, autocommit=True) as connection, suppress(psycopg.Error):
        while True:
            connection.execute("SELECT pg_logical_emit_message(true, 'fill', repeat('x', 100000))")
