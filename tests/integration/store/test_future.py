"""Times of the future in the tables: none is anybody's newest, and those of before go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from store.database.connections import Connection
from store.episodes.steps import event_from_row
from store.notifications import deliveries, notified_episodes
from store.readings.latest import LEAD, Latest, remove_future
from store.workers.status_rows import list_processes
from store.writing.writer import write
from tests.support.messages import NOON, event, measurement, received, upload
from tests.support.notify_examples import planned
from tests.support.statuses import status
from vigil.domain.reading import Context

FAR = datetime(9000, 1, 1, tzinfo=UTC)


def latest(connection: Connection) -> list[tuple[str, str, datetime, float]]:
    rows = connection.execute("SELECT * FROM latest ORDER BY patient_id, signal").fetchall()
    return [(r["patient_id"], r["signal"], r["time"], r["value"]) for r in rows]


def test_a_reading_ahead_of_its_receipt_is_kept_and_is_nobodys_newest(
    connection: Connection,
) -> None:
    hours = LEAD.total_seconds() + 1
    log = [
        upload(measurement(0, heart_rate=70.0)),
        upload(measurement(hours, heart_rate=71.0), late=-hours),
        upload(measurement(1, heart_rate=72.0), measurement(hours + 1, heart_rate=73.0),
               late=-hours),
        upload(measurement(LEAD.total_seconds(), heart_rate=74.0), late=-LEAD.total_seconds()),
    ]  # fmt: skip
    for number, one in enumerate(log[:3]):
        write(connection, [received(one, number)])
    assert latest(connection) == [("p1", "heart_rate", NOON + timedelta(seconds=1), 72.0)]
    write(connection, [received(log[3], 3)])
    assert latest(connection) == [("p1", "heart_rate", NOON + LEAD, 74.0)], "a lead as at the door"
    row = connection.execute("SELECT count(*) AS n FROM readings").fetchone()
    assert row == {"n": 5}


def stuck(connection: Connection, *values: tuple[str, str, datetime, datetime, float]) -> None:
    for row in values:
        connection.execute(
            "INSERT INTO latest (patient_id, signal, time, received_at, value)"
            " VALUES (%s, %s, %s, %s, %s) ON CONFLICT (patient_id, signal) DO UPDATE"
            " SET time = EXCLUDED.time, received_at = EXCLUDED.received_at, value = EXCLUDED.value",
            row,
        )


def test_what_was_believed_before_is_found_again_among_the_readings(connection: Connection) -> None:
    log = [
        upload(measurement(0, heart_rate=70.0, spo2=97.0), measurement(60, heart_rate=71.0)),
        upload(measurement(120, heart_rate=72.0), patient="p2"),
    ]
    write(connection, [received(one, n) for n, one in enumerate(log)])
    right = latest(connection)
    stuck(
        connection, ("p1", "heart_rate", FAR, FAR, 1.0), ("p1", "spo2", NOON, FAR, 2.0),
        ("p3", "heart_rate", FAR, FAR, 3.0), ("p3", "unheard_of", FAR, FAR, 3.0),
    )  # fmt: skip
    with connection.transaction():
        connection.execute(
            "INSERT INTO readings (patient_id, device_id, received_at, time, reading_key,"
            " heart_rate) VALUES ('p1', 'd1', %s, %s, 7, 99)",
            (datetime(9000, 1, 1, tzinfo=UTC),) * 2,
        )
    assert remove_future(connection) == 4
    assert latest(connection) == right, "and of whom nothing true is known, nothing"
    assert remove_future(connection) == 0


def test_an_event_with_steps_that_were_taken_before_is_still_read(connection: Connection) -> None:
    write(connection, [received(event())])
    connection.execute("""UPDATE events SET context = '{"steps_per_min": 1e300}'""")
    (row,) = connection.execute("SELECT * FROM events").fetchall()
    assert event_from_row(row) == msgspec.structs.replace(event(), context=Context())


def test_a_status_of_the_future_is_not_kept_as_one_that_runs(connection: Connection) -> None:
    write(connection, [received(status("store", instance="a"))])
    connection.execute("UPDATE service_status SET time = %s", (FAR,))
    write(connection, [received(status("notify", 5, instance="b"))])
    assert [line.service for line in list_processes(connection, NOON - timedelta(days=1))] == [
        "notify"
    ]
    write(connection, [received(status("store", 10, instance="a"), 1)])
    assert len(list_processes(connection, NOON - timedelta(days=1))) == 2


@pytest.mark.parametrize(("when", "state"), [(NOON, "dropped"), (FAR, "pending")])
def test_an_acknowledgement_of_the_future_covers_nothing(
    connection: Connection, when: datetime, state: str
) -> None:
    row = planned(channel="on_call", made_at=NOON, expires_at=NOON + timedelta(hours=1))
    assert deliveries.plan(connection, [row], NOON) == 1
    known = notified_episodes.PagedEpisode(acknowledged_at=when)
    notified_episodes.record_episodes(connection, {row.episode_id: known})
    deliveries.drop_obsolete(connection, NOON + timedelta(minutes=1))
    found = connection.execute("SELECT state FROM deliveries").fetchall()
    assert [one["state"] for one in found] == [state]


MOMENTS = st.integers(-3, 3)


@given(st.lists(st.tuples(MOMENTS, MOMENTS), min_size=1, max_size=8))
def test_the_newest_is_the_same_in_whatever_pieces_it_came(pairs: list[tuple[int, int]]) -> None:
    """Minutes of measurement and of receipt; LEAD is shorter than any lead of two steps here."""
    step = LEAD.total_seconds() * 0.75
    uploads = [
        upload(measurement(step * own, heart_rate=60.0 + n), late=step * (got - own))
        for n, (own, got) in enumerate(pairs)
    ]
    whole, parts = Latest(), Latest()
    for one in uploads:
        whole.add(one)
    for one in reversed(uploads):
        piece = Latest()
        piece.add(one)
        parts.update(piece)
    assert whole._patients.get("p1", {}) == parts._patients.get("p1", {})
    believed = [own for own, got in pairs if step * own <= step * got + LEAD.total_seconds()]
    kept = whole._patients.get("p1", {})
    assert [(newest[0] - NOON).total_seconds() for newest in kept.values()] == (
        [step * max(believed)] if believed else []
    )
