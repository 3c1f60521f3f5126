"""A crisis of August that comes again in November: on the board as history, and nobody is paged."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dashboard.board.rows import render_row
from dashboard.board.snapshot import Wards
from dashboard.shell.context import WebContext
from detectors.configuration import loading
from explain.templates.compose import compose
from history import offline_replay
from ingest.recordings.reader import read_uploads
from store.database.connections import Connection, async_pool, connect, open_pool
from store.episodes.feed import BoardFeed
from store.writing.writer import write
from tests.integration.notify.test_planner import Desk
from tests.support.messages import received
from tests.support.notify_examples import log_of
from tests.support.timeouts import TIMEOUT
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.reading import Upload
from vigil.service.settings import Settings

AUGUST = datetime(2026, 8, 5, 8, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 30, 9, tzinfo=UTC)
CRISIS = ((192, 124), (194, 125), (190, 123), (186, 119), (150, 92), (132, 84), (128, 82))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is there: a connection to it is waited for, however busy the machine is."""
    monkeypatch.setattr("dashboard.shell.context.UNAVAILABLE_TIMEOUT_SECONDS", TIMEOUT)


@pytest.fixture
def crisis(tmp_path: Path) -> list[Upload]:
    """Pressures of a morning in August, as a recording has them."""
    rows = ["patient_id,time,heart_rate,systolic,diastolic"]
    for number, (systolic, diastolic) in enumerate(CRISIS):
        time = AUGUST + number * timedelta(minutes=10)
        rows.append(f"p1,{time:%Y-%m-%dT%H:%MZ},84,{systolic},{diastolic}")
    path = tmp_path / "august.csv"
    path.write_text("\n".join(rows) + "\n")
    return list(read_uploads(path))


@pytest.fixture
def desk(database_url: str) -> Iterator[Desk]:
    settings = Settings(demo=True, database_url=database_url)
    with open_pool(settings) as pool, connect(settings, autocommit=True) as connection:
        connection.execute("INSERT INTO patients (patient_id, ward) VALUES ('p1', 'A')")
        yield Desk(pool, connection)


def found(crisis: list[Upload]) -> tuple[list[Event], list[Alert]]:
    events = list(offline_replay.detect(crisis, loading.load(None)))
    return events, [compose(event) for event in events]


def store(connection: Connection, crisis: list[Upload], published: datetime) -> None:
    events, alerts = found(crisis)
    messages: list[Upload | Event | Alert] = [*crisis, *events, *alerts]
    write(connection, [received(message, n, published) for n, message in enumerate(messages)])


async def row_of(settings: Settings) -> str:
    async with async_pool(settings) as pool:
        context = WebContext(settings=settings, pool=pool, feed=BoardFeed(settings))
        [seen] = await Wards(context).read()
        return " ".join(render_row(seen, judged=True).html.split())


def test_a_replayed_crisis_pages_nobody_and_has_its_own_date(
    desk: Desk, crisis: list[Upload], database_url: str
) -> None:
    events, alerts = found(crisis)
    assert {event.priority for event in events} & {"high", "medium"}
    desk.take(*alerts, at=NOVEMBER)
    desk.take(*alerts, at=NOVEMBER + timedelta(days=1))  # dead letters that are sent again
    assert log_of(desk.connection) == []
    store(desk.connection, crisis, NOVEMBER)
    row = asyncio.run(row_of(Settings(demo=True, database_url=database_url)))
    assert "history" in row
    assert "05 Aug" in row
    assert "Nov" not in row


def test_the_same_crisis_pages_when_it_happens(
    desk: Desk, crisis: list[Upload], database_url: str
) -> None:
    desk.now = AUGUST
    for alert in found(crisis)[1]:
        desk.take(alert, at=alert.time + timedelta(seconds=2))
    log = log_of(desk.connection)
    assert {row["channel"] for row in log} == {"web_push", "on_call"}
    assert {row["happened_at"].date() for row in log} == {AUGUST.date()}
    store(desk.connection, crisis, AUGUST + timedelta(minutes=30))
    assert "history" not in asyncio.run(row_of(Settings(demo=True, database_url=database_url)))
