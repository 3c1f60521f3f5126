"""A rebuild from stored readings, on either database and one connection."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from history.rebuild import Outcome, Window, compare_with_live, fill_shadow
from history.rebuild_sources import FromStore
from store.database.connections import Connection
from store.episodes.shadow import Shadow
from store.people.patients import Patient, enrol_many
from store.readings.history import Range
from store.writing.writer import write
from tests.support.messages import received
from tests.support.vitals import HOUR, RESTING, at, config, detect, heart, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

NOW = at(10 * HOUR)
RATES = [*[70.0 + n % 3 for n in range(60)], *[165.0 + n % 2 for n in range(60)]]


@pytest.fixture
def connection(connection: Connection) -> Iterator[Connection]:
    """Without a shadow afterwards: one server of TimescaleDB serves all tests."""
    yield connection
    connection.rollback()
    connection.execute("DROP SCHEMA IF EXISTS shadow CASCADE")
    connection.commit()


def live(connection: Connection, uploads: list[Upload]) -> None:
    """What a system that has seen them holds."""
    enrol_many(connection, [Patient("p1", "a"), Patient("p2", "b")])
    announced: list[Upload | Event] = [*uploads, *detect(uploads, **RESTING)]
    write(connection, [received(one, number) for number, one in enumerate(announced)])
    connection.commit()


def rebuilt(connection: Connection, ward: str | None = None) -> Outcome:
    shadow = Shadow(connection, "shadow")
    source = FromStore(connection, config(**RESTING), Range(ward), silence=False)
    fill_shadow(shadow, source, question="q", cut=NOW, on_progress=lambda _done, _of: None)
    return compare_with_live(shadow, source, window=Window())


def buffered() -> Upload:
    """Of before: what a device sent an hour late."""
    rates = heart([165.0] * 30, start=-HOUR)
    return upload(*(m for one in rates for m in one.measurements), received=2.5 * HOUR)


def test_stored_readings_give_the_announced_events(connection: Connection) -> None:
    live(connection, [*heart(RATES), *heart(RATES, patient="p2"), buffered()])
    outcome = rebuilt(connection)
    assert len(outcome.compared) >= 2
    assert outcome.different == []
    assert outcome.live_by == outcome.shadow_by


def test_a_reading_that_the_store_has_lost_shows(connection: Connection) -> None:
    live(connection, [*heart(RATES), *heart(RATES, patient="p2")])
    for since in (at(HOUR), at(0)):
        connection.execute("DELETE FROM readings WHERE patient_id = 'p2' AND time >= %s", (since,))
        connection.commit()
        different = rebuilt(connection).different
        assert {(one.verdict, one.patient_id) for one in different} == {("only live", "p2")}


def test_what_came_a_moment_ago_is_not_compared(connection: Connection) -> None:
    on_its_way = upload(measured(10 * HOUR, {"heart_rate": 210.0}, "rest"))
    live(connection, heart(RATES))
    write(connection, [received(on_its_way)])
    fresh = heart([210.0] * 30, start=10 * HOUR)
    live(connection, [*heart(RATES), *fresh])
    outcome = rebuilt(connection)
    assert outcome.different == []
    assert outcome.left_out["known after what was played"] > 0
