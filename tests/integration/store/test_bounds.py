"""What the store takes can be true: value by value of a reading, whole of everything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from psycopg.rows import dict_row

from store.database.connections import Connection
from store.readings.rows import LONGEST_ID, Row, clean_upload, first_problem, repair, write_rows
from store.writing import bounds, writer
from store.writing.writer import Writer
from tests.support.messages import NOON, action, alert, event, measurement, phrase, received, upload
from tests.support.timescale.copyless import without_copy
from vigil.domain.reading import Context, Measurement
from vigil.domain.signals import NAMES, SIGNALS, STEPS_PER_MINUTE_RANGE
from vigil.domain.status import Status
from vigil.streaming.handler import Received

POISON = (1e308, -1e308, 0.0, 1e9, float("nan"), float("inf"), float("-inf"))


@pytest.fixture(params=[True, False], ids=["copy", "arrays"])
def writing(
    database_url: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[Connection, Writer]]:
    """Each way into the table."""
    if not request.param:
        without_copy(monkeypatch)
    with psycopg.connect(database_url, row_factory=dict_row) as opened:
        yield opened, Writer(opened)


def rows(connection: Connection) -> list[dict[str, Any]]:
    with connection.transaction():
        return connection.execute(
            "SELECT time, heart_rate, systolic, diastolic, spo2, steps_per_min, posture, activity"
            " FROM readings ORDER BY time, heart_rate"
        ).fetchall()


def test_an_impossible_value_is_left_out_and_the_rest_is_stored(
    writing: tuple[Connection, Writer],
) -> None:
    connection, store = writing
    bad = upload(
        measurement(0, heart_rate=1e308, spo2=97.0),
        measurement(1, heart_rate=71.0),
        measurement(2, heart_rate=1e308),
        measurement(3, systolic=80.0, diastolic=80.0, heart_rate=70.0),
        measurement(4, heart_rate=72.0, glucose=5.0),
    )
    good = received(upload(measurement(0), patient="p2"), 1)
    written = store.write([received(bad, 0), good])
    assert written.new == {"readings": 5}
    assert [refused.received.offset for refused in written.rejected] == [0]
    assert "heart_rate is outside what is possible" in written.rejected[0].reason.message
    kept = [(row["heart_rate"], row["spo2"], row["systolic"]) for row in rows(connection)]
    assert sorted(kept, key=str) == sorted(
        [(None, 97.0, None), (71.0, None, None), (70.0, None, None), (72.0, None, None),
         (70.0, None, None)], key=str,
    )  # fmt: skip
    with connection.transaction():
        newest = connection.execute("SELECT signal, value FROM latest WHERE patient_id = 'p1'")
        assert {row["signal"]: row["value"] for row in newest} == {"heart_rate": 72.0, "spo2": 97.0}
    assert not store.write([received(bad, 0), good]).new  # a repetition changes nothing


def test_context_has_bounds_too(writing: tuple[Connection, Writer]) -> None:
    connection, store = writing
    steps = Measurement("r-1", NOON, {"heart_rate": 70.0}, Context("rest", 1e308, "x" * 5000))
    assert store.write([received(upload(steps))]).new == {"readings": 1}
    (row,) = rows(connection)
    assert (row["heart_rate"], row["steps_per_min"], row["posture"], row["activity"]) == (
        70.0, None, None, "rest",
    )  # fmt: skip
    long = Measurement("r" * (LONGEST_ID + 1), NOON, {"heart_rate": 70.0})
    written = store.write([received(upload(long), 5)])
    assert (not written.new, len(written.rejected)) == (True, 1)
    nul = Measurement("r-2", NOON, {"heart_rate": 70.0}, Context("rest", None, "a\0b"))
    written = store.write([received(upload(nul), 6)])
    assert not written.new
    assert "its posture has a NUL" in written.rejected[0].reason.message


values = st.dictionaries(
    st.sampled_from([*NAMES, "glucose"]),
    st.one_of(st.sampled_from(POISON), st.floats(0, 400), st.floats()),
    max_size=4,
)
contexts = st.builds(
    Context,
    st.sampled_from(["rest", "unknown"]),
    st.one_of(st.none(), st.floats()),
    st.one_of(st.none(), st.text(max_size=40)),
)


@given(values, contexts)
def test_only_possible_values_are_written_and_the_rest_is_reported(
    given_values: Mapping[str, float], context: Context
) -> None:
    item = Measurement("r-1", NOON, dict(given_values), context)
    sent = upload(item)
    made: list[Row] = []
    reasons: list[str] = []
    whole = write_rows(sent, made.append)
    kept = clean_upload(received_of(sent), lambda _received, why: reasons.append(why))
    assert whole == (not reasons) == (first_problem(sent, item) == "")
    assert [row[7:] for row in made] == [
        (*map(m.values.get, NAMES), m.context.steps_per_min, m.context.activity,
         m.context.contact, m.context.posture)
        for m in kept.measurements
    ]  # fmt: skip
    for one in kept.measurements:
        assert repair(sent, one) == (one, [])
        for name, value in one.values.items():
            assert SIGNALS[name].lowest <= value <= SIGNALS[name].highest
        steps = one.context.steps_per_min
        assert steps is None or STEPS_PER_MINUTE_RANGE[0] <= steps <= STEPS_PER_MINUTE_RANGE[1]


def received_of(message: Any) -> Any:
    """Without going over the wire, which has no NaN."""
    return Received("vitals.readings", 0, 0, message, None)


def status(**rest: Any) -> Status:
    fields: dict[str, Any] = {
        "instance": "i", "service": "store", "version": "1", "started": NOON, "time": NOON,
        "trouble": {}, "counters": {}, "gauges": {},
    }  # fmt: skip
    return Status(**{**fields, **rest})


FAR = datetime(9000, 1, 1, tzinfo=UTC)
LONG_AGO = datetime(1, 1, 1, tzinfo=UTC)
DEEP: Any = 1
for _ in range(40):
    DEEP = {"x": DEEP}
UNTRUE: list[Any] = [
    event(onset=FAR), event(detected_at=LONG_AGO), event(ended_at=FAR),
    event(evidence={"value": 1e308}), event(evidence={"parts": [{"value": 10**400}]}),
    event(evidence={"note": "x" * 5000}), event(evidence=DEEP), event(kind="k" * 5000),
    event(evidence={str(n): "y" * 1000 for n in range(300)}),
    alert(time=FAR), alert(slots={"heart_rate": "9" * 5000}),
    action(comment="c" * 5000), action(until=FAR), action(time=LONG_AGO),
    phrase(time=FAR), status(time=FAR), status(gauges={"lag": 1e308}),
    status(counters={"n": 10**30}), status(since={"broker": LONG_AGO}),
    status(trouble={"x": "y" * 9999}),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(UNTRUE)))
def test_what_cannot_be_true_is_refused_whole_and_the_rest_is_stored(
    connection: Connection, number: int
) -> None:
    batch = [received(event("p2"), 0), received(UNTRUE[number], 1), received(alert(), 2)]
    written = writer.write(connection, batch)
    assert written.new == {"events": 1, "alerts": 1}
    assert [refused.received.offset for refused in written.rejected] == [1]


@pytest.mark.parametrize("usual", [event(), alert(), action(), phrase(), status()])
def test_what_is_usual_is_taken(usual: Any) -> None:
    assert bounds.find_problem(usual) == ""
