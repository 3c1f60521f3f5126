"""Signals, kinds, errors, topics and identifiers: the tables and the names."""

from __future__ import annotations

import inspect
import re
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.admin import ConfigResource, ConfigResourceType

from vigil.contracts import topics
from vigil.domain import ids
from vigil.domain.kinds import KINDS, PRIORITY_ORDER, PRIORITY_TABLE
from vigil.domain.signals import SIGNALS, factor_to_canonical
from vigil.kafka.clients import open_admin
from vigil.kafka.provisioning import create_topics
from vigil.service import errors
from vigil.service.errors import CODES, InputError, SettingsError, VigilError
from vigil.service.settings import Settings

WORDS = st.lists(st.text(), min_size=1, max_size=4)
MOMENTS = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


# identifiers


@given(parts=WORDS)
def test_an_id_is_a_uuid5_of_its_parts(parts: list[str]) -> None:
    try:
        name = "".join(f"{len(part)}:{part}" for part in parts)
        name.encode()
    except UnicodeEncodeError:
        return
    assert ids.derive(*parts) == str(uuid5(ids.NAMESPACE, name))
    assert UUID(ids.derive(*parts)).version == 5


@given(one=WORDS, other=WORDS)
def test_different_parts_have_different_names(one: list[str], other: list[str]) -> None:
    def name(parts: list[str]) -> str:
        return "".join(f"{len(part)}:{part}" for part in parts)

    assert (name(one) == name(other)) == (one == other)


@given(moment=MOMENTS, hours=st.integers(-12, 14))
def test_a_moment_has_one_spelling(moment: datetime, hours: int) -> None:
    elsewhere = moment.astimezone(timezone(timedelta(hours=hours)))
    assert ids.timestamp(elsewhere) == ids.timestamp(moment)
    assert ids.timestamp(moment).endswith("Z")
    assert datetime.fromisoformat(ids.timestamp(moment)) == moment


def test_an_episode_its_alert_and_a_reading_keep_their_names() -> None:
    """Known values: were they to change, every stored id would."""
    onset = datetime(2026, 11, 21, 6, 2, tzinfo=UTC)
    event = ids.episode_id("p1", "heart_rate_high", onset)
    assert event == "1156455e-de3b-5f82-9ea4-c9b0bfdc7e8c"
    assert ids.alert_id(event) == "8f19147c-d371-544d-a70b-a7aa37f64a01"
    assert ids.reading_id("p1", "w", onset, "x") == "r-9229abbb547df90c"


# signals


@pytest.mark.parametrize(
    ("signal", "unit", "given_value", "canonical"),
    [
        ("heart_rate", "/min", 72, 72),
        ("heart_rate", "bpm", 72, 72),
        ("heart_rate", "{beats}/min", 72, 72),
        ("systolic", "kPa", 16, 120.01),
        ("diastolic", "mmHg", 80, 80),
        ("temperature", "[degF]", 98.6, 37.0),
        ("temperature", "°F", 212, 100),
        ("temperature", "Cel", 37, 37),
        ("spo2", "{fraction}", 0.97, 97),
        ("respiratory_rate", "1/min", 16, 16),
    ],
)
def test_units_are_brought_to_the_signals_own(
    signal: str, unit: str, given_value: float, canonical: float
) -> None:
    conversion = factor_to_canonical(SIGNALS[signal], unit)
    assert conversion is not None
    factor, offset = conversion
    assert given_value * factor + offset == pytest.approx(canonical, abs=0.01)


@pytest.mark.parametrize("unit", ["psi", "", "mmhg", "K"])
def test_an_unknown_unit_is_not_guessed(unit: str) -> None:
    assert all(factor_to_canonical(signal, unit) is None for signal in SIGNALS.values())


def test_the_signals_table_is_sound() -> None:
    codes = [signal.loinc for signal in SIGNALS.values()]
    assert len(set(codes)) == len(codes)
    for name, signal in SIGNALS.items():
        assert signal.name == name
        assert signal.lowest < signal.highest
        assert re.fullmatch(r"\d+-\d", signal.loinc)
        body, check = signal.loinc.split("-")
        assert mod10(body) == int(check), f"{signal.loinc} is mistyped"


def mod10(body: str) -> int:
    """LOINC's check digit (Luhn)."""
    total = 0
    for place, digit in enumerate(reversed(body)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return -total % 10


# kinds


def test_priorities_follow_the_table_of_iec_60601_1_8() -> None:
    table = {
        "irreversible": ("high", "high", "medium"),
        "reversible": ("high", "medium", "low"),
        "minor": ("medium", "low", "low"),
    }
    for result, row in table.items():
        for onset, priority in zip(("immediate", "prompt", "delayed"), row, strict=True):
            assert PRIORITY_TABLE[result, onset] == priority  # type: ignore[index]
    assert sorted(PRIORITY_ORDER, key=PRIORITY_ORDER.__getitem__) == ["high", "medium", "low"]


def test_each_kind_is_of_known_signals_and_technical_ones_are_never_above_low() -> None:
    for name, kind in KINDS.items():
        assert kind.name == name
        assert set(kind.signals) <= set(SIGNALS)
        assert kind.priority in PRIORITY_ORDER
        if kind.category == "technical":
            assert kind.priority == "low"


# errors


def test_every_error_class_has_codes_of_its_own_and_every_code_a_class() -> None:
    classes = {
        name: kind
        for name, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, VigilError) and kind is not VigilError
    }
    prefixes = {
        "InputError": "input.",
        "AccessError": "access.",
        "WireError": "wire.",
        "SettingsError": "settings.",
        "UnavailableError": "unavailable.",
        "StaleOwnerError": "stale_owner",
    }
    assert set(prefixes) <= set(classes)
    for code in CODES:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*(\.[a-z_0-9]+)?", code)
    for name, prefix in prefixes.items():
        assert any(code.startswith(prefix) for code in CODES), name
        assert name in (errors.__doc__ or "")


def test_an_error_reads_as_one_sentence_with_field_mend_and_code() -> None:
    error = InputError(
        "118 psi is no unit.", code="input.unknown_unit", field="unit", how_to_fix="Send mm[Hg]."
    )
    assert str(error) == "unit: 118 psi is no unit. Send mm[Hg]. [input.unknown_unit]"
    with pytest.raises(ValueError, match="not a known error code"):
        InputError("?", code="input.made_up")


# topics


@pytest.mark.kafka
@pytest.mark.xdist_group("tables")
def test_topics_are_created_once_with_their_partitions_and_retention(
    broker: str, request: pytest.FixtureRequest
) -> None:
    settings = Settings(kafka_bootstrap=broker, partitions=5)
    assert create_topics(settings) == []  # the fixture made them, with 3
    with open_admin(settings) as admin:
        described = {t["name"]: len(t["partitions"]) for t in admin.describe_topics()}
        assert {name: described[name] for name in topics.TOPICS} == {
            name: topic.partitions or 3 for name, topic in topics.TOPICS.items()
        }
        if request.node.callspec.params["broker"] == "tansu":
            return  # keeps everything until it ends
        names = [ConfigResource(ConfigResourceType.TOPIC, name) for name in topics.TOPICS]
        found = admin.describe_configs(names)
    for name, topic in topics.TOPICS.items():
        settings_of = config_of(found, name)
        for key, value in topic.config().items():
            assert settings_of[key] == value, (name, key)


def config_of(found: object, name: str) -> dict[str, str]:
    """The settings of one topic in the answer of ``describe_configs``."""
    values = found["topic"][name] if isinstance(found, dict) else {}
    return {key: v["value"] if isinstance(v, dict) else v for key, v in values.items()}


@pytest.mark.kafka
@pytest.mark.xdist_group("tables")
def test_more_copies_than_brokers_is_a_setting_to_mend(
    broker: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    if request.node.callspec.params["broker"] == "tansu":
        pytest.skip("Tansu keeps no copies, whatever is asked for")
    another = topics.Topic("vitals.another", (), "Only here.", 1)
    monkeypatch.setattr(topics, "TOPICS", {another.name: another})
    with pytest.raises(SettingsError) as caught:
        create_topics(Settings(kafka_bootstrap=broker, replication=3))
    assert caught.value.field == "VIGIL_REPLICATION"
