"""Activity and time of day, as far as anyone knows."""

from __future__ import annotations

import pytest

from detectors import context
from detectors.config import load
from detectors.context import Heard
from tests.support.vitals import MIDNIGHT, RESTING, config
from vigil.model import Context

SETTINGS = load().everyone.context
ZERO = MIDNIGHT.timestamp()


@pytest.mark.parametrize(
    ("told", "activity"),
    [
        (Context("asleep"), "asleep"),
        (Context("rest", steps_per_min=90), "rest"),
        (Context(steps_per_min=0), "rest"),
        (Context(steps_per_min=9.9), "rest"),
        (Context(steps_per_min=10), "active"),
        (Context(), "unknown"),
        (Context(contact=True), "unknown"),
    ],
)
def test_the_devices_word_comes_first_then_steps(told: Context, activity: str) -> None:
    heard = Heard()
    context.note(SETTINGS, heard, ZERO, told)
    assert context.activity_at(SETTINGS, heard, ZERO) == activity


def test_what_one_device_told_holds_for_others_for_a_while() -> None:
    heard = Heard()
    context.note(SETTINGS, heard, ZERO, Context("active"))
    assert context.activity_at(SETTINGS, heard, ZERO + 120) == "active"
    assert context.activity_at(SETTINGS, heard, ZERO + 121) == "unknown"
    assert context.activity_at(SETTINGS, heard, ZERO - 1) == "unknown"


def test_an_older_word_does_not_replace_a_newer() -> None:
    heard = Heard()
    context.note(SETTINGS, heard, ZERO, Context("rest"))
    context.note(SETTINGS, heard, ZERO - 60, Context("active"))
    assert context.activity_at(SETTINGS, heard, ZERO) == "rest"


def test_in_a_bed_unknown_can_count_as_rest() -> None:
    bed = config(**RESTING).everyone.context
    assert context.activity_at(bed, Heard(), ZERO) == "rest"


def test_after_activity_the_baseline_waits() -> None:
    heard = Heard()
    context.note(SETTINGS, heard, ZERO, Context("active"))
    context.note(SETTINGS, heard, ZERO + 60, Context("rest"))
    assert context.period_at(SETTINGS, heard, "rest", ZERO + 60) == "active:night"
    assert context.period_at(SETTINGS, heard, "rest", ZERO + 600) == "rest:night"


@pytest.mark.parametrize(
    ("hour", "offset", "period"),
    [(21.9, 0, "day"), (22, 0, "night"), (5.9, 0, "night"), (6, 0, "day"), (21, 1, "night"),
     (23, -2, "day"), (15.5, 5.5, "day"), (17, 5.5, "night")],
)  # fmt: skip
def test_night_is_by_local_time(hour: float, offset: float, period: str) -> None:
    here = config(context={"utc_offset_hours": offset}).everyone.context
    found = context.period_at(here, Heard(), "rest", ZERO + hour * 3600)
    assert found == f"rest:{period}"


def test_night_can_lie_within_one_day() -> None:
    here = config(context={"night_from_hour": 1, "night_to_hour": 7}).everyone.context
    assert context.period_at(here, Heard(), "rest", ZERO + 6 * 3600).endswith("night")
    assert context.period_at(here, Heard(), "rest", ZERO).endswith("day")
