"""Another monitor's alarm is contradicted by what must have moved and did not; else it stands."""

from __future__ import annotations

from collections.abc import Iterable
from math import nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.verification import Alarm, Kind, Verdict, verify
from tests.support.vitals import MIDNIGHT, measured
from vigil.domain.reading import Measurement

KINDS: tuple[Kind, ...] = (
    "asystole",
    "bradycardia",
    "tachycardia",
    "ventricular_tachycardia",
    "ventricular_flutter_fibrillation",
)
SECOND = 300
"""When the alarm sounds."""
RATE = st.floats(20, 300)


def rates(last: Iterable[float | None], usual: float = 70.0) -> list[Measurement]:
    """A minute at the usual rate, then the last ten seconds as given; None: no rate."""
    now = list(last)
    values = [usual] * 60 + now
    first = SECOND - len(values) + 1
    return [
        measured(first + i, {} if rate is None else {"heart_rate": rate})
        for i, rate in enumerate(values)
    ]


def pressed(last: Iterable[tuple[float, float]], rate: float = 70.0) -> list[Measurement]:
    """The same with a pressure of 120/70 that ends as given, at a heart rate that stays."""
    values = [(120.0, 70.0)] * 60 + list(last)
    first = SECOND - len(values) + 1
    return [
        measured(first + i, {"heart_rate": rate, "systolic": s, "diastolic": d})
        for i, (s, d) in enumerate(values)
    ]


def judged(kind: Kind, measurements: Iterable[Measurement]) -> Verdict:
    return verify(Alarm(kind, MIDNIGHT.timestamp() + SECOND), measurements)


@pytest.mark.parametrize(
    ("kind", "last", "reason"),
    [
        ("asystole", [70.0] * 10, "rate_did_not_fall"),
        ("asystole", [52.0] * 10, "rate_did_not_fall"),
        ("bradycardia", [62.0] * 10, "rate_did_not_fall"),
        ("tachycardia", [72.0] * 10, "rate_steady"),
        ("ventricular_tachycardia", [70.0] * 10, "rate_steady"),
        ("ventricular_tachycardia", [64.0, 71.0, 60.0, 75.0, 66.0] * 2, "rate_did_not_rise"),
        ("ventricular_flutter_fibrillation", [60.0, 84.0] * 5, "rate_as_usual"),
    ],
)
def test_what_did_not_move_the_rate_did_not_happen(
    kind: Kind, last: list[float], reason: str
) -> None:
    verdict = judged(kind, rates(last))
    assert (verdict.outcome, verdict.reason) == ("contradicted", reason)


@pytest.mark.parametrize(
    ("kind", "last", "reason"),
    [
        ("asystole", [70.0] * 9 + [34.0], "rate_fell"),
        ("bradycardia", [60.0, 50.0, 45.0, 42.0, 39.0, 38.0, 38.0, 38.0, 38.0, 38.0], "rate_fell"),
        ("tachycardia", [100.0] * 5 + [141.0] * 5, "rate_rose"),
        ("ventricular_tachycardia", [70.0] * 7 + [80.0, 100.0, 120.0], "rate_rose"),
    ],
)
def test_what_the_rate_shows_is_confirmed(kind: Kind, last: list[float], reason: str) -> None:
    verdict = judged(kind, rates(last))
    assert (verdict.outcome, verdict.reason) == ("confirmed", reason)


@pytest.mark.parametrize(
    ("kind", "last"),
    [
        ("asystole", [70.0] * 9 + [48.0]),  # four seconds without a beat in ten: 0.6 of the usual
        ("bradycardia", [70.0] * 9 + [47.0]),  # five beats at 40 in ten seconds
        ("bradycardia", [70.0] * 9 + [49.0]),  # still falling
        ("tachycardia", [112.0] * 10),  # beats are missed
        ("tachycardia", [85.0, 95.0] * 5),  # low, but not steady
        ("ventricular_tachycardia", [70.0] * 9 + [80.0]),  # five beats at 100 in ten seconds
        ("ventricular_tachycardia", [70.0] * 9 + [48.0]),  # broad beats are missed too
        ("ventricular_flutter_fibrillation", [70.0] * 9 + [90.0]),
        ("ventricular_flutter_fibrillation", [70.0] * 9 + [50.0]),
    ],
)
def test_what_may_have_happened_stands(kind: Kind, last: list[float]) -> None:
    assert judged(kind, rates(last)).reason == "not_contradicted"


def test_a_run_that_would_not_show_in_a_fast_rate_stands() -> None:
    wandering = [93.0, 86.0, 89.0, 85.0, 90.0] * 2
    assert judged("ventricular_tachycardia", rates(wandering, usual=92.0)).outcome == "undecided"


def test_who_is_slow_anyway_need_not_fall_far_to_be_under_40() -> None:
    assert judged("bradycardia", rates([50.0] * 9 + [42.0], usual=50.0)).outcome == "undecided"
    assert judged("bradycardia", rates([50.0] * 9 + [43.0], usual=50.0)).outcome == "contradicted"


@pytest.mark.parametrize("kind", KINDS)
def test_a_pressure_that_falls_keeps_any_alarm(kind: Kind) -> None:
    held = [(120.0, 70.0)] * 10
    assert judged(kind, pressed(held)).outcome == "contradicted"
    for fall in ((107.0, 60.0), (112.0, 75.0)):  # the systolic, and the pulse pressure alone
        verdict = judged(kind, pressed([*held[1:], fall]))
        assert (verdict.outcome, verdict.reason) == ("undecided", "pressure_fell")


def test_a_pressure_line_that_measures_nothing_says_nothing() -> None:
    flat = [
        measured(i, {"heart_rate": 70.0, "systolic": 38.0 if i < 295 else 31.0, "diastolic": 30.0})
        for i in range(200, 301)
    ]
    flat = [m if i % 2 else measured(200 + i, {**m.values, "diastolic": nan})
            for i, m in enumerate(flat)]  # fmt: skip
    assert judged("asystole", flat).outcome == "contradicted"


@pytest.mark.parametrize("kind", KINDS)
def test_missing_rates_contradict_nothing(kind: Kind) -> None:
    gone = rates([70.0] * 2 + [None] * 8)
    new = rates([70.0] * 10)[-20:]
    assert judged(kind, gone).reason == "too_little_data"
    assert judged(kind, rates([None] * 10)).reason == "no_rate"
    assert judged(kind, new).reason == "too_little_data"
    assert judged(kind, []).outcome == "undecided"


@pytest.mark.parametrize("kind", KINDS)
def test_what_comes_after_the_alarm_is_not_looked_at(kind: Kind) -> None:
    until = rates([70.0] * 10)
    after = [measured(SECOND + i, {"heart_rate": 30.0 + 40 * i}) for i in range(1, 4)]
    assert judged(kind, until) == judged(kind, [*after, *until])


@given(
    kind=st.sampled_from(KINDS),
    last=st.lists(st.none() | RATE, min_size=10, max_size=10),
    usual=RATE,
)
def test_it_always_answers_and_never_contradicts_what_is_not_there(
    kind: Kind, last: list[float | None], usual: float
) -> None:
    verdict = judged(kind, rates(last, usual))
    assert verdict.outcome in {"confirmed", "contradicted", "undecided"}
    if sum(rate is not None for rate in last) < 9:
        assert verdict.outcome != "contradicted"


@given(last=st.lists(RATE, min_size=10, max_size=10), usual=RATE)
def test_a_deeper_fall_is_never_contradicted_where_a_lesser_one_was_not(
    last: list[float], usual: float
) -> None:
    deeper = [*last[:-1], max(20.0, min(last) * 0.8)]
    for kind in ("asystole", "bradycardia"):
        if judged(kind, rates(last, usual)).outcome != "contradicted":
            assert judged(kind, rates(deeper, usual)).outcome != "contradicted"


def test_seconds_are_counted_not_readings() -> None:
    twice = [measured(230 + i / 2, {"heart_rate": 70.0}) for i in range(132)]  # until 295.5
    assert judged("asystole", twice).facts["seconds"] == 6.0
    assert judged("asystole", twice).reason == "too_little_data"


def test_the_facts_are_what_it_rests_on() -> None:
    verdict = judged("bradycardia", rates([70.0] * 8 + [64.0, 62.0]))
    assert verdict.facts == {
        "seconds": 10.0, "usual": 70.0, "lowest": 62.0, "highest": 70.0, "last": 62.0,
    }  # fmt: skip
