"""Readings go by age and their averages stay, alike on either database."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.readings import retention, retention_rows
from tests.integration.store.test_aggregates import WIDTHS, is_timescale, settle, store
from tests.support.messages import measurement
from tests.support.running import eventually
from tests.support.timescale.migrated import migrated
from vigil.domain.reading import Measurement
from vigil.service.health import Health
from vigil.service.settings import Settings

DAY = timedelta(days=1)
NOW = datetime.now(UTC)
"""TimescaleDB's policies go by the server's clock, so the readings are placed around it."""
MIDNIGHT = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
KEEP = 14


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is of its own moment: a run of the tests may go on past midnight."""
    now = datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    monkeypatch.setattr(sys.modules[__name__], "NOW", now)
    monkeypatch.setattr(sys.modules[__name__], "MIDNIGHT", midnight)


REACH = timedelta(days=7)
"""A chunk of TimescaleDB goes as a whole: rows may stay so much longer there."""


@pytest.fixture
def timescale_database(timescale_url: str) -> Iterator[Connection]:
    """A connection to a fresh TimescaleDB."""
    migrated(timescale_url)
    with psycopg.connect(timescale_url, row_factory=dict_row, prepare_threshold=None) as opened:
        yield opened


@pytest.fixture
def plain(database_url: str) -> Iterator[Connection]:
    """A connection to a fresh plain PostgreSQL."""
    with psycopg.connect(database_url, row_factory=dict_row) as opened:
        yield opened


def apply(
    connection: Connection, keep_days: int | None = KEEP, stop: threading.Event | None = None
) -> int:
    """Apply it, and let TimescaleDB's policies do what they would by the clock."""
    connection.autocommit = True
    went = retention.apply_retention(connection, keep_days, NOW, stop or threading.Event())
    if is_timescale(connection):
        for job in connection.execute(
            "SELECT job_id FROM timescaledb_information.jobs WHERE job_id >= 1000"
            " AND proc_name <> 'policy_compression' ORDER BY proc_name DESC, job_id"
        ).fetchall():
            connection.execute(f"CALL run_job({job['job_id']})")
    connection.autocommit = False
    return went


def at(days_ago: float, rate: float) -> Measurement:
    """A heart rate, measured so long before noon of this day."""
    base = measurement(0, heart_rate=rate)
    return base.__class__(f"{days_ago}", MIDNIGHT + DAY / 2 - days_ago * DAY, base.values)


def spread(days: int = 40) -> list[Measurement]:
    """Two readings a day, the oldest first."""
    return [at(number / 2, 60 + number % 17) for number in range(2 * days, -1, -1)]


def figures(connection: Connection) -> dict[str, list[Any]]:
    """All rows of the aggregates."""
    answers = {}
    for relation in WIDTHS:
        rows = connection.execute(f"SELECT * FROM {relation} ORDER BY patient_id, bucket")
        answers[relation] = [tuple(row.values()) for row in rows]
        of_it = f"SELECT * FROM {relation}_of('p1', %s, %s) ORDER BY bucket"
        span = (NOW - 400 * DAY, NOW + DAY)
        same = [tuple(row.values()) for row in connection.execute(of_it, span)]
        assert same == [row for row in answers[relation] if row[0] == "p1"]
    connection.commit()
    return answers


def oldest(connection: Connection) -> datetime:
    row = connection.execute("SELECT min(time) AS time FROM readings").fetchone()
    connection.commit()
    assert row is not None
    return row["time"]  # type: ignore[no-any-return]


def count(connection: Connection) -> int:
    row = connection.execute("SELECT count(*) AS n FROM readings").fetchone()
    connection.commit()
    assert row is not None
    return int(row["n"])


def test_readings_go_and_averages_stay(connection: Connection) -> None:
    store(connection, spread())
    store(connection, spread(), patient="p2")
    settle(connection)
    before, rows = figures(connection), count(connection)
    apply(connection)
    kept = MIDNIGHT - KEEP * DAY
    reach = REACH if is_timescale(connection) else timedelta(0)
    assert kept - reach <= oldest(connection) < kept + DAY
    assert count(connection) <= rows - 2 * (2 * 40 - 2 * (KEEP + 7 + 1))
    assert figures(connection) == before
    assert apply(connection) == 0
    assert figures(connection) == before


def test_nothing_goes_unless_it_is_asked_for(connection: Connection) -> None:
    store(connection, spread())
    settle(connection)
    rows = count(connection)
    assert apply(connection, None) == 0
    assert apply(connection, 3000) == 0
    assert count(connection) == rows


def test_what_comes_when_its_day_is_gone_counts_nowhere_and_goes(connection: Connection) -> None:
    store(connection, spread())
    settle(connection)
    apply(connection)
    before = figures(connection)
    for one in (at(30.2, 250.0), at(39.9, 251.0)):
        assert store(connection, [one], late=10) == 1
    assert figures(connection) == before
    apply(connection)
    assert figures(connection) == before
    row = connection.execute("SELECT max(heart_rate) AS n FROM readings").fetchone()
    assert row is not None
    assert row["n"] < 250


def test_what_comes_late_but_in_time_counts(connection: Connection) -> None:
    store(connection, spread())
    settle(connection)
    apply(connection)
    late = at(11.3, 222.0)
    store(connection, [late], late=1_000_000)
    apply(connection)
    row = connection.execute(
        "SELECT heart_rate_max AS n FROM readings_1d WHERE bucket <= %s AND bucket > %s",
        (late.time, late.time - DAY),
    ).fetchone()
    assert row == {"n": 222.0}


def test_kept_for_ever_again_nothing_more_goes_and_nothing_is_emptied(
    connection: Connection,
) -> None:
    store(connection, spread())
    settle(connection)
    apply(connection)
    before, rows = figures(connection), count(connection)
    for keep in (None, 3000, None):
        assert apply(connection, keep) == 0
        store(connection, [at(35.1, 199.0)], late=10)  # of a time that is gone: stored, not counted
        assert count(connection) == rows + 1
        assert figures(connection) == before


def policies(connection: Connection) -> list[Any]:
    rows = connection.execute(
        "SELECT proc_name, config ->> 'drop_after' AS drop_after,"
        " config ->> 'start_offset' AS start FROM timescaledb_information.jobs"
        " WHERE proc_name IN ('policy_retention', 'policy_refresh_continuous_aggregate')"
        " ORDER BY 1, job_id"
    ).fetchall()
    connection.commit()
    return [tuple(row.values()) for row in rows]


def test_policies_are_as_configured(timescale_database: Connection) -> None:
    refresh = "policy_refresh_continuous_aggregate"

    def applied(keep: int | None) -> list[Any]:
        retention.apply_retention(timescale_database, keep, NOW, threading.Event())
        return policies(timescale_database)

    timescale_database.autocommit = True
    assert applied(None) == [(refresh, None, None)] * 4
    first = [(refresh, None, "29 days")] * 4 + [("policy_retention", "30 days", None)]
    assert applied(30) == first
    assert applied(30) == first
    assert applied(20)[3:] == [(refresh, None, "19 days"), ("policy_retention", "20 days", None)]
    longer = applied(60)  # what is older than 20 days may be gone already
    assert longer[3:] == [(refresh, None, "19 days"), ("policy_retention", "60 days", None)]
    assert applied(None) == [(refresh, None, "19 days")] * 4


@pytest.mark.parametrize("cut", ["sum_up", "delete"])
def test_cut_short_anywhere_the_answers_stay_and_the_rest_is_done(
    plain: Connection, cut: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for patient in ("p1", "p2", "p3"):
        store(plain, spread(), patient=patient)
    before = figures(plain)
    stop, real = threading.Event(), retention_rows._patients

    def first_only(connection: Connection) -> Any:
        for number, patient_id in enumerate(real(connection)):
            if number == 1 and connection.execute(
                "SELECT count(*) AS n FROM readings_gone"
            ).fetchone() == {"n": 0 if cut == "sum_up" else 1}:
                stop.set()
            yield patient_id

    with monkeypatch.context() as patch:
        patch.setattr(retention_rows, "_patients", first_only)
        apply(plain, stop=stop)
    assert stop.is_set()
    assert figures(plain) == before
    assert count(plain) > 3 * 2 * (KEEP + 1)
    apply(plain)
    assert figures(plain) == before
    assert oldest(plain) >= MIDNIGHT - KEEP * DAY


def test_many_rows_go_in_batches(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention_rows, "AT_ONCE", 7)
    store(plain, spread())
    before = figures(plain)
    assert apply(plain) == len([one for one in spread() if one.time < MIDNIGHT - KEEP * DAY])
    assert figures(plain) == before


def test_one_process_at_a_time(plain: Connection, database_url: str) -> None:
    store(plain, spread())
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (retention.LOCK,))
        assert apply(plain) == 0
        other.execute("SELECT pg_advisory_unlock(%s)", (retention.LOCK,))
    assert apply(plain) > 0


def test_the_worker_applies_the_setting_and_reports_what_prevents_it(database_url: str) -> None:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        store(connection, spread())
    health = Health("store")
    settings = Settings(database_url=database_url, keep_readings_days=KEEP)
    background = retention.Retention(settings, health)
    background.start()
    eventually(lambda: health.snapshot().counters.get("readings_deleted", 0) > 0)
    background.stop()
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        assert oldest(connection) >= MIDNIGHT - (KEEP + 1) * DAY
        connection.execute("CREATE FUNCTION no() RETURNS trigger LANGUAGE plpgsql AS"
                           " 'BEGIN RAISE EXCEPTION ''no''; END'")  # fmt: skip
        connection.execute("CREATE TRIGGER no BEFORE INSERT ON readings_gone EXECUTE FUNCTION no()")
        connection.execute("UPDATE readings_gone SET before = before - INTERVAL '1 day'")
    again = retention.Retention(settings, health)
    again.start()
    eventually(lambda: "retention" in health.snapshot().troubles)
    again.stop()
