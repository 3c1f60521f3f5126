"""Who palpates, or sends the upper pressure alone: averaged over days, by the systolic limit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.blood_pressure_over_days.averages import Day, Memory, average_before
from detectors.blood_pressure_over_days.detector import KIND
from detectors.configuration.loading import load
from tests.support.vitals import DAY, HOUR, MIDNIGHT, at, detect, engine, measured, upload
from tests.unit.detectors.blood_pressure_over_days.test_sparse_protocols import PROTOCOLS, steady
from vigil.domain.episode import Event
from vigil.domain.reading import Upload, Withdrawal

SETTINGS = load().everyone.pressure_days


def palpated(
    days: Iterable[int], pressures: Iterable[float], hours: Sequence[float] = (8.0,)
) -> Iterator[Upload]:
    """A systolic pressure a day, at each of these hours."""
    for day, systolic in zip(days, pressures, strict=False):
        for hour in hours:
            yield upload(measured(day * DAY + hour * HOUR, {"systolic": systolic}, "rest"))


def announced_of(log: Iterable[Upload], **own: object) -> list[Event]:
    return [event for event in detect(log, **own) if event.kind == KIND]


def alternating(low: float) -> list[float]:
    """Two values in turn: an equal pressure every morning is a stuck sender's."""
    return [low, low + 2] * 30


@pytest.mark.parametrize("name", PROTOCOLS)
def test_a_raised_one_is_announced_as_soon_as_one_of_pairs(name: str) -> None:
    days, after = PROTOCOLS[name]
    events = announced_of(palpated(days, alternating(157)))
    assert [(event.phase, event.priority) for event in events] == [("opened", "low")]
    assert (events[0].detected_at - MIDNIGHT).days - days[0] == after


def test_the_evidence_claims_no_diastolic_pressure() -> None:
    (opened,) = announced_of(palpated(range(40), alternating(157)))
    evidence = opened.evidence
    assert evidence["protocol"] == "systolic"
    assert evidence["average"] == {"systolic": 158.0}
    assert (evidence["rule"], evidence["limit"]) == ("pressure_days.systolic", 135.0)
    assert evidence["standard_error"] == {"systolic": 2.14}
    assert 0 < evidence["confidence"] < 1
    assert all(day.keys() == {"day", "systolic", "readings"} for day in evidence["days"])
    assert evidence["category"] == {
        "aha_acc_2025": "stage_2",
        "esc_2024": "hypertension",
    }


@pytest.mark.parametrize("hours", [(8.0,), (8.0, 20.0)])
@pytest.mark.parametrize("low", [118, 133, 135])
def test_a_normal_or_borderline_one_is_not(low: float, hours: Sequence[float]) -> None:
    """135 to 137 is no further above 135 than by its standard error."""
    assert announced_of(palpated(range(40), alternating(low), hours)) == []


def test_measuring_twice_a_day_makes_it_no_full_week() -> None:
    (opened,) = announced_of(palpated(range(30), alternating(157), (8.0, 20.0)))
    assert opened.evidence["protocol"] == "systolic"
    assert (opened.detected_at - MIDNIGHT).days == 15


def test_pairs_and_pressures_alone_count_together() -> None:
    """Three pairs a week and three palpated ones: neither is enough in two weeks by itself."""
    log = sorted(
        [
            *steady([d for d in range(40) if d % 7 in (0, 2, 4)], (158.0, 78.0)),
            *palpated([d for d in range(40) if d % 7 in (1, 3, 5)], alternating(157)),
        ],
        key=lambda item: item.received_at,
    )
    opened = announced_of(log)[0]
    assert opened.evidence["protocol"] == "systolic"
    assert (opened.detected_at - MIDNIGHT).days <= 17


def test_a_pair_average_is_preferred_and_stays_one_episode() -> None:
    log = [
        *palpated(range(20), alternating(157)),
        *(item for day in range(20, 30) for hour in (8, 20) for item in [
            upload(measured(day * DAY + hour * HOUR,
                            {"systolic": 158.0 + day % 2, "diastolic": 96.0}, "rest"))]),
        *palpated(range(30, 60), [118.0, 120.0] * 15),
    ]  # fmt: skip
    events = announced_of(log)
    assert [event.phase for event in events] == ["opened", "updated", "closed"]
    assert len({event.episode_id for event in events}) == 1
    worse = events[1].evidence
    assert (worse["change"], worse["rule"]) == ("worse", "pressure_days.diastolic"), (
        "unknown before"
    )


def test_what_was_withdrawn_does_not_count() -> None:
    log = list(palpated(range(15), alternating(157)))
    runs = engine()
    for item in log:
        runs.process(item)
    gone = tuple(item.measurements[0] for item in log[5:12])
    runs.withdraw(
        Withdrawal(
            withdrawal_id="w1",
            patient_id="p1",
            readings=gone,
            reason="wrong_patient",
            actor="kim",
            time=at(14 * DAY + 9 * HOUR),
            since=at(0),
            remaining=tuple(i.measurements[0] for i in log if i.measurements[0] not in gone),
        )
    )
    events = [e for item in palpated([15], [158.0]) for e in runs.process(item) if e.kind == KIND]
    assert events == []


def test_a_state_between_any_two_readings_changes_nothing() -> None:
    log = list(palpated(range(60), alternating(157)[:30] + alternating(118)[:30]))
    runs, events = engine(), list[Event]()
    for item in log:
        events += runs.process(item)
        saved, runs = runs.state_of("p1"), engine()
        assert runs.load_state("p1", saved) == ()
    assert [e for e in events if e.kind == KIND] == announced_of(log)


def test_what_an_older_version_remembered_has_none() -> None:
    detector = engine()._pipeline("p1").detectors["pressure_days"]
    assert detector.load([[[20_500, 1, 158.0, 98.0]], 20_499, 0.0, False]).systolic_days == []


@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 3), st.floats(100, 190)),
        min_size=1,
        max_size=50,
    )
)
def test_it_is_the_sparse_average_of_the_systolic_pressure(
    rows: list[tuple[int, int, float]],
) -> None:
    """Of pairs whose diastolic pressure is the same every day."""
    days, number = list[Day](), 20_000
    for gap, count, systolic in rows:
        number += gap
        days.append(Day(number, count, count * systolic, count * 70.0))
    series = [b.number for a, b in pairwise(days) if b.number - a.number > 7]
    pairs = average_before(Memory(days, [days[0].number, *series][-1]), number + 1, SETTINGS)
    alone = average_before(Memory(systolic_days=days), number + 1, SETTINGS)
    if pairs is not None and pairs.protocol == "sparse":
        assert alone is not None
        assert (alone.systolic, alone.systolic_error) == (pairs.systolic, pairs.systolic_error)
        numbers = [[day.number for day in one.days] for one in (alone, pairs)]
        assert numbers[0] == numbers[1]
    assert alone is None or (alone.protocol, alone.diastolic) == ("systolic", None)
