"""Readings by every way into the table: the same rows, counted exactly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.readings import writer as reading_writer
from store.readings.keys import split_id
from store.readings.latest import Latest
from store.readings.rows import Row, clean_upload, first_problem, write_rows
from store.readings.writer import MOST_PIECES, CopyBackoff
from store.writing import writer
from store.writing.writer import Writer
from tests.support.messages import NOON, event, measurement, received, upload
from tests.support.timescale.copyless import without_copy
from vigil.domain.reading import Context, Measurement, Upload
from vigil.service.errors import UnavailableError

LOG = [
    received(upload(*(measurement(60 * i + j) for j in range(4)), patient=f"p{i % 3}"), i)
    for i in range(30)
]


@pytest.fixture
def plain(database_url: str) -> Iterator[Connection]:
    """A connection to a fresh PostgreSQL, which has COPY."""
    with psycopg.connect(database_url, row_factory=dict_row) as opened:
        yield opened


def stored(connection: Connection) -> list[str]:
    """All readings, and the newest of each patient."""
    with connection.transaction():
        found = [*connection.execute("SELECT * FROM readings"), *connection.execute("TABLE latest")]
    return sorted(map(str, found))


def ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Notes by which way each piece goes."""
    taken: list[str] = []

    def noting(name: str, original: Any) -> Any:
        def noted(*arguments: Any) -> Any:
            taken.append(name)
            return original(*arguments)

        return noted

    kind = reading_writer.ReadingWriter
    monkeypatch.setattr(kind, "_copied", noting("copied", kind._copied))
    monkeypatch.setattr(kind, "_staged", noting("staged", kind._staged))
    table = writer.TABLES[Upload]
    tables = {**writer.TABLES, Upload: replace(table, insert=noting("arrays", table.insert))}
    monkeypatch.setattr(writer, "TABLES", tables)
    return taken


def test_each_way_is_for_what_the_one_before_cannot_do(
    plain: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken, writing = ways(monkeypatch), Writer(plain)
    assert writing.write(LOG[:10]).new == {"readings": 40}
    assert taken == ["copied"]
    assert writing.write(LOG[5:15]).new == {"readings": 20}
    assert taken == ["copied", "copied", "staged"]
    bad = received(upload(measurement(9_000), measurement(9_001, "a\x00b")), 99)
    written = writing.write([*LOG[15:20], bad])
    assert written.new == {"readings": 21}
    assert [r.received.offset for r in written.rejected] == [99]
    assert taken[3:5] == ["staged", "arrays"]


def test_every_way_stores_the_same(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    doubting = CopyBackoff()
    doubting.record_duplicate()
    for backoff, copies in ((CopyBackoff(), True), (doubting, True), (doubting, False)):
        plain.execute("TRUNCATE readings, latest")
        plain.commit()
        with monkeypatch.context() as patched:
            taken = ways(patched)
            if not copies:
                without_copy(patched)
            patched.setattr(reading_writer, "CopyBackoff", lambda known=backoff: known)
            assert Writer(plain).write(LOG).new == {"readings": 120}
        found.append((taken, stored(plain)))
    assert [taken for taken, _ in found] == [["copied"], ["staged"], ["arrays"]]
    assert found[0][1] == found[1][1] == found[2][1]


def test_a_reading_that_comes_twice_in_one_piece(plain: Connection) -> None:
    assert Writer(plain).write([LOG[0], LOG[1], LOG[0]]).new == {"readings": 8}


def test_reading_a_log_again_leaves_no_dead_rows_behind(plain: Connection) -> None:
    def size() -> Any:
        with plain.transaction():
            row = plain.execute("SELECT pg_relation_size('readings') AS bytes").fetchone()
        return row["bytes"]  # type: ignore[index]

    log = [received(upload(*(measurement(50 * i + j) for j in range(50))), i) for i in range(40)]
    writing = Writer(plain)
    writing.write(log)
    writing.write(log)  # one COPY that fails
    once = size()
    for _ in range(10):
        assert not writing.write(log).new
    assert size() == once


def test_copy_is_retried_later_each_time_and_never_too_late() -> None:
    backoff, waits = CopyBackoff(), []
    for _ in range(8):
        assert backoff.allows_copy()
        backoff.record_duplicate()
        pieces = 0
        while not backoff.allows_copy():
            backoff.record_staged(duplicates=False)
            pieces += 1
        waits.append(pieces)
    assert waits == [2, 4, 8, 16, 32, 64, 64, MOST_PIECES]
    for _ in range(6):
        backoff.record_success()
    backoff.record_duplicate()
    backoff.record_staged(duplicates=False)
    backoff.record_staged(duplicates=True)  # counts from the beginning
    backoff.record_staged(duplicates=False)
    assert not backoff.allows_copy()
    backoff.record_staged(duplicates=False)
    assert backoff.allows_copy()


STATES = ("53100", "53300", "25006", "57P01", "57P02", "57P03", "57014", "40001", "40P01", "58030")


@pytest.mark.parametrize("state", STATES)
def test_a_database_in_trouble_is_waited_for(plain: Connection, state: str) -> None:
    """Nothing is rejected, nothing is half written, and the same batch goes in afterwards."""
    batch = [*LOG[:5], received(event(), 90)]
    plain.execute(
        "CREATE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION 'trouble' USING ERRCODE = '{state}'; END $$"
    )
    plain.commit()
    writing = Writer(plain)
    for table in ("readings", "latest", "events"):
        plain.execute(
            f"CREATE TRIGGER trouble AFTER INSERT ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION fails()"
        )
        plain.commit()
        with pytest.raises(UnavailableError) as raised:
            writing.write(batch)
        assert raised.value.how_to_fix
        assert stored(plain) == []
        plain.execute(f"DROP TRIGGER trouble ON {table}")
        plain.commit()
    written = writing.write(batch)
    assert (written.new, written.rejected) == ({"readings": 20, "events": 1}, [])


derived = st.from_regex(r"r-[0-9a-f]{16}", fullmatch=True)
alike = st.from_regex(r"[rR]-[0-9a-fA-F ]{14,18}", fullmatch=True)


@given(st.one_of(derived, alike, st.text(max_size=20)))
def test_a_rows_key_is_the_id_split(reading_id: str) -> None:
    made: list[Row] = []
    assert write_rows(upload(Measurement(reading_id, NOON)), made.append)
    assert made[0][5:7] == split_id(reading_id)


@pytest.mark.parametrize(
    ("item", "late"),
    [
        (measurement(0, glucose=5.0), 1),
        (Measurement("r", NOON.replace(year=1999)), 1),
        (measurement(0), -86_401),
        (measurement(0), -86_400),
        (measurement(0), 1),
    ],
)
def test_what_is_left_out_is_what_has_a_problem(item: Measurement, late: float) -> None:
    sent = upload(item, late=late)
    made: list[Row] = []
    reasons: list[str] = []
    whole = write_rows(sent, made.append)
    kept = clean_upload(received(sent), lambda _received, why: reasons.append(why))
    assert whole == (first_problem(sent, item) == "")
    assert (len(made), len(kept.measurements), len(reasons)) == (whole, whole, not whole)


SIGNALS = ("heart_rate", "spo2")
moments = st.integers(0, 4)
values = st.dictionaries(st.sampled_from(SIGNALS), st.integers(60, 62).map(float))
some_measurements = st.lists(st.tuples(moments, values), min_size=1, max_size=5)
some_uploads = st.lists(st.tuples(st.sampled_from("ab"), moments, some_measurements), max_size=6)


@given(some_uploads)
def test_the_newest_is_what_comparing_all_would_give(made: list[Any]) -> None:
    latest = Latest()
    wanted: dict[tuple[str, str], tuple[int, int, float]] = {}
    for patient, came, items in made:
        received_at = NOON + timedelta(seconds=came)
        content = tuple(
            Measurement("r", NOON + timedelta(seconds=second), found, Context())
            for second, found in items
        )
        latest.add(Upload(patient, "d", received_at, content))
        for second, found in items:
            for signal, value in found.items():
                rank = (second, -came, value)
                wanted[patient, signal] = max(wanted.get((patient, signal), rank), rank)
    noted = {
        (patient, signal): (
            (time - NOON).seconds, -(received_at - NOON).seconds, value
        )
        for patient, kept in latest._patients.items()
        for signal, (time, received_at, value) in kept.items()
    }  # fmt: skip
    assert noted == wanted
