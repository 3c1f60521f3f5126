"""An episode's severity over time: it rises, falls and rises again, and what lasts is repeated."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.contract import BEYOND, Finding, Rule
from detectors.episodes import severity
from detectors.episodes.memory import EpisodeMemory
from tests.support.vitals import HOUR, at, cuff, detect, heart, seconds
from vigil.domain.episode import Event
from vigil.domain.kinds import PRIORITY_ORDER

MINUTES = 60.0


def rates(mean: float, minutes: int) -> list[float]:
    return [mean + i % 3 for i in range(minutes)]


def changes(events: list[Event]) -> list[tuple[str, str, float | None]]:
    """What changed, to which priority, and when (minutes)."""
    return [
        (e.evidence.get("change", e.phase), e.priority, (seconds(e.detected_at) or 0) / MINUTES)
        for e in events
        if e.kind == "heart_rate_high"
    ]


def test_a_very_fast_heart_that_becomes_a_fast_one_falls_in_priority_and_says_what_it_was() -> None:
    events = detect(heart([*rates(70, 10), *rates(158, 20), *rates(126, 60)]))
    assert changes(events) == [("opened", "high", 13), ("eased", "medium", 59)]
    eased = events[-1].evidence
    assert eased["highest_priority"] == "high"
    assert eased["extreme"] == 160.0, "a fall never hides what it was"
    assert eased["rule"] == "heart_rate_high"


def test_what_fell_rises_again_once_it_has_persisted_anew() -> None:
    log = [*rates(158, 20), *rates(126, 60), *rates(158, 10)]
    assert changes(detect(heart(log))) == [
        ("opened", "high", 3), ("eased", "medium", 49), ("raised", "high", 83),
    ]  # fmt: skip


def test_a_short_calm_does_not_lower_it() -> None:
    log = [*rates(158, 20), *rates(126, 25), *rates(158, 10), *rates(126, 25), *rates(158, 5)]
    assert changes(detect(heart(log))) == [("opened", "high", 3)]


def test_one_milder_reading_of_a_cuff_is_not_enough() -> None:
    severe = cuff([(192, 124), (190, 123)], every=120)
    milder = cuff([(165, 95), (164, 96)], start=12 * HOUR, every=120)
    kinds = [
        (e.evidence.get("change", e.phase), e.priority)
        for e in detect([*severe, *milder])
        if e.kind == "blood_pressure_high"
    ]
    assert kinds == [("opened", "medium"), ("raised", "high"), ("eased", "medium")]


@pytest.mark.parametrize(
    ("mean", "hours", "expected"),
    [
        (158, 13, [("opened", 3), ("continues", 243), ("continues", 483), ("continues", 723)]),
        (126, 25, [("opened", 10), ("continues", 730), ("continues", 1450)]),
    ],
)
def test_what_lasts_is_announced_again(
    mean: float, hours: int, expected: list[tuple[str, float]]
) -> None:
    events = detect(heart(rates(mean, hours * 60)))
    found = [(what, when) for what, _, when in changes(events)]
    assert found == expected


def test_how_often_is_a_setting_and_low_priority_is_never_repeated() -> None:
    log = heart(rates(158, 300))
    often = detect(log, repeat={"high": 3600.0})
    assert [what for what, _, _ in changes(often)] == ["opened", *["continues"] * 4]
    assert [what for what, _, _ in changes(detect(log, repeat={"high": 0.0}))] == ["opened"]


def test_a_worsening_does_not_delay_the_repeat_since_it_may_page_nobody() -> None:
    log = [*rates(152, 200), *rates(175, 200)]
    assert changes(detect(heart(log))) == [
        ("opened", "high", 3), ("worse", "high", 200), ("continues", "high", 243),
    ]  # fmt: skip


def test_what_is_worse_hours_after_the_last_page_is_a_repeat() -> None:
    """Two pressures, and a far lower one six hours later: nobody has acknowledged anything."""
    pairs = cuff([(86, 48), (85, 48)], every=1200.0)
    later = cuff([(62, 36)], start=6 * HOUR)
    events = [e for e in detect([*pairs, *later]) if e.kind == "blood_pressure_low"]
    assert [e.evidence.get("change", e.phase) for e in events] == ["opened", "continues"]
    assert events[1].evidence["extreme"] == 62.0


def test_what_came_late_is_announced_once_it_is_measured_live() -> None:
    buffer = [replace(u, received_at=at(2 * HOUR)) for u in heart(rates(158, 60))]
    live = heart(rates(158, 20), start=2 * HOUR)
    events = detect([*buffer, *live])
    assert [(e.evidence.get("change", e.phase), e.retrospective) for e in events] == [
        ("opened", True), ("continues", False),
    ]  # fmt: skip
    assert seconds(events[1].detected_at) is not None
    assert seconds(events[1].detected_at) <= 2 * HOUR + 600  # type: ignore[operator]


@given(st.lists(st.sampled_from([70.0, 112.0, 126.0, 158.0, 171.0]), min_size=5, max_size=40))
@settings(max_examples=40, deadline=None)
def test_the_highest_priority_is_never_forgotten(levels: list[float]) -> None:
    """Levels of ten minutes each."""
    events = detect(heart([x + i % 3 for x in levels for i in range(10)]))
    worst: dict[str, int] = {}
    for event in events:
        if event.kind != "heart_rate_high":
            continue
        order = PRIORITY_ORDER[event.priority]
        worst[event.episode_id] = min(order, worst.get(event.episode_id, order))
        stated = event.evidence.get("highest_priority", event.priority)
        assert PRIORITY_ORDER[stated] == worst[event.episode_id]


@settings(max_examples=40, deadline=None)
@given(systolic=st.integers(1, 22), diastolic=st.integers(1, 20))
def test_a_pressure_is_worse_by_whichever_half_goes_a_marked_step_further(
    systolic: int, diastolic: int
) -> None:
    severe = cuff([(190, 122), (190, 123)], every=120)
    later = cuff([(190 + systolic, 123 + diastolic)], start=600, every=120)
    events = [e for e in detect([*severe, *later]) if e.kind == "blood_pressure_high"]
    worse = [e.evidence for e in events if e.evidence.get("change") == "worse"]
    assert len(worse) == (max(systolic, diastolic) > 12), "1.25 of an update_step of 10"
    for evidence in worse:
        further = "systolic" if systolic > diastolic else "diastolic"
        assert systolic == diastolic or evidence["signal"] == further
        assert evidence["value"] == evidence["extreme"] >= evidence["limit"]


def test_what_an_older_state_does_not_know_of_counts_as_announced() -> None:
    rule = Rule(
        name="diastolic_high",
        detector="limits",
        kind="blood_pressure_high",
        signal="diastolic",
        direction="above",
        priority="medium",
        rank=0,
    )
    older = EpisodeMemory(sequence=1, signal="systolic", direction="above")
    for value in (118.0, 130.0):
        severity.keep_furthest(older, [Finding(rule, BEYOND, value, limit=100.0)])
    assert severity.worse_by(older, rule) == 12.0, "130 less 118, and not less the limit"
    severity.keep_announced(older)
    assert severity.worse_by(older, rule) == 0.0
