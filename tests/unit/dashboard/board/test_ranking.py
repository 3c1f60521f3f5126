"""The order of a ward, for any ward."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dashboard.board.head import counts, head
from dashboard.board.ranking import LEVELS, level, patient_key, standing
from dashboard.board.snapshot import Seen
from store.episodes.board import Episode, Patient

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)

moments = st.integers(0, 100_000).map(lambda s: NOON - timedelta(seconds=s))
episodes = st.builds(
    Episode,
    event_id=st.uuids().map(str),
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
)
wards = st.lists(st.tuples(st.sampled_from(["A", "B"]), st.lists(episodes, max_size=5)))


def seen(ward: list[tuple[str, list[Episode]]]) -> list[Seen]:
    made = [
        Seen(Patient(f"p{n}", "", name, "en", True, False), {}, standing(told), {})
        for n, (name, told) in enumerate(ward)
    ]
    return sorted(made, key=lambda s: patient_key(s.stands, "", s.patient.patient_id))


@given(st.lists(episodes, max_size=8))
def test_the_named_episode_is_of_the_highest_priority(told: list[Episode]) -> None:
    stands = standing(told)
    if not told:
        assert stands.top is None
        assert stands.level == "none"
    else:
        assert stands.level == min((level(e) for e in told), key=LEVELS.index)
        urgent = [e for e in told if level(e) == stands.level]
        assert stands.top is not None
        assert stands.top.acknowledged == all(e.acknowledged for e in urgent)


@given(st.lists(episodes, max_size=8), st.randoms())
def test_the_order_does_not_depend_on_how_the_rows_came(
    told: list[Episode], random: object
) -> None:
    shuffled = list(told)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert standing(told) == standing(shuffled)


@given(wards)
def test_nobody_urgent_stands_below_somebody_less_urgent(
    ward: list[tuple[str, list[Episode]]],
) -> None:
    order = seen(ward)
    places = [LEVELS.index(one.stands.level) for one in order]
    assert places == sorted(places)
    for first, second in pairwise(order):
        if first.stands.top and second.stands.top and first.stands.level == second.stands.level:
            assert first.stands.top.acknowledged <= second.stands.top.acknowledged


@given(wards)
def test_counts_are_of_everyone_once(ward: list[tuple[str, list[Episode]]]) -> None:
    order = seen(ward)
    assert sum(counts(order).values()) == len(order)


@given(wards)
def test_a_filter_never_hides_that_somebody_urgent_is_elsewhere(
    ward: list[tuple[str, list[Episode]]],
) -> None:
    order = seen(ward)
    hidden = [one for one in order if one.patient.ward != "A"]
    urgent = any(one.stands.level in {"high", "medium"} for one in hidden)
    assert ("In other wards, not shown" in head(order, "A", judged=True)) == urgent
    assert "In other wards" not in head(order, "", judged=True)
