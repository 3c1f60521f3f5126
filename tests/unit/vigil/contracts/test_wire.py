"""Structs to messages and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, get_args

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.contracts import exact_decoding, schemas, topics, wire
from vigil.contracts.topics import TOPICS
from vigil.domain.action import Action, Verb
from vigil.domain.alert import Alert, Audience, Provenance, Text
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.domain.encoding import encode
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import Category, Priority
from vigil.domain.reading import (
    Activity,
    Context,
    Measurement,
    RestedOn,
    Tick,
    Upload,
    Withdrawal,
    WithdrawalReason,
)
from vigil.service.errors import WireError

IDENTS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,30}", fullmatch=True)
TIMES = st.datetimes(
    min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)  # noqa: DTZ001
)  # fmt: skip
NUMBERS = st.floats(-1e15, 1e15)
WORDS = st.text(max_size=20)
NAMES = WORDS.filter(bool)
BOOLS = st.booleans()


def one_of(literal: Any) -> st.SearchStrategy[Any]:
    """Any value of a ``Literal``."""
    return st.sampled_from(get_args(literal))


CONTEXTS = st.builds(
    Context, one_of(Activity), st.none() | NUMBERS, st.none() | WORDS, st.none() | BOOLS
)
MEASUREMENTS = st.builds(
    Measurement, WORDS, TIMES, st.dictionaries(WORDS, NUMBERS, max_size=3), CONTEXTS
)
EVIDENCE = st.dictionaries(
    WORDS, st.none() | BOOLS | NUMBERS | WORDS | st.lists(NUMBERS), max_size=4
)
MESSAGES = st.one_of(
    st.builds(
        Upload, IDENTS, IDENTS, TIMES, st.lists(MEASUREMENTS, max_size=3).map(tuple), BOOLS
    ),
    st.builds(Tick, TIMES),
    st.builds(
        Withdrawal, withdrawal_id=NAMES, patient_id=IDENTS,
        readings=st.lists(MEASUREMENTS, min_size=1, max_size=2).map(tuple),
        reason=one_of(WithdrawalReason), actor=WORDS, time=TIMES, comment=WORDS,
        device_id=st.none() | IDENTS, since=TIMES,
        remaining=st.lists(MEASUREMENTS, max_size=2).map(tuple),
        episodes=st.lists(
            st.builds(
                RestedOn, episode_id=NAMES, kind=WORDS, sequence=st.integers(0, 99), onset=TIMES,
                ended_at=st.none() | TIMES, priority=one_of(Priority), retrospective=BOOLS,
                signals=st.lists(WORDS).map(tuple), evidence=EVIDENCE, synthetic=BOOLS,
            ),
            max_size=2,
        ).map(tuple),
    ),
    st.builds(
        Event, episode_id=NAMES, patient_id=IDENTS, kind=WORDS, category=one_of(Category),
        phase=one_of(Phase), sequence=st.integers(0, 99), priority=one_of(Priority), onset=TIMES,
        detected_at=TIMES, ended_at=st.none() | TIMES, retrospective=BOOLS,
        signals=st.lists(WORDS).map(tuple), evidence=EVIDENCE, context=CONTEXTS,
        detector_version=WORDS, config_hash=WORDS, synthetic=BOOLS,
    ),
    st.builds(
        Alert, alert_id=WORDS, episode_id=NAMES, patient_id=IDENTS, revision=st.integers(0, 99),
        sequence=st.integers(0, 99), kind=WORDS, category=one_of(Category), phase=one_of(Phase),
        priority=one_of(Priority), retrospective=BOOLS, time=TIMES, onset=TIMES,
        texts=st.dictionaries(
            one_of(Audience),
            st.dictionaries(WORDS, st.builds(Text, WORDS, WORDS, WORDS), max_size=2),
        ),
        slots=st.dictionaries(WORDS, WORDS, max_size=3),
        provenance=st.dictionaries(
            one_of(Audience),
            st.builds(
                Provenance, st.sampled_from(["template", "phrasebook", "model"]), WORDS, WORDS,
                WORDS, WORDS, st.lists(WORDS, max_size=2).map(tuple),
            ),
        ),
        synthetic=BOOLS,
    ),
    st.builds(
        Action, action_id=NAMES, episode_id=NAMES, patient_id=IDENTS, actor=WORDS,
        verb=one_of(Verb), time=TIMES, comment=WORDS, until=st.none() | TIMES,
    ),
    st.builds(PatientEntry, IDENTS, WORDS, WORDS, BOOLS, BOOLS),
    st.builds(DeviceEntry, IDENTS, WORDS, st.none() | WORDS, BOOLS),
)  # fmt: skip


@given(message=MESSAGES)
def test_what_goes_out_comes_back_identical_and_deterministic(message: wire.Carried) -> None:
    sent = wire.to_message(message, "test")
    assert wire.decode(sent.topic, sent.value, sent.headers) == message
    again = wire.to_message(wire.decode(sent.topic, sent.value, sent.headers), "test")
    assert again == sent


@given(message=MESSAGES)
def test_the_way_that_reads_times_exactly_reads_all_else_the_same(message: wire.Carried) -> None:
    sent = wire.to_message(message, "test")
    kind = wire.CE_TYPES[dict(sent.headers)["ce_type"].decode()]
    assert exact_decoding.decode(kind, sent.value) == message
    whole = re.sub(rb":([0-9]+)\.0([,}])", rb":\1\2", sent.value)  # 72.0 as 72
    assert exact_decoding.decode(kind, whole) == wire.decode_value(
        dict(sent.headers)["ce_type"].decode(), whole
    )


@given(message=MESSAGES)
def test_each_message_carries_the_headers_of_cloudevents(message: wire.Carried) -> None:
    sent = wire.to_message(message, "ingest", partition=2)
    headers = dict(sent.headers)
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_source"] == b"/vigil/ingest"
    assert headers["content-type"] == b"application/json"
    assert headers["ce_id"]
    assert headers["ce_type"].decode() in wire.CE_TYPES
    assert sent.partition == 2
    keyed = wire.to_message(message, "ingest").partition
    assert keyed == (0 if TOPICS[sent.topic].partitions == 1 else None)
    assert len(headers) == len(sent.headers)
    if "ce_time" in headers:
        assert datetime.fromisoformat(headers["ce_time"].decode()).tzinfo is not None
    if isinstance(message, Upload | Withdrawal | Event | Alert | Action):
        assert sent.key == message.patient_id.encode()
        assert "ce_time" in headers


@given(message=MESSAGES)
def test_each_message_is_valid_by_its_published_schema(message: wire.Carried) -> None:
    sent = wire.to_message(message, "test")
    ce_type = wire.header(sent.headers, "ce_type")
    schema = schemas.json_schemas()[schemas.schema_name(ce_type)]
    jsonschema.Draft202012Validator(schema).validate(msgspec.json.decode(sent.value))


@given(message=MESSAGES, field=WORDS.map(lambda word: f"x_{word}"))
def test_a_field_that_a_newer_producer_adds_is_passed_over(
    message: wire.Carried, field: str
) -> None:
    sent = wire.to_message(message, "test")
    fields = msgspec.json.decode(sent.value)
    newer = msgspec.json.encode({**fields, field: [1]})
    assert wire.decode(sent.topic, newer, sent.headers) == message


@given(message=MESSAGES.filter(lambda m: isinstance(m, Event | Alert | Action)), later=BOOLS)
def test_a_message_about_an_episode_carries_both_its_names_and_needs_one(
    message: Event | Alert | Action, later: bool
) -> None:
    sent = wire.to_message(message, "test")
    fields = msgspec.json.decode(sent.value)
    assert fields["event_id"] == fields["episode_id"] == message.episode_id
    one, other = ("episode_id", "event_id") if later else ("event_id", "episode_id")
    del fields[other]  # as releases of before and after write it
    assert wire.decode(sent.topic, msgspec.json.encode(fields), sent.headers) == message
    del fields[one]
    with pytest.raises(WireError, match="missing required field `episode_id`"):
        wire.decode(sent.topic, msgspec.json.encode(fields), sent.headers)
    fields |= {one: message.episode_id, other: f"{message.episode_id}x"}
    with pytest.raises(WireError, match="name different episodes"):
        wire.decode(sent.topic, msgspec.json.encode(fields), sent.headers)


@given(value=st.binary(), topic=st.sampled_from(sorted(topics.TOPICS)))
def test_no_bytes_bring_the_decoder_down(value: bytes, topic: str) -> None:
    for headers in ([], [("ce_type", value)], [("ce_type", None)]):
        try:
            wire.decode(topic, value, headers)
        except WireError:
            continue


UPLOAD = Upload(
    "p1", "watch-1", datetime(2026, 11, 21, 6, 0, 2, tzinfo=UTC),
    (Measurement("r1", datetime(2026, 11, 21, 6, tzinfo=UTC), {"heart_rate": 61.0}),),
)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "headers", "code"),
    [
        (b"{", [], "wire.broken_message"),
        (None, [], "wire.broken_message"),
        (b"[" * 100_000, [], "wire.broken_message"),
        (b'{"time":' + b"[" * 100_000, [("ce_type", b"org.vigil.tick.v1")], "wire.broken_message"),
        (encode(UPLOAD).replace(b"06:00:00Z", b"06:00:00"), [], "wire.broken_message"),
        (encode(UPLOAD).replace(b'"p1"', b'"p 1"'), [], "wire.broken_message"),
        (encode(UPLOAD).replace(b"61.0", b'"61"'), [], "wire.broken_message"),
        (encode(UPLOAD), [("ce_type", b"org.vigil.upload.v9")], "wire.unknown_type"),
        (encode(UPLOAD), [("ce_type", b"org.vigil.event.v1")], "wire.unknown_type"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    value: bytes | None, headers: Sequence[tuple[str, bytes]], code: str
) -> None:
    with pytest.raises(WireError) as caught:
        wire.decode(topics.READINGS.name, value, headers)
    assert caught.value.code == code
    assert caught.value.how_to_fix


def test_without_a_type_the_topics_first_is_meant_and_elsewhere_there_is_none() -> None:
    assert wire.decode(topics.READINGS.name, encode(UPLOAD), []) == UPLOAD
    for topic in (topics.DEAD_LETTERS.name, "vitals.nowhere"):
        with pytest.raises(WireError):
            wire.decode(topic, encode(UPLOAD), [])


def test_the_same_reading_ids_of_two_patients_are_two_messages() -> None:
    other = msgspec.structs.replace(UPLOAD, patient_id="p2")
    ids = {wire.header(wire.to_message(u, "t").headers, "ce_id") for u in (UPLOAD, other)}
    assert len(ids) == 2
    later = msgspec.structs.replace(UPLOAD, received_at=datetime(2026, 11, 22, tzinfo=UTC))
    assert wire.header(wire.to_message(later, "t").headers, "ce_id") in ids  # a repeat


def test_a_dead_letter_keeps_the_bytes_and_says_why() -> None:
    reason = WireError("Not JSON.", code="wire.broken_message")
    original = wire.DeadOriginal(
        b"p1", b"\xff\x00", [("ce_id", b"7"), ("x", None)], "store", reason
    )
    dead_letter = wire.build_dead_letter("vitals.readings", 2, 41, original)
    headers = dict(dead_letter.headers)
    assert (dead_letter.topic, dead_letter.key, dead_letter.value) == (
        topics.DEAD_LETTERS.name,
        b"p1",
        b"\xff\x00",
    )
    assert headers["vigil_origin"] == b"vitals.readings/2/41"
    assert headers["vigil_reason"] == b"wire.broken_message"
    assert headers["original_ce_id"] == b"7"
    assert headers["original_x"] == b""
    assert "vigil_cut" not in headers
    assert dict(wire.build_dead_letter("vitals.readings", 2, 41, original).headers) == headers
    assert dict(wire.build_dead_letter("vitals.readings", 2, 42, original).headers) != headers


def test_a_dead_letter_that_is_too_large_is_cut_and_says_so() -> None:
    reason = WireError("?", code="wire.broken_message")
    original = wire.DeadOriginal(None, b"x" * (wire.LARGEST_DEAD_LETTER + 5), [], "store", reason)
    dead_letter = wire.build_dead_letter("vitals.readings", 0, 0, original)
    assert len(dead_letter.value) == wire.LARGEST_DEAD_LETTER < topics.LARGEST_MESSAGE
    assert dict(dead_letter.headers)["vigil_cut"] == str(wire.LARGEST_DEAD_LETTER + 5).encode()


def test_an_upload_is_its_readings() -> None:
    (reading,) = UPLOAD.readings()
    assert (reading.patient_id, reading.reading_id, reading.values) == (
        "p1",
        "r1",
        {"heart_rate": 61.0},
    )
    assert reading.received_at == UPLOAD.received_at
