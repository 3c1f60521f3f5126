"""No message with a time or a number that breaks arithmetic comes through the decoder."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.messages import action, alert, event, measurement, phrase, upload
from tests.support.statuses import status
from vigil.contracts import bounds, wire
from vigil.domain.encoding import encode
from vigil.domain.reading import Tick, Upload
from vigil.service.errors import WireError
from vigil.streaming.probe_messages import build_withdrawal

NOW = "2026-11-21T06:02:00Z"
MESSAGES: dict[str, Any] = {
    "upload": upload(measurement()), "tick": Tick(datetime(2026, 11, 21, tzinfo=UTC)),
    "event": event(), "alert": alert(), "action": action(), "status": status("store", 0),
    "phrase": phrase(), "withdrawal": build_withdrawal(datetime(2026, 11, 21, tzinfo=UTC)),
}  # fmt: skip


def changed(name: str, path: str, value: str) -> wire.Outgoing:
    """A message with one field replaced by raw JSON."""
    sent = wire.to_message(MESSAGES[name], "test")
    plain = json.loads(sent.value)
    place: Any = plain
    *parents, last = path.split("/")
    for parent in parents:
        place = place[int(parent) if parent.isdecimal() else parent]
    place[last] = "@"
    return replace(sent, value=json.dumps(plain).replace('"@"', value).encode())


def decoded(sent: wire.Outgoing) -> Any:
    return wire.decode(sent.topic, sent.value, sent.headers)


TIMES = [
    ("upload", "received_at"), ("tick", "time"), ("event", "onset"), ("event", "detected_at"),
    ("event", "ended_at"), ("alert", "time"), ("alert", "onset"), ("action", "time"),
    ("action", "until"), ("status", "time"), ("status", "started"), ("status", "since/start"),
    ("withdrawal", "time"), ("withdrawal", "since"),
]  # fmt: skip
FAR = [
    "0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z",
    "2262-01-01T00:00:00Z", "9000-06-01T00:00:00Z", "9999-12-31T23:59:59.9999999-14:00",
    "9999-12-31T23:59:60Z",
]  # fmt: skip


@pytest.mark.parametrize(("name", "path"), TIMES)
@pytest.mark.parametrize("time", FAR)
def test_a_time_out_of_bounds_is_refused_by_field_and_value(
    name: str, path: str, time: str
) -> None:
    with pytest.raises(WireError) as caught:
        decoded(changed(name, path, f'"{time}"'))
    assert caught.value.code == "wire.out_of_bounds"
    assert path.replace("/", ".") in caught.value.message
    assert time[:4] in caught.value.message


@pytest.mark.parametrize("time", FAR)
def test_a_measurement_out_of_bounds_is_at_their_end_and_the_others_stay(time: str) -> None:
    good = measurement(5)
    sent = wire.to_message(upload(measurement(0), good), "test")
    plain = json.loads(sent.value)
    plain["measurements"][0]["time"] = time
    message = decoded(replace(sent, value=json.dumps(plain).encode()))
    assert message.measurements[0].time in (bounds.FIRST, bounds.LAST)
    assert message.measurements[1] == good


@pytest.mark.parametrize(
    "value", ["1e308", "-1e308", "1e400", "1e16", "9" * 30, "9" * 400, "-" + "9" * 4400, "NaN",
              "Infinity", "-Infinity", "1e-400000000000000000000"]
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("event", "evidence/value"), ("event", "evidence/deep"), ("event", "context/steps_per_min"),
        ("event", "sequence"), ("alert", "revision"), ("status", "gauges/lag_messages"),
        ("status", "counters/messages"),
    ],
)  # fmt: skip
def test_a_number_out_of_bounds_is_refused(name: str, path: str, value: str) -> None:
    if value == "1e-400000000000000000000" and "sequence revision counters".find(path[:8]) < 0:
        return  # it is zero
    with pytest.raises(WireError) as caught:
        decoded(changed(name, path, value))
    assert caught.value.code in {"wire.out_of_bounds", "wire.broken_message"}
    if value == "1e308" and "sequence" not in path and "revision" not in path:
        assert caught.value.code == "wire.out_of_bounds"
        assert path.rsplit("/", maxsplit=1)[-1] in caught.value.message
        assert "1e+308" in caught.value.message


@pytest.mark.parametrize(("value", "end"), [("1e308", 1e15), ("-1e16", -1e15), ("9" * 30, 1e15)])
def test_a_measured_number_out_of_bounds_is_at_their_end_and_the_others_stay(
    value: str, end: float
) -> None:
    sent = changed("upload", "measurements/0/values/heart_rate", value)
    raw = sent.value.replace(b'"values":{', b'"values":{"spo2":97.5,', 1)
    message = decoded(
        replace(sent, value=raw.replace(b'"values": {', b'"values": {"spo2":97.5,', 1))
    )
    assert message.measurements[0].values == {"heart_rate": end, "spo2": 97.5}


def test_free_form_objects_are_bounded_in_depth_and_text() -> None:
    for value in ("[" * 20 + "]" * 20, '{"a":' * 900 + "1" + "}" * 900, '"' + "x" * 20_000 + '"'):
        with pytest.raises(WireError) as caught:
            decoded(changed("event", "evidence/value", value))
        assert caught.value.code == "wire.out_of_bounds"
        assert "evidence.value" in caught.value.message
    with pytest.raises(WireError):
        decoded(changed("alert", "slots/heart_rate", '"' + "x" * 20_000 + '"'))


EDGES = st.sampled_from(
    [
        *(1e15, -1e15, 1e15 + 1, 10**15, 10**15 + 1, -(10**16), float("inf"), float("nan")),
        *("x" * bounds.LONGEST, "x" * (bounds.LONGEST + 1)),
        *(bounds.FIRST, bounds.LAST, bounds.FIRST - timedelta(microseconds=1)),
        *(bounds.LAST + timedelta(microseconds=1), datetime(2026, 1, 1, tzinfo=timezone.min)),
    ]
)
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | EDGES,
    lambda parts: st.lists(parts, max_size=3) | st.lists(parts, max_size=3).map(tuple)
    | st.dictionaries(st.text(max_size=3) | st.just("x" * 20_000), parts, max_size=3),
    max_leaves=20,
)  # fmt: skip


@given(NESTED, st.integers(0, 20))
def test_what_is_passed_at_once_is_what_the_check_by_name_passes(value: Any, levels: int) -> None:
    for _ in range(levels):
        value = [value]
    try:
        bounds._check_all(value, "", 0)
    except ValueError:
        assert not bounds._is_within(value)
    else:
        assert bounds._is_within(value)


def test_our_own_messages_are_passed_at_once() -> None:
    assert all(bounds._is_within(message) for message in MESSAGES.values())


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda parts: st.lists(parts, max_size=3) | st.dictionaries(st.text(max_size=3), parts,
                                                               max_size=3),
    max_leaves=20,
)  # fmt: skip
ANY_TIME = st.datetimes(timezones=st.timezones() | st.just(UTC)).map(datetime.isoformat) | st.text(
    max_size=30
)


@given(PLAIN, ANY_TIME, ANY_TIME)
def test_whatever_is_sent_is_refused_or_can_be_reckoned_with(
    evidence: Any, onset: str, time: str
) -> None:
    for name, changes in (
        ("event", {"evidence": {"x": evidence}, "onset": onset, "detected_at": time}),
        ("upload", {"received_at": onset}),
        ("tick", {"time": time}),
    ):
        sent = wire.to_message(MESSAGES[name], "test")
        value = msgspec.json.encode({**json.loads(sent.value), **changes})
        try:
            message = decoded(replace(sent, value=value))
        except WireError:
            continue
        again = wire.to_message(message, "test")  # every time in UTC, every number as JSON
        assert decoded(again) == message
        if isinstance(message, Upload):
            assert bounds.FIRST <= message.received_at <= bounds.LAST


@given(st.sampled_from([*MESSAGES]), st.integers(-23 * 60 - 59, 23 * 60 + 59))
def test_a_moment_comes_out_in_utc_whatever_its_offset(name: str, minutes: int) -> None:
    zone = timezone(timedelta(minutes=minutes))

    def there(found: re.Match[bytes]) -> bytes:
        time = datetime.fromisoformat(found[1].decode())
        return f'"{time.astimezone(zone).isoformat()}"'.encode()

    sent = wire.to_message(MESSAGES[name], "test")
    elsewhere = replace(sent, value=re.sub(rb'"(20[0-9-]+T[0-9:.]+Z)"', there, sent.value))
    assert encode(decoded(elsewhere)) == sent.value


@pytest.mark.parametrize(
    ("name", "path"),
    [("event", "sequence"), ("alert", "sequence"), ("alert", "revision"), ("phrase", "revision")],
)
def test_a_step_has_a_number_that_a_table_holds(name: str, path: str) -> None:
    for number in ("-1", "2147483648"):
        with pytest.raises(WireError, match=f"{path} is"):
            decoded(changed(name, path, number))
