"""Withdrawn readings: out of everything that counts, kept with who, when and why."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from store.database.connections import AsyncConnection, Connection
from store.readings import history, trends, withdrawing
from store.readings.retention import apply_retention
from store.readings.withdrawing import Cause, Chosen
from store.writing.writer import Writer, write
from tests.support.messages import NOON, event, measurement, received, upload, withdrawal
from vigil.domain.reading import Measurement, Withdrawal
from vigil.service.errors import InputError

CAUSE = Cause("wrong_patient", "kim", "the cuff was on the neighbour")
LATER = NOON + timedelta(hours=2)


@pytest.fixture
def connection(either_url: str) -> Iterator[Connection]:
    with psycopg.connect(either_url, row_factory=dict_row, autocommit=True) as opened:
        yield opened


def readings(count: int = 5) -> list[Measurement]:
    """One a minute; the fourth is somebody else's."""
    values = [70.0, 71.0, 72.0, 176.0, 73.0, 74.0, 75.0]
    return [measurement(60.0 * i, f"m-{i}", heart_rate=values[i]) for i in range(count)]


def prepared(url: str, chosen: Chosen, cause: Cause = CAUSE, now: Any = LATER) -> Withdrawal:
    async def ask() -> Withdrawal:
        opened: AsyncConnection = await psycopg.AsyncConnection.connect(url, row_factory=dict_row)
        async with opened:
            return await withdrawing.prepare(opened, chosen, cause, now)

    return asyncio.run(ask())


def newest(connection: Connection) -> float | None:
    row = connection.execute("SELECT value FROM latest WHERE signal = 'heart_rate'").fetchone()
    return row["value"] if row else None


def count(connection: Connection, table: str) -> int:
    row = connection.execute(f"SELECT count(*) AS n FROM {table}").fetchone()
    assert row is not None
    return int(row["n"])


def averages(url: str) -> list[Any]:
    async def ask() -> list[Any]:
        opened: AsyncConnection = await psycopg.AsyncConnection.connect(url, row_factory=dict_row)
        async with opened:
            return await trends.fetch_trend(opened, "p1", NOON, NOON + timedelta(days=1))

    return [row["heart_rate_max"] for row in asyncio.run(ask())]


def test_it_counts_nowhere_and_is_kept(connection: Connection, either_url: str) -> None:
    items = readings(4)
    write(connection, [received(upload(*items))])
    assert newest(connection) == 176.0
    written = write(connection, [received(withdrawal(items[3]))])
    assert written.new == {"withdrawals": 1}
    assert newest(connection) == 72.0
    connection.close()
    assert 176.0 not in averages(either_url)
    with psycopg.connect(either_url, row_factory=dict_row) as again:
        with again.transaction():
            played = list(history.read_uploads(again, "p1", history.Range()))
        assert [m.reading_id for each in played for m in each.measurements] == ["m-0", "m-1", "m-2"]
        kept = again.execute("SELECT * FROM withdrawn_readings").fetchone()
        assert kept is not None
        assert (kept["heart_rate"], kept["device_id"]) == (176.0, "d1")
        stated = again.execute("SELECT * FROM withdrawals").fetchone()
        assert stated is not None
        assert (stated["actor"], stated["reason"], stated["readings"]) == (
            "kim",
            "wrong_patient",
            1,
        )


def test_a_log_that_is_read_again_does_not_bring_it_back(connection: Connection) -> None:
    items = readings()
    batch = [received(upload(*items), 0), received(withdrawal(items[3]), 1)]
    writer = Writer(connection)
    writer.write(batch)
    for messages in ([batch[0]], batch, [batch[1]]):
        assert writer.write(messages).rejected == []
        assert count(connection, "readings") == 4
        assert count(connection, "withdrawn_readings") == 1
        assert newest(connection) == 73.0


def test_one_batch_and_many_are_the_same(connection: Connection) -> None:
    """A withdrawal stands after its readings in the log, in whatever batch."""
    items = readings()
    write(connection, [received(upload(*items), 0), received(withdrawal(items[4]), 1)])
    assert newest(connection) == 176.0
    assert count(connection, "readings") == 4


def test_a_withdrawal_of_what_is_not_stored_harms_nothing_and_keeps_it_out(
    connection: Connection,
) -> None:
    items = readings()
    write(connection, [received(withdrawal(items[2]))])
    assert count(connection, "withdrawn_readings") == 1
    write(connection, [received(upload(*items))])
    assert count(connection, "readings") == 4


def test_the_last_reading_leaves_no_newest_value(connection: Connection) -> None:
    (item,) = readings(1)
    write(connection, [received(upload(item)), received(withdrawal(item))])
    assert newest(connection) is None


def test_what_the_message_holds(connection: Connection, either_url: str) -> None:
    items = readings(7)
    step = event(onset=NOON + timedelta(minutes=3), signals=("heart_rate",))
    other = event(
        episode_id="bp", kind="blood_pressure_high", signals=("systolic", "diastolic"),
        onset=NOON,
    )  # fmt: skip
    write(connection, [received(upload(*items)), received(step), received(other)])
    connection.close()
    message = prepared(either_url, Chosen("p1", ("m-3",)))
    assert [each.reading_id for each in message.readings] == ["m-3"]
    assert message.readings[0].values == {"heart_rate": 176.0}
    assert [each.reading_id for each in message.remaining] == [
        "m-0", "m-1", "m-2", "m-4", "m-5", "m-6",
    ]  # fmt: skip
    assert message.remaining_delays == (361.0, 301.0, 241.0, 121.0, 61.0, 1.0)
    assert [each.episode_id for each in message.episodes] == [step.episode_id]
    assert message.episodes[0].evidence == step.evidence
    assert message.device_id == "d1"
    assert message.since == NOON + timedelta(minutes=3) - withdrawing.BEFORE
    assert (message.actor, message.comment, message.time) == ("kim", CAUSE.comment, LATER)
    again = prepared(either_url, Chosen("p1", ("m-3",)), now=LATER + timedelta(minutes=1))
    assert again.withdrawal_id == message.withdrawal_id


def test_a_device_over_a_stretch(connection: Connection, either_url: str) -> None:
    write(connection, [received(upload(*readings(7)))])
    connection.close()
    since = NOON + timedelta(minutes=2)
    until = NOON + timedelta(minutes=4)
    message = prepared(either_url, Chosen("p1", device_id="d1", since=since, until=until))
    assert [each.reading_id for each in message.readings] == ["m-2", "m-3", "m-4"]


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        (Chosen("p1", ("m-9",)), "input.unknown_reading"),
        (Chosen("p2", ("m-1",)), "input.unknown_reading"),
        (Chosen("p1", ("m-1", "m-9")), "input.unknown_reading"),
        (Chosen("p1", device_id="d9"), "input.unknown_reading"),
        (Chosen("p1", ("m-3",)), "input.withdrawn_already"),
        (Chosen("p1"), "input.wrong_type"),
        (Chosen("p1", device_id="d1", since=LATER, until=NOON), "input.wrong_type"),
    ],
)
def test_what_cannot_be_withdrawn_is_an_error_that_says_why(
    connection: Connection, either_url: str, chosen: Chosen, code: str
) -> None:
    items = readings()
    write(connection, [received(upload(*items)), received(withdrawal(items[3]))])
    connection.close()
    with pytest.raises(InputError) as refused:
        prepared(either_url, chosen)
    assert refused.value.code == code
    assert refused.value.how_to_fix


def test_no_more_than_fits_into_a_message(
    connection: Connection, either_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(connection, [received(upload(*readings(7)))])
    connection.close()
    monkeypatch.setattr(withdrawing, "MOST_REMAINING", 2)
    message = prepared(either_url, Chosen("p1", ("m-3",)))
    assert [each.reading_id for each in message.remaining] == ["m-5", "m-6"]
    assert message.remaining_delays == (61.0, 1.0)
    assert message.since == message.remaining[0].time
    monkeypatch.setattr(withdrawing, "MOST_WITHDRAWN", 2)
    with pytest.raises(InputError) as refused:
        prepared(either_url, Chosen("p1", device_id="d1"))
    assert refused.value.code == "input.too_large"


def test_it_is_deleted_when_its_day_is(database_url: str) -> None:
    items = readings()
    with psycopg.connect(database_url, row_factory=dict_row, autocommit=True) as connection:
        write(connection, [received(upload(*items)), received(withdrawal(items[3]))])
        apply_retention(connection, 1, NOON + timedelta(days=9), threading.Event())
        assert count(connection, "withdrawn_readings") == 0
        assert count(connection, "withdrawals") == 1
