"""The order of a ward, for any ward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dashboard.board.head import count_by_level, render_head
from dashboard.board.ranking import LEVELS, is_past, patient_key, priority_of, rank_episodes
from dashboard.board.snapshot import PatientSnapshot
from store.episodes.board import Episode, Patient

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

moments = st.integers(0, 100_000).map(lambda s: NOON - timedelta(seconds=s))
episodes = st.builds(
    Episode,
    episode_id=st.uuids().map(str),
    patient_id=st.just("p1"),
    kind=st.just("heart_rate_high"),
    category=st.sampled_from(["clinical", "technical"]),
    phase=st.sampled_from(["opened", "updated", "closed"]),
    priority=st.sampled_from(["high", "medium", "low"]),
    onset=moments,
    detected_at=moments,
    ended_at=st.none(),
    retrospective=st.booleans(),
    synthetic=st.just(False),
    text=st.none(),
    acknowledged_by=st.none(),
    acknowledged_at=st.none() | moments,
    help_at=st.none() | moments,
    history=st.booleans(),
)
wards = st.lists(st.tuples(st.sampled_from(["A", "B"]), st.lists(episodes, max_size=5)))


def seen(ward: list[tuple[str, list[Episode]]]) -> list[PatientSnapshot]:
    made = [
        PatientSnapshot(
            Patient(f"p{n}", "", name, "en", True, False), {}, rank_episodes(announced), {}
        )
        for n, (name, announced) in enumerate(ward)
    ]
    return sorted(made, key=lambda s: patient_key(s.ranking, "", s.patient.patient_id))


@given(st.lists(episodes, max_size=8))
def test_the_named_episode_is_of_the_highest_priority(announced: list[Episode]) -> None:
    stands = rank_episodes(announced)
    if not announced:
        assert stands.top is None
        assert stands.level == "none"
    else:
        live = [e for e in announced if not is_past(e)]
        assert stands.top is not None
        assert is_past(stands.top) == (not live)
        assert stands.level == min((priority_of(e) for e in live), key=LEVELS.index, default="none")
        highest = priority_of(stands.top)
        urgent = [e for e in live or announced if priority_of(e) == highest]
        assert stands.top.acknowledged == all(e.acknowledged for e in urgent)


@given(st.lists(episodes, max_size=8), st.randoms())
def test_the_order_does_not_depend_on_how_the_rows_came(
    announced: list[Episode], random: object
) -> None:
    shuffled = list(announced)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert rank_episodes(announced) == rank_episodes(shuffled)


@given(wards)
def test_nobody_urgent_stands_below_somebody_less_urgent(
    ward: list[tuple[str, list[Episode]]],
) -> None:
    order = seen(ward)
    places = [LEVELS.index(one.ranking.level) for one in order]
    assert places == sorted(places)
    for first, second in pairwise(order):
        if first.ranking.top and second.ranking.top and first.ranking.level == second.ranking.level:
            assert first.ranking.top.acknowledged <= second.ranking.top.acknowledged


@given(wards)
def test_counts_are_of_everyone_once(ward: list[tuple[str, list[Episode]]]) -> None:
    order = seen(ward)
    assert sum(count_by_level(order).values()) == len(order)


@given(wards)
def test_a_filter_never_hides_that_somebody_urgent_is_elsewhere(
    ward: list[tuple[str, list[Episode]]],
) -> None:
    order = seen(ward)
    hidden = [one for one in order if one.patient.ward != "A"]
    urgent = any(one.ranking.level in {"high", "medium"} for one in hidden)
    assert ("In other wards, not shown" in render_head(order, "A", judged=True)) == urgent
    assert "In other wards" not in render_head(order, "", judged=True)
