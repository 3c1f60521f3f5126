"""The door: what passes, what does not, and what the refusal says."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest import validate
from ingest.http.schemas import schemas
from vigil.domain import ids
from vigil.domain.reading import Context, Measurement
from vigil.domain.signals import NAMES, SENTINELS, SIGNALS
from vigil.service.errors import InputError

LATEST = datetime(2026, 11, 21, 12, 5, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "patient_id": "p1",
    "time": "2026-11-21T06:02:00Z",
    "values": {"heart_rate": 72},
}


def admit(words: object, where: str = "", patient_id: str | None = None) -> validate.Admitted:
    return validate.reading(
        words, device_id="watch-1", patient_id=patient_id, latest=LATEST, where=where
    )


def refused(words: object, where: str = "") -> InputError:
    with pytest.raises(InputError) as caught:
        admit(words, where)
    return caught.value


def test_a_good_reading_passes_whole() -> None:
    taken = admit(
        {
            "patient_id": "p1",
            "time": "2026-11-21T07:02:00.250+01:00",
            "values": {"heart_rate": 72, "systolic": {"value": 16, "unit": "kPa"},
                       "diastolic": {"value": 80}},
            "context": {"activity": "rest", "steps_per_min": 0, "posture": "lying",
                        "contact": True},
            "reading_id": "r-1",
        }
    )  # fmt: skip
    assert taken.patient_id == "p1"
    assert taken.measurement == Measurement(
        "r-1",
        datetime(2026, 11, 21, 6, 2, 0, 250_000, tzinfo=UTC),
        {"heart_rate": 72.0, "systolic": 120.0099, "diastolic": 80.0},
        Context("rest", 0.0, "lying", True),
    )


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ({"values": {"pulse": 70}}, "input.unknown_signal", "values.pulse"),
        ({"values": {"heart_rate": {"value": 70, "unit": "Hz"}}}, "input.unknown_unit",
         "values.heart_rate.unit"),
        ({"values": {"heart_rate": {"value": 70, "unit": 1}}}, "input.unknown_unit",
         "values.heart_rate.unit"),
        ({"values": {"heart_rate": {"unit": "bpm"}}}, "input.missing_field",
         "values.heart_rate.value"),
        ({"values": {"heart_rate": {"value": 70, "units": "bpm"}}}, "input.unknown_field",
         "values.heart_rate.units"),
        ({"values": {"heart_rate": 255}}, "input.sentinel_value", "values.heart_rate"),
        ({"values": {"heart_rate": {"value": 254, "unit": "bpm"}}}, "input.sentinel_value",
         "values.heart_rate.value"),
        ({"values": {"systolic": {"value": 2047, "unit": "kPa"}, "diastolic": 80}},
         "input.sentinel_value", "values.systolic.value"),
        ({"values": {"spo2": 65535}}, "input.sentinel_value", "values.spo2"),
        ({"values": {"temperature": -1}}, "input.sentinel_value", "values.temperature"),
        ({"values": {"spo2": 127}}, "input.sentinel_value", "values.spo2"),
        ({"values": {"respiratory_rate": 255}}, "input.sentinel_value", "values.respiratory_rate"),
        ({"values": {"temperature": 6553.5}}, "input.sentinel_value", "values.temperature"),
        ({"values": {"heart_rate": 0}}, "input.sentinel_value", "values.heart_rate"),
        ({"values": {"systolic": 120, "diastolic": 255}}, "input.sentinel_value",
         "values.diastolic"),
        ({"values": {"spo2": 102}}, "input.impossible_value", "values.spo2"),
        ({"values": {"heart_rate": 19.9}}, "input.impossible_value", "values.heart_rate"),
        ({"values": {"temperature": {"value": 37, "unit": "[degF]"}}}, "input.impossible_value",
         "values.temperature"),
        ({"values": {"systolic": 80, "diastolic": 80}}, "input.systolic_not_above_diastolic",
         "values.systolic"),
        ({"values": {"diastolic": 80}}, "input.incomplete_pair", "values.systolic"),
        ({"values": {"heart_rate": "72"}}, "input.wrong_type", "values.heart_rate"),
        ({"values": {"heart_rate": True}}, "input.wrong_type", "values.heart_rate"),
        ({"values": {"heart_rate": float("nan")}}, "input.wrong_type", "values.heart_rate"),
        ({"values": {"heart_rate": float("inf")}}, "input.wrong_type", "values.heart_rate"),
        ({"values": {"heart_rate": 10**5000}}, "input.wrong_type", "values.heart_rate"),
        ({"values": {"heart_rate": None}}, "input.wrong_type", "values.heart_rate"),
        ({"values": [72]}, "input.wrong_type", "values"),
        ({"values": {}}, "input.no_values", "values"),
        ({"values": {}, "context": {}}, "input.no_values", "values"),
        ({"time": "2026-11-21T06:02:00"}, "input.naive_time", "time"),
        ({"time": "2026-11-21T12:05:01Z"}, "input.future_time", "time"),
        ({"time": "9999-12-31T23:59:59-23:59"}, "input.future_time", "time"),
        ({"time": "1999-12-31T23:59:59Z"}, "input.ancient_time", "time"),
        ({"time": "0001-01-01T00:00:00+23:59"}, "input.ancient_time", "time"),
        ({"time": "2026-02-30T06:02:00Z"}, "input.wrong_type", "time"),
        ({"time": "2026-11-21"}, "input.wrong_type", "time"),
        ({"time": "２026-11-21T06:02:00Z"}, "input.wrong_type", "time"),
        ({"time": "2026-11-21T06:02:00Z\n"}, "input.wrong_type", "time"),
        ({"time": 1_795_240_920}, "input.wrong_type", "time"),
        ({"time": None}, "input.wrong_type", "time"),
        ({"patient_id": "Jane Doe"}, "input.wrong_type", "patient_id"),
        ({"patient_id": "p1\n"}, "input.wrong_type", "patient_id"),
        ({"patient_id": 7}, "input.wrong_type", "patient_id"),
        ({"reading_id": ""}, "input.wrong_type", "reading_id"),
        ({"reading_id": "r" * 129}, "input.wrong_type", "reading_id"),
        ({"context": "rest"}, "input.wrong_type", "context"),
        ({"context": {"activity": "running"}}, "input.wrong_type", "context.activity"),
        ({"context": {"activity": ["rest"]}}, "input.wrong_type", "context.activity"),
        ({"context": {"steps_per_min": 401}}, "input.impossible_value", "context.steps_per_min"),
        ({"context": {"steps_per_min": "9"}}, "input.wrong_type", "context.steps_per_min"),
        ({"values": {}, "context": {"contact": "perhaps"}}, "input.wrong_type", "context.contact"),
        ({"context": {"posture": "on the sofa, crying"}}, "input.wrong_type", "context.posture"),
        ({"context": {"mood": "low"}}, "input.unknown_field", "context.mood"),
        ({"heart_rate": 72}, "input.unknown_field", "heart_rate"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_its_field_and_a_mend(
    change: dict[str, Any], code: str, field: str
) -> None:
    error = refused(GOOD | change, where="readings[3].")
    assert (error.code, error.field) == (code, f"readings[3].{field}")
    assert error.how_to_fix
    assert len(str(error)) < 400


@pytest.mark.parametrize("absent", ["patient_id", "time"])
def test_what_is_required_is_asked_for(absent: str) -> None:
    words = {name: value for name, value in GOOD.items() if name != absent}
    error = refused(words)
    assert (error.code, error.field) == ("input.missing_field", absent)


@pytest.mark.parametrize("words", [None, [], "reading", 3, True])
def test_a_reading_is_an_object(words: object) -> None:
    assert refused(words, "readings[0].").code == "input.wrong_type"
    assert refused(words, "readings[0].").field == "readings[0]"
    assert refused(words).field == "body"


def test_context_alone_is_a_reading() -> None:
    words = {"patient_id": "p1", "time": GOOD["time"], "context": {"contact": False}}
    assert admit(words).measurement.context == Context(contact=False)


def test_an_assigned_device_may_leave_the_patient_out() -> None:
    words = {"time": GOOD["time"], "values": GOOD["values"]}
    assert admit(words, patient_id="p9").patient_id == "p9"
    assert admit(GOOD, patient_id="p9").patient_id == "p1"  # who may say so is the gateway's to ask


def test_the_tolerance_is_the_callers() -> None:
    assert admit(GOOD | {"time": "2026-11-21T12:05:00Z"}).measurement.time == LATEST


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["patient_id", "time", "values", "context", "reading_id", "value", "unit",
                 "activity", "steps_per_min", "posture", "contact", *NAMES]
            ) | st.text(max_size=5), inner, max_size=6,
        )
    ),
    max_leaves=12,
)  # fmt: skip
times = st.datetimes(
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=14)), timezone(timedelta(hours=-12))])
).map(datetime.isoformat)


def outcome(words: object) -> validate.Admitted | InputError:
    """What came of it; any other exception fails the test."""
    try:
        return admit(words, patient_id="p1")
    except InputError as error:
        return error


@given(json_like)
@example({"time": "2026-11-21T06:02:00Z", "values": {"heart_rate": -(10**6000)}})
def test_whatever_comes_only_an_input_error_is_raised(words: object) -> None:
    result = outcome(words)
    if isinstance(result, InputError):
        assert result.field
        assert result.how_to_fix
        msgspec.json.encode([result.message, result.field, result.how_to_fix])


@given(times, json_like)
def test_times_and_values_of_any_kind_do_no_more(time: str, values: object) -> None:
    outcome({"patient_id": "p1", "time": time, "values": values})


def is_not_in(values: Collection[float], value: float) -> bool:
    return value not in values


@st.composite
def good_words(draw: st.DrawFn) -> dict[str, Any]:
    """Words that must pass."""
    values: dict[str, float] = {}
    for name in draw(st.sets(st.sampled_from(NAMES), min_size=1)):
        signal = SIGNALS[name]
        some = st.floats(signal.lowest, signal.highest)
        values[name] = draw(some.filter(partial(is_not_in, SENTINELS[name])))
    if "diastolic" in values:
        values["diastolic"] = draw(st.floats(10, 200))
        values["systolic"] = draw(st.floats(201, 300))
    moments = st.datetimes(datetime(2000, 1, 1), datetime(2026, 11, 21), timezones=st.just(UTC))  # noqa: DTZ001
    return {"patient_id": "p1", "time": draw(moments).isoformat(), "values": values}


@given(good_words(), st.randoms())
def test_an_id_comes_from_content_alone(words: dict[str, Any], shuffler: Any) -> None:
    first = admit(words).measurement
    names = list(words["values"])
    shuffler.shuffle(names)
    again = admit(words | {"values": {name: words["values"][name] for name in names}}).measurement
    assert again == first
    assert first.reading_id == ids.reading_id(
        "p1", "watch-1", first.time, validate.canonical(first.values, first.context)
    )
    assert re.fullmatch(validate.IDENTIFIER, first.reading_id)


@given(good_words())
def test_what_passed_passes_again_as_the_same_reading(words: dict[str, Any]) -> None:
    first = admit(words).measurement
    spoken = {"patient_id": "p1", "time": ids.timestamp(first.time), "values": first.values}
    assert admit(spoken).measurement == first


UNITS = [(name, unit) for name in NAMES for unit in SIGNALS[name].accepted_units]


@given(st.sampled_from(UNITS), st.floats(0.3, 0.7))
def test_every_unit_comes_back_as_it_went(
    pair: tuple[str, tuple[str, float, float]], part: float
) -> None:
    name, (unit, factor, offset) = pair
    signal = SIGNALS[name]
    own = signal.lowest + part * (signal.highest - signal.lowest)
    values: dict[str, Any] = {name: {"value": (own - offset) / factor, "unit": unit}}
    if name == "systolic":
        values["diastolic"] = 20
    if name == "diastolic":
        values["systolic"] = 290
    taken = admit(GOOD | {"values": values}).measurement.values[name]
    assert taken == pytest.approx(own, abs=10**-validate.DECIMALS_AFTER_CONVERSION)


def test_minus_zero_is_zero() -> None:
    words = GOOD | {"context": {"steps_per_min": -0.0}}
    plain = GOOD | {"context": {"steps_per_min": 0}}
    assert admit(words).measurement.reading_id == admit(plain).measurement.reading_id


@pytest.mark.parametrize("sequence", [0, 7, 2**53 - 1])
def test_a_devices_number_of_a_measurement_is_taken_and_part_of_its_id(sequence: int) -> None:
    plain = admit(GOOD).measurement
    numbered = admit({**GOOD, "sequence": sequence}).measurement
    assert (plain.sequence, numbered.sequence) == (None, sequence)
    assert numbered.reading_id != plain.reading_id


@pytest.mark.parametrize("sequence", [-1, 1.5, "7", True, None, 2**53])
def test_what_is_no_number_of_a_measurement_is_refused(sequence: object) -> None:
    error = refused({**GOOD, "sequence": sequence})
    assert (error.code, error.field) == ("input.wrong_type", "sequence")


# ---- no value, and a contact flag


@pytest.mark.parametrize("name", NAMES)
def test_a_sentinel_is_no_value_that_is_measured(name: str) -> None:
    """But for a heart rate of 254 and 255."""
    signal = SIGNALS[name]
    within = {value for value in SENTINELS[name] if signal.lowest <= value <= signal.highest}
    assert within == ({254.0, 255.0} if name == "heart_rate" else set())


@given(st.sampled_from([(name, value) for name in NAMES for value in SENTINELS[name]]))
def test_each_sentinel_has_its_own_code_in_every_unit(pair: tuple[str, float]) -> None:
    name, value = pair
    units = [SIGNALS[name].ucum, *(unit for unit, _, _ in SIGNALS[name].accepted_units)]
    for words in (value, *({"value": value, "unit": unit} for unit in units)):
        result = outcome(GOOD | {"values": {name: words}})
        assert isinstance(result, InputError)
        assert result.code == "input.sentinel_value"


def test_what_is_measured_is_no_sentinel() -> None:
    for values in (
        {"systolic": 255, "diastolic": 127}, {"heart_rate": 127}, {"heart_rate": 253},
        {"heart_rate": 256}, {"spo2": 100}, {"temperature": 25.5}, {"respiratory_rate": 100},
    ):  # fmt: skip
        assert admit(GOOD | {"values": values}).measurement.values == values


@pytest.mark.parametrize(("contact", "read"), [
    (True, True), (False, False), (1, True), (0, False), (0.0, False), ("True", True),
    ("FALSE", False), ("False", False), ("no", False), ("0", False), (" 0.00 ", False),
    ("1", True), ("Y", True), (None, None), ("", None), ("NaN", None), ("n/a", None),
])  # fmt: skip
def test_a_contact_flag_is_what_it_says(contact: object, read: bool | None) -> None:
    admitted = admit(GOOD | {"context": {"contact": contact}})
    assert (admitted.measurement.context.contact, admitted.note) == (read, None)


def test_the_same_flag_in_other_words_is_the_same_reading() -> None:
    ids_ = {
        admit(GOOD | {"context": {"contact": flag}}).measurement.reading_id
        for flag in (False, "False", "no", 0, "0.0")
    }
    assert len(ids_) == 1


@given(json_like)
def test_a_flag_that_cannot_be_read_disbelieves_the_values(contact: object) -> None:
    admitted = admit(GOOD | {"context": {"contact": contact}})
    assert admitted.measurement.values
    if admitted.note is not None:
        assert admitted.measurement.context.contact is False
        assert (admitted.note.code, admitted.note.field) == ("input.wrong_type", "context.contact")


@pytest.mark.parametrize("contact", ["perhaps", 2, -1, "1_0", [], {"value": 1}, "Infinity"])
def test_such_a_flag_is_named_in_a_note(contact: object) -> None:
    note = admit(GOOD | {"context": {"contact": contact}}).note
    assert note is not None
    assert "the values are not judged" in note.message


@pytest.mark.parametrize("contact", ["perhaps", 2, [], {}])
@pytest.mark.parametrize("further", [{}, {"activity": "rest"}])
def test_without_values_such_a_flag_is_refused_and_nothing_is_claimed_of_values(
    contact: object, further: dict[str, str]
) -> None:
    words = GOOD | {"values": {}, "context": {**further, "contact": contact}}
    error = refused(words)
    assert (error.code, error.field) == ("input.wrong_type", "context.contact")
    assert "values" not in str(error)


def test_the_schema_takes_any_flag_since_the_door_does() -> None:
    contact = schemas()["Reading"]["properties"]["context"]["properties"]["contact"]
    assert "type" not in contact
    flags: list[object] = [True, 0, "no", None, [], {}, {"value": 1}]
    for flag in flags:
        assert admit(GOOD | {"context": {"contact": flag}})
