"""Stored history comes back as the uploads that it was stored from, on either database."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.people.patients import Patient, enrol_many
from store.readings import history
from store.readings.history import Range, list_patient_ids, read_uploads
from store.writing.writer import write
from tests.support.messages import NOON, measurement, received, upload
from vigil.contracts import wire
from vigil.domain.reading import Context, Measurement, Upload


def stored(connection: Connection, *items: Upload) -> None:
    enrol_many(connection, [Patient(p, "a" if p < "p2" else "b") for p in ("p1", "p2", "p3")])
    write(connection, [received(item, number) for number, item in enumerate(items)])
    connection.commit()


def test_uploads_come_back_as_they_were_in_the_order_of_receipt(connection: Connection) -> None:
    whole = Measurement("r1", NOON, {"heart_rate": 71.0, "spo2": 97.0},
                        Context("rest", 3.0, "lying", contact=True))  # fmt: skip
    first = upload(whole, measurement(60, heart_rate=72.0))
    late = upload(measurement(-600, heart_rate=65.0), late=3600)
    between = upload(measurement(120, systolic=120.0, diastolic=80.0), synthetic=True)
    stored(connection, first, late, between, upload(measurement(5), patient="p2"))
    assert list(read_uploads(connection, "p1", Range())) == [first, between, late]


def test_values_come_in_the_order_that_they_have_on_the_wire(connection: Connection) -> None:
    item = upload(measurement(systolic=120.0, diastolic=80.0, heart_rate=70.0))
    stored(connection, item)
    (found,) = read_uploads(connection, "p1", Range())
    sent = wire.to_message(item, "test")
    read = wire.decode(sent.topic, sent.value, sent.headers)
    assert isinstance(read, Upload)
    assert list(found.measurements[0].values) == list(read.measurements[0].values)


def test_a_range_cuts_by_time_of_measurement(connection: Connection) -> None:
    items = [upload(measurement(minute * 60.0)) for minute in range(10)]
    stored(connection, *items)
    wanted = Range(since=NOON + timedelta(minutes=3), until=NOON + timedelta(minutes=5))
    assert list(read_uploads(connection, "p1", wanted)) == items[3:5]
    assert not list(read_uploads(connection, "p1", Range(since=NOON + timedelta(days=1))))


def test_patients_are_chosen_by_ward_and_by_id(connection: Connection) -> None:
    stored(connection, upload(measurement()))
    assert list_patient_ids(connection, Range()) == ["p1", "p2", "p3"]
    assert list_patient_ids(connection, Range(ward="b")) == ["p2", "p3"]
    assert list_patient_ids(connection, Range(ward="b", patients=("p1", "p3"))) == ["p3"]


def test_more_than_is_fetched_at_once_is_read_whole(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "AT_ONCE", 10)
    items = [upload(measurement(float(second))) for second in range(25)]
    stored(connection, *items)
    assert list(read_uploads(connection, "p1", Range())) == items


def test_a_patients_history_is_found_by_the_tables_key(database_url: str) -> None:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        stored(
            connection, *[upload(measurement(float(n)), patient=f"p{n % 3}") for n in range(600)]
        )
        connection.execute("ANALYZE readings")
        connection.execute("SET enable_seqscan = off")
        values = {"patient": "p1", "since": None, "until": None}
        rows = connection.execute(sql.SQL("EXPLAIN ") + history._READINGS, values).fetchall()
    plan = "\n".join(str(next(iter(row.values()))) for row in rows)
    assert "readings_pkey" in plan, plan
