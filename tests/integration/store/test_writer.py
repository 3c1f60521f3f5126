"""The writer on real databases: idempotent in any order, and nothing lost for one bad row."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256
from typing import Any

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.rows import dict_row

from store.database.connections import BOARD_CHANNEL, Connection
from store.readings.keys import split_id
from store.writing import writer
from store.writing.writer import write
from tests.support.messages import (
    NOON,
    action,
    alert,
    event,
    measurement,
    phrase,
    received,
    upload,
)
from tests.support.notices import notices
from vigil.contracts.wire import Carried
from vigil.domain.kinds import Priority
from vigil.domain.reading import Context, Measurement, Tick, Upload
from vigil.streaming.handler import Received

TABLES = ("readings", "latest", "events", "alerts", "actions", "phrases", "phrase_history")


def numbered(*messages: Carried) -> list[Received]:
    """A batch of one partition."""
    return [received(message, offset) for offset, message in enumerate(messages)]


def tables(connection: Connection) -> dict[str, list[str]]:
    """Everything that was stored, in an order of its own."""
    return {
        name: sorted(str(row) for row in connection.execute(f"SELECT * FROM {name}"))
        for name in TABLES
    }


def empty(connection: Connection) -> None:
    connection.execute(f"TRUNCATE {', '.join(TABLES)}, episodes")


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) AS n FROM {table}").fetchone()
    assert row is not None
    return int(row["n"])


def latest(connection: Connection, signal: str = "heart_rate") -> Any:
    return connection.execute("SELECT * FROM latest WHERE signal = %s", (signal,)).fetchone()


def test_a_batch_of_everything(connection: Connection) -> None:
    reading = Measurement(
        "r1", NOON, {"heart_rate": 71, "systolic": 121.5, "diastolic": 80.0},
        Context("rest", 3.0, "sitting", contact=True),
    )  # fmt: skip
    sent = upload(reading, synthetic=True)
    batch = numbered(sent, event(), alert(), action(), phrase(), Tick(NOON))
    written = write(connection, batch)
    assert written.new == {"readings": 1, "events": 1, "alerts": 1, "actions": 1, "phrases": 1}
    assert written.rejected == []
    row = connection.execute("SELECT * FROM readings").fetchone()
    assert row == {
        "patient_id": "p1", "time": NOON, "reading_key": split_id("r1")[0], "reading_id": "r1",
        "device_id": "d1",
        "received_at": sent.received_at, "heart_rate": 71.0, "systolic": 121.5, "diastolic": 80.0,
        "spo2": None, "respiratory_rate": None, "temperature": None, "steps_per_min": 3.0,
        "activity": "rest", "contact": True, "posture": "sitting", "synthetic": True,
    }  # fmt: skip
    stored = connection.execute("SELECT * FROM events").fetchone()
    assert stored is not None
    assert stored["signals"] == ["heart_rate"]
    assert stored["evidence"] == {"value": 130.0, "limit": 120.0}
    words = connection.execute("SELECT texts FROM alerts").fetchone()
    assert words is not None
    assert words["texts"]["patient"]["en"]["action"] == "Sit down and rest."
    done = connection.execute("SELECT comment, until FROM actions").fetchone()
    assert done == {"comment": "", "until": None}


def test_writing_again_changes_nothing(connection: Connection) -> None:
    batch = numbered(upload(measurement()), event(), alert(), phrase())
    write(connection, batch)
    before = tables(connection)
    assert not write(connection, batch).new
    assert tables(connection) == before


UPLOADS = [
    upload(measurement(0), measurement(60, heart_rate=75.0, spo2=97.0)),
    upload(measurement(60, heart_rate=75.0, spo2=97.0), measurement(120, spo2=96.0), late=3),
    upload(measurement(30, "a", heart_rate=60.0), late=5000),
    upload(measurement(120, "b", spo2=90.0), measurement(120, "c", heart_rate=88.0), late=3),
    upload(measurement(120, "d", spo2=99.0), late=3),
    upload(measurement(90), patient="p2"),
]
MESSAGES: list[Carried] = [
    *UPLOADS,
    event(),
    event(sequence=1),
    alert(),
    alert(revision=1),
    action(),
    phrase(),
    phrase(status="banned", revision=1, by="kim"),
    phrase(status="approved", revision=1, by="ada"),
    phrase(status="approved", revision=1, by="ada", time=NOON + timedelta(seconds=1)),
    phrase("High, at {heart_rate}.", revision=3),
]


@settings(
    max_examples=20, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(data=st.data())
def test_any_order_any_repetition_any_batching(connection: Connection, data: st.DataObject) -> None:
    """One log order is kept by the partition; across repetitions and batches none is promised.

    (Two uploads of one reading that differ in when they arrived would keep the first's arrival, so
    the uploads here that share a reading are always written the shared one first.)
    """
    repeated = data.draw(st.lists(st.sampled_from(MESSAGES[2:]), max_size=12))
    order = data.draw(st.permutations([*MESSAGES[2:], *repeated]))
    cuts = data.draw(st.lists(st.integers(0, len(order)), max_size=4))
    empty(connection)
    log = numbered(*UPLOADS[:2], *order, *UPLOADS[:2])
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(log)], strict=True):
        write(connection, log[start:end])
    found = tables(connection)
    empty(connection)
    write(connection, [received(m) for m in MESSAGES])
    assert found == tables(connection)


@pytest.mark.parametrize(
    ("hours", "priority", "uncertain", "history"),
    [
        (3, "high", False, False),
        (5, "high", False, True),
        (3, "medium", False, True),
        (2808, "high", False, True),
        (2808, "high", True, False),
        (None, "high", False, False),
    ],
)
def test_what_is_past_its_useful_time_when_it_is_published_is_history(
    connection: Connection, hours: int | None, priority: Priority, uncertain: bool, history: bool
) -> None:
    step = event(priority=priority, evidence={"time_uncertain": uncertain})
    published = None if hours is None else step.detected_at + timedelta(hours=hours)
    words = alert(step, time_uncertain=uncertain, change="worse", highest_priority="high")
    again = published and published + timedelta(days=9)
    write(connection, [received(step, 0, published), received(words, 1, published)])
    write(connection, [received(step, 2, again), received(words, 3, again)])
    for table in ("events", "episodes", "alerts"):
        [row] = connection.execute(f"SELECT history FROM {table}").fetchall()
        assert row["history"] == history, table
    [row] = connection.execute("SELECT * FROM alerts").fetchall()
    assert (row["change"], row["highest_priority"]) == ("worse", "high")
    assert row["time_uncertain"] == uncertain


def test_latest_never_goes_back(connection: Connection) -> None:
    write(connection, [received(upload(measurement(600, heart_rate=80.0)))])
    write(connection, [received(upload(measurement(0, heart_rate=50.0), late=3600))])
    assert latest(connection)["value"] == 80.0
    write(connection, [received(upload(measurement(601, heart_rate=81.0)))])
    assert latest(connection)["value"] == 81.0
    assert latest(connection)["time"] == NOON + timedelta(seconds=601)


def test_a_reading_sent_again_later_does_not_look_fresh(connection: Connection) -> None:
    write(connection, [received(upload(measurement(), late=1))])
    write(connection, [received(upload(measurement(), late=900))])
    assert latest(connection)["received_at"] == NOON + timedelta(seconds=1)


NUL = "a\x00b"
LONG = "".join(sha256(bytes([i])).hexdigest() for i in range(255))  # it does not compress


@pytest.mark.parametrize(
    "bad",
    [
        upload(measurement(0, NUL)),
        upload(measurement(0), patient=LONG),
        event(evidence={"device": NUL}),
        event(kind=NUL),
        msgspec.structs.replace(event(), sequence=2**40),
        alert(slots={"heart_rate": NUL}),
        action(comment=NUL),
        phrase(text=NUL),
        phrase(status="good"),
        upload(Measurement("g", NOON, {"glucose": 5.0})),
        upload(Measurement("y", NOON.replace(year=1999), {"heart_rate": 70.0})),
        upload(measurement(0), late=-90_000),
    ],
    ids=["nul id", "long patient", "nul evidence", "nul kind", "huge sequence", "nul slot",
         "nul comment", "nul phrase", "no such status", "unknown signal", "ancient",
         "from the future"],
)  # fmt: skip
def test_a_bad_row_is_isolated(connection: Connection, bad: Any) -> None:
    good = [upload(measurement(i)) for i in range(1, 20)]
    batch = numbered(*good[:7], bad, *good[7:], action(verb="ok"))
    written = write(connection, batch)
    assert [r.received.offset for r in written.rejected] == [7]
    assert written.rejected[0].reason.code == "wire.rejected"
    assert written.new == {"readings": 19, "actions": 1}


def test_a_reason_quotes_nothing_that_was_sent(connection: Connection) -> None:
    bad = event(evidence={"value": "secret\x00"}, kind="secret\x00")
    (rejected,) = write(connection, [received(bad)]).rejected
    assert "secret" not in str(rejected.reason)


def test_the_good_readings_of_a_bad_upload_are_stored(connection: Connection) -> None:
    bad = upload(*(measurement(i) for i in range(5)), measurement(5, NUL), measurement(6))
    written = write(connection, [received(bad, 3)])
    assert [r.received.offset for r in written.rejected] == [3]
    assert written.new == {"readings": 6}
    assert latest(connection)["time"] == NOON + timedelta(seconds=6)


def test_a_refused_reading_is_not_the_latest(connection: Connection) -> None:
    bad = upload(measurement(0), measurement(60, NUL, heart_rate=199.0))
    write(connection, [received(bad)])
    assert latest(connection)["value"] == 70.0


def test_a_batch_larger_than_a_statement(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "ROWS", 7)
    batch = [received(upload(*(measurement(10 * i + j) for j in range(10))), i) for i in range(5)]
    assert write(connection, batch).new == {"readings": 50}


def test_all_or_nothing_when_the_database_goes(database_url: str) -> None:
    """The connection is cut between two statements of the transaction: nothing stays."""
    from vigil.service.errors import UnavailableError

    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        cut: list[Received] = [received(upload(measurement())), received(event())]
        with psycopg.connect(database_url, autocommit=True) as other:
            other.execute("BEGIN")
            other.execute(
                "LOCK TABLE events IN ACCESS EXCLUSIVE MODE"
            )  # the second statement waits
            connection.execute("SET statement_timeout = '300ms'")
            connection.commit()
            with pytest.raises(UnavailableError):
                write(connection, cut)
            other.execute("ROLLBACK")
            assert other.execute("SELECT count(*) FROM readings").fetchone() == (0,)
        assert write(connection, cut).new == {"readings": 1, "events": 1}


def test_boards_are_notified_once_and_only_of_changes(database_url: str) -> None:
    batch = numbered(upload(measurement()), event(), alert())
    with (
        psycopg.connect(database_url, autocommit=True) as listening,
        psycopg.connect(database_url, row_factory=dict_row) as connection,
    ):
        listening.execute(f"LISTEN {BOARD_CHANNEL}")
        write(connection, batch)
        write(connection, batch)
        write(connection, [received(Tick(NOON))])
        assert notices(listening, connection, BOARD_CHANNEL) == ["alerts events readings"]


def test_an_upload_travels_as_it_is_stored(connection: Connection) -> None:
    sent = upload(measurement(0.123456, heart_rate=70.25))
    write(connection, [received(sent)])
    row = connection.execute("SELECT time, heart_rate FROM readings").fetchone()
    assert row == {"time": sent.measurements[0].time, "heart_rate": 70.25}
    assert isinstance(sent, Upload)
    assert count(connection, "readings") == 1
