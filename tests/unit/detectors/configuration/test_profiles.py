"""Every shipped profile loads, is documented, and does what its way of measuring needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from detectors.configuration.layers import profiles
from detectors.configuration.loading import from_tables, load
from tests.support.vitals import announced, detect, heart, seconds

DOCS = Path(__file__).parents[4] / "docs" / "detection.md"


@pytest.mark.parametrize("name", profiles())
def test_a_profile_passes_the_checks_and_differs_from_the_defaults(name: str) -> None:
    own = from_tables({"profile": name})
    assert own.config_hash != load().config_hash


@pytest.mark.parametrize("name", profiles())
def test_a_profile_is_documented(name: str) -> None:
    assert f"`{name}`" in DOCS.read_text("utf-8")


@pytest.mark.parametrize("name", profiles())
def test_a_ward_and_a_patient_can_name_it(name: str) -> None:
    whole = from_tables({"profile": name}).everyone
    own = from_tables(
        {"wards": {"w": {"patients": ["a"], "profile": name}}, "patients": {"b": {"profile": name}}}
    )
    assert own.config_for("a") == own.config_for("b") == whole


@pytest.mark.parametrize(
    ("rate", "kind", "priority", "within"),
    [
        (125.0, "heart_rate_high", "medium", 60),
        (165.0, "heart_rate_high", "high", 60),
        (47.0, "heart_rate_low", "medium", 60),
        (34.0, "heart_rate_low", "high", 30),
    ],
)
def test_a_monitored_bed_is_told_within_a_minute(
    rate: float, kind: str, priority: str, within: float
) -> None:
    uploads = heart([75.0] * 30 + [rate] * 12, every=10.0, activity="unknown")
    events = detect(uploads, profile="monitored_bed")
    mine = [event for event in events if event.kind == kind]
    assert mine[-1].priority == priority
    assert (seconds(mine[-1].detected_at) or 0) - 300 <= within


def test_a_home_cuff_confirms_a_fast_heart_by_the_second_reading() -> None:
    twice = heart([128.0, 127.0], every=60.0, activity="unknown")
    assert announced(detect(twice, profile="home_cuff")) == [
        ("heart_rate_high", "opened", "medium")
    ]
    assert announced(detect(twice)) == []
