"""A shadow next to the live tables, on either database."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from store.database.connections import Connection
from store.episodes import shadow
from store.episodes.shadow import RebuildStart, Shadow, Span, live_patients, live_steps
from store.writing.writer import write
from tests.support.messages import NOON, event, received
from vigil.service.errors import InputError

CUT = NOON + timedelta(hours=1)
SPAN = Span(NOON, NOON + timedelta(minutes=5), 5)


@pytest.fixture
def connection(connection: Connection) -> Iterator[Connection]:
    """Without the schemas of the test before: one server of TimescaleDB serves them all."""
    yield connection
    connection.rollback()
    for name in ("shadow", "shadow_of_mine"):
        connection.execute(f"DROP SCHEMA IF EXISTS {name} CASCADE")
    connection.commit()


def filled(connection: Connection, *units: str, question: str = "q") -> Shadow:
    """A shadow in which each unit is a patient with an episode of two steps."""
    made = Shadow(connection, "shadow")
    made.begin(question, CUT)
    for unit in units:
        with made.filling(unit):
            made.add_events([event(unit), event(unit, 1)])
            made.add_spans({unit: SPAN})
    return made


def interrupted(made: Shadow, unit: str) -> None:
    """A unit that somebody stops in the middle."""
    with made.filling(unit):
        made.add_events([event(unit)])
        raise KeyboardInterrupt


def count(connection: Connection, relation: str) -> int:
    row: Any = connection.execute(f"SELECT count(*) AS n FROM {relation}").fetchone()
    return int(row["n"])


def test_what_was_made_is_there_and_the_live_tables_are_as_they_were(
    connection: Connection,
) -> None:
    write(connection, [received(event("p1")), received(event("p9"), 1)])
    connection.commit()
    made = filled(connection, "p1", "p2")
    assert [(step.sequence, step.priority) for step in made.steps("p1")] == [
        (0, "medium"), (1, "medium"),
    ]  # fmt: skip
    assert made.steps("p1")[0] == live_steps(connection, "p1")[0]
    assert made.patients() == {"p1": SPAN, "p2": SPAN}
    assert live_patients(connection) == ["p1", "p9"]
    assert (count(connection, "shadow.events"), count(connection, "shadow.episodes")) == (4, 2)
    assert (count(connection, "events"), count(connection, "episodes")) == (2, 2)
    row: Any = connection.execute("SELECT phase, sequence FROM shadow.episodes").fetchone()
    assert tuple(row.values()) == ("updated", 1)


def test_an_interrupted_rebuild_goes_on_and_a_finished_or_another_one_begins_anew(
    connection: Connection,
) -> None:
    made = filled(connection, "p1")
    with pytest.raises(KeyboardInterrupt):
        interrupted(made, "p2")
    assert not made.steps("p2"), "nothing stays of a unit that was not finished"
    later = CUT + timedelta(hours=1)
    assert Shadow(connection, "shadow").begin("q", later) == RebuildStart(CUT, frozenset({"p1"}))
    assert made.steps("p1")
    made.finish()
    assert made.begin("q", later) == RebuildStart(later, frozenset())
    assert not made.steps("p1")
    filled(connection, "p1", question="q")
    assert made.begin("another", later) == RebuildStart(later, frozenset())


def test_a_shadow_from_before_a_migration_is_made_anew(connection: Connection) -> None:
    made = filled(connection, "p1")
    connection.execute("ALTER TABLE events ADD COLUMN later text")
    connection.commit()
    assert made.begin("q", CUT).done == frozenset()


def test_the_same_events_twice_are_there_once(connection: Connection) -> None:
    made = filled(connection, "p1")
    with made.filling("p1 again"):
        made.add_events([event("p1"), event("p1", 1)])
        made.add_spans({"p1": Span(NOON - timedelta(minutes=1), NOON, 2)})
    assert len(made.steps("p1")) == 2
    assert made.patients()["p1"] == Span(NOON - timedelta(minutes=1), SPAN.reached, 7)


def test_nothing_else_can_be_filled_or_dropped(connection: Connection) -> None:
    for name in ("public", "shadow; DROP", "Shadow", "shadow_", "pg_catalog"):
        with pytest.raises(InputError):
            Shadow(connection, name)
    connection.execute("CREATE SCHEMA shadow_of_mine")
    connection.commit()
    foreign = Shadow(connection, "shadow_of_mine")
    assert foreign.drop() is False
    with pytest.raises(InputError, match="no rebuild created"):
        foreign.begin("q", CUT)
    connection.rollback()
    assert count(connection, "pg_namespace WHERE nspname = 'shadow_of_mine'") == 1
    made = filled(connection, "p1")
    assert (made.drop(), made.drop()) == (True, False)


def test_one_rebuild_at_a_time_fills_a_shadow(database_url: str) -> None:
    import psycopg
    from psycopg.rows import dict_row

    with (
        psycopg.connect(database_url, row_factory=dict_row) as first,
        psycopg.connect(database_url, row_factory=dict_row) as second,
    ):
        filled(first, "p1")
        with pytest.raises(InputError, match="Another `vigil rebuild`"):
            Shadow(second, "shadow").begin("q", CUT)
        second.rollback()
        Shadow(second, "shadow_two").begin("q", CUT)


def test_when_a_step_became_known_is_when_its_reading_was_received(connection: Connection) -> None:
    announced = event("p1", evidence={"signal_delay_seconds": 90.5})
    write(connection, [received(announced)])
    (step,) = live_steps(connection, "p1")
    assert step.known_at == announced.detected_at + timedelta(seconds=90.5)
    assert shadow.newest_watermark(connection, "detectors") is None
    assert shadow.judged_offsets(connection, "detectors", "vitals.readings", "log") == {}
