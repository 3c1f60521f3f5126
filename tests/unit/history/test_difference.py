"""What two sets of steps say differently."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from history.difference import compare
from store.episodes.shadow import Step
from tests.support.messages import NOON


def step(ident: str = "e1", sequence: int = 0, **own: Any) -> Step:
    known = {
        "patient_id": "p1", "kind": "heart_rate_high", "priority": "medium", "onset": NOON,
        "detected_at": NOON + timedelta(minutes=10 + sequence), "ended_at": None,
        "rest": {"phase": "opened", "evidence": {"value": 130.0, "limit": 120.0}},
        "made_by": "abc (2)",
    }  # fmt: skip
    return Step(ident, sequence, **{**known, **own})


def announced(*found: Any) -> list[tuple[str, tuple[str, ...]]]:
    return [(one.verdict, tuple(change.text for change in one.changes)) for one in found]


@pytest.mark.parametrize(
    ("own", "reported"),
    [
        ({"priority": "high"}, "step 0: priority medium → high"),
        ({"onset": NOON + timedelta(minutes=1)},
         "step 0: onset 2026-11-21T12:00:00Z → 2026-11-21T12:01:00Z"),
        ({"ended_at": NOON}, "step 0: end none → 2026-11-21T12:00:00Z"),
        ({"rest": {"phase": "opened", "evidence": {"value": 131.0, "limit": 120.0}}},
         "step 0: evidence (value)"),
        ({"rest": {"phase": "closed", "evidence": {"value": 130.0, "limit": 120.0}}},
         "step 0: phase opened → closed"),
    ],
)  # fmt: skip
def test_each_thing_that_is_told_otherwise_is_named(own: dict[str, Any], reported: str) -> None:
    assert announced(*compare([step()], [step(**own)])) == [("changed", (reported,))]


def test_what_made_a_step_is_no_difference() -> None:
    assert announced(*compare([step()], [step(made_by="def (3)")])) == [("same", ())]


def test_steps_and_episodes_that_are_missing_are_named() -> None:
    one = [step(), step(sequence=1)]
    assert announced(*compare(one, [step()])) == [("changed", ("step 1 is only live",))]
    assert announced(*compare([step()], one)) == [("changed", ("step 1 is only in the shadow",))]
    assert announced(*compare([step()], [])) == [("only live", ())]
    assert announced(*compare([], [step()])) == [("only shadow", ())]


def test_an_overlapping_episode_of_the_kind_is_the_same_one_moved() -> None:
    moved = step("e2", onset=NOON + timedelta(minutes=5), priority="high")
    (found,) = compare([step()], [moved])
    assert [change.what for change in found.changes] == ["onset", "priority"]
    for other in (
        step("e2", kind="heart_rate_low"),
        step("e2", onset=NOON + timedelta(hours=1), detected_at=NOON + timedelta(hours=2)),
    ):
        assert [one.verdict for one in compare([step()], [other])] == ["only live", "only shadow"]


def test_of_what_another_clock_told_only_the_second_may_differ() -> None:
    live = step(kind="no_data")
    soon = live.detected_at + timedelta(seconds=50)
    later = step(kind="no_data", detected_at=soon, rest={**live.rest, "evidence": {}})
    assert announced(*compare([live], [later], 60)) == [("same", ())]
    assert announced(*compare([live], [later], 40))[0][0] == "changed"
    assert announced(*compare([live], [replace(later, priority="high")], 60))[0][0] == "changed"
    same_second = step(kind="no_data", rest={**live.rest, "evidence": {}})
    assert announced(*compare([live], [same_second], 60))[0][0] == "changed"


STEPS = st.lists(
    st.builds(
        step, st.sampled_from("abc"), st.integers(0, 3),
        priority=st.sampled_from(("low", "high")),
        onset=st.integers(0, 3).map(lambda hours: NOON + timedelta(hours=hours)),
        detected_at=st.integers(0, 9).map(lambda hours: NOON + timedelta(hours=hours)),
    ),
    max_size=6, unique_by=lambda made: (made.episode_id, made.sequence),
)  # fmt: skip


@given(STEPS, STEPS)
def test_every_episode_stands_once_and_two_equal_sides_are_the_same(
    left: list[Step], right: list[Step]
) -> None:
    found = compare(left, right)
    for side, steps in (("live", left), ("shadow", right)):
        stand = [getattr(one, side).last.episode_id for one in found if getattr(one, side)]
        assert sorted(stand) == sorted({made.episode_id for made in steps})
    assert all(one.verdict == "same" for one in compare(left, list(reversed(left))))
    same = all(one.verdict == "same" for one in found)
    assert same == (
        sorted(left, key=lambda m: (m.episode_id, m.sequence))
        == sorted(right, key=lambda m: (m.episode_id, m.sequence))
    )
