"""Two configurations over the same history: counting, matching, intervals, labels."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.tuning.backtest import Backtest
from detectors.tuning.days import Days
from detectors.tuning.intervals import ratios
from detectors.tuning.labels import Label, score
from detectors.tuning.ledger import Alarm
from detectors.tuning.matching import match
from detectors.tuning.report import Configuration, Report, make
from tests.support.vitals import DAY, at, config, detect, heart, measured, upload
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Upload

ALONE: dict[str, Any] = {"baseline": {"signals": {"heart_rate": {"enabled": False}}}}
"""The limits alone: without them the baseline would tell of the same hearts."""
LOOSE: dict[str, Any] = {**ALONE, "limits": {"heart_rate_high": {"above": 135.0}}}
END = {"p1": at(10 * DAY), "p2": at(10 * DAY)}


def alarm(
    start: float, end: float | None, kind: str = "heart_rate_high", patient: str = "p1",
    announced: float | None = None, priority: Any = "medium",
) -> Alarm:  # fmt: skip
    row = KINDS[kind]
    return Alarm(
        f"{patient}-{kind}-{start}-{announced}", patient, kind, row.category, priority, kind,
        at(start), at(start if announced is None else announced), None if end is None else at(end),
    )  # fmt: skip


def day(fast: float, patient: str) -> list[Upload]:
    """A calm day at rest, a reading in five minutes, with forty minutes of a faster heart."""
    rates = [70.0 + i % 5 for i in range(288)]
    rates[120:128] = [fast + i % 3 for i in range(8)]
    return heart(rates, patient=patient, every=300.0)


def ward(people: int = 6) -> list[Upload]:
    """Some with 125, some with 140, one with 160 for forty minutes."""
    fast = [125.0, 140.0, 160.0]
    own = [item for i in range(people) for item in day(fast[i % 3], f"p{i}")]
    return sorted(own, key=lambda u: (u.received_at, u.patient_id))


def backtest(uploads: Iterable[Upload], **options: Any) -> Report:
    run = Backtest(config(**ALONE), config(**LOOSE), **options)
    return make(run.play(uploads), Configuration("a", "1"), Configuration("b", "2"), ("test",))


def test_a_looser_limit_loses_what_was_between_and_nothing_at_high_priority() -> None:
    report = backtest(ward())
    lost = {(a.patient_id, a.kind, a.priority) for a in report.lost}
    assert lost == {(p, "heart_rate_high", "medium") for p in ("p0", "p3")}
    assert not report.gained
    assert report.high_unchanged
    sums = {(r.kind, r.priority): r for r in report.rates if r.category == "clinical"}
    high = sums["heart_rate_high", "high"]
    assert (high.before, high.after, high.difference) == (2, 2, 0)
    medium = sums["heart_rate_high", "medium"]
    assert (medium.before, medium.after) == (4, 2)
    assert medium.difference == pytest.approx(-2 / 6, abs=1e-6)
    assert medium.interval is not None
    assert medium.interval.low < medium.difference < medium.interval.high <= 0


def test_both_runs_are_what_each_is_alone() -> None:
    outcome = Backtest(config(**ALONE), config(**LOOSE)).play(ward())
    for ledger, own in ((outcome.before, ALONE), (outcome.after, LOOSE)):
        announced = {event.episode_id for event in detect(ward(), **own)}
        assert {a.episode_id for a in ledger.all()} == announced


def test_patient_by_patient_gives_the_same_report_as_all_together() -> None:
    together = ward()
    apart = sorted(together, key=lambda u: (u.patient_id, u.received_at))
    assert backtest(apart, one_by_one=True) == backtest(together)


def test_the_same_history_gives_the_same_bytes() -> None:
    one, two = (msgspec.json.encode(backtest(ward()), order="deterministic") for _ in range(2))
    assert one == two


def test_a_patient_for_whom_nothing_differs_is_played_once() -> None:
    run = Backtest(config(**ALONE), config(**ALONE, patients={"p1": LOOSE}))
    outcome = run.play(ward(2))
    assert run._two._replayer.engine.patients() == ["p1"]
    assert {a.patient_id for a in outcome.after.alarms()} == {"p0", "p1"}


def test_silence_is_judged_when_asked() -> None:
    gap = [*heart([70.0, 71.0] * 60), *heart([70.0] * 5, start=6 * 3600)]
    for asked, kinds in ((False, set()), (True, {"no_data"})):
        outcome = Backtest(config(), silence=asked).play(gap)
        assert {a.kind for a in outcome.before.alarms()} == kinds


def test_alarms_about_late_readings_are_in_no_rate() -> None:
    whole = day(160.0, "p1")  # a buffer, sent at the end of the day
    received = whole[-1].received_at + timedelta(days=1)
    late = [msgspec.structs.replace(item, received_at=received) for item in whole]
    report = backtest(late)
    assert report.counted.retrospective[0] > 0
    assert all(rate.before == 0 for rate in report.rates)


# ---- patient-days


def days_of(uploads: Iterable[Upload]) -> Days:
    days = Days()
    for item in uploads:
        days.add_upload(item)
    return days


@pytest.mark.parametrize(
    ("uploads", "length", "by_calendar"),
    [
        (heart([70.0] * 1440), 1.0, False),  # a band, all day
        (heart([70.0] * 180), 3 / 24, False),  # … worn for three hours
        (heart([70.0] * 48, every=3600.0), 2.0, False),  # a chart row an hour
        (heart([70.0] * 6, every=12 * 3600.0), 3.0, True),  # a cuff, morning and evening
        (heart([70.0] * 300, every=1.0), 1 / 24, False),  # five minutes at a bedside
    ],
)  # fmt: skip
def test_a_patient_day_is_chosen_by_how_the_patient_is_sampled(
    uploads: list[Upload], length: float, by_calendar: bool
) -> None:
    watched = days_of(uploads).watched()["p1"]
    assert watched.days == pytest.approx(length)
    assert watched.by_calendar == by_calendar


@given(st.lists(st.floats(0, 30 * DAY), min_size=1, max_size=60))
def test_patient_days_do_not_depend_on_the_order_of_the_readings(seconds: list[float]) -> None:
    items = [upload(measured(second, {"heart_rate": 70.0})) for second in seconds]
    shuffled = random.Random(1).sample(items, len(items))  # noqa: S311
    assert days_of(items).watched() == days_of(shuffled).watched()


# ---- matching


spans = st.lists(
    st.tuples(
        st.sampled_from(["p1", "p2"]),
        st.sampled_from(["heart_rate_high", "heart_rate_unusual", "blood_pressure_low"]),
        st.integers(0, 50), st.none() | st.integers(0, 10), st.integers(0, 5),
    ), max_size=12, unique_by=lambda row: row[:3],
)  # fmt: skip


def alarms_of(rows: list[Any]) -> list[Alarm]:
    return [
        alarm(start, None if length is None else start + length, kind, patient, start + delay)
        for patient, kind, start, length, delay in rows
    ]


@given(spans, spans)
def test_every_alarm_is_in_one_place_and_the_sums_agree(one: list[Any], two: list[Any]) -> None:
    before, after = alarms_of(one), alarms_of(two)
    found = match(before, after, END)
    left = Counter(
        a.episode_id for a in (*(p.before for p in found.pairs), *found.lost, *found.joined)
    )
    right = Counter(
        a.episode_id for a in (*(p.after for p in found.pairs), *found.gained, *found.split)
    )
    assert left == Counter(a.episode_id for a in before)
    assert right == Counter(a.episode_id for a in after)
    change = len(found.gained) - len(found.lost) + len(found.split) - len(found.joined)
    assert len(after) - len(before) == change
    for pair in found.pairs:
        assert pair.before.patient_id == pair.after.patient_id
        assert set(KINDS[pair.before.kind].signals) & set(KINDS[pair.after.kind].signals)


@given(spans)
def test_a_run_beside_itself_has_no_difference(rows: list[Any]) -> None:
    found = match(alarms_of(rows), alarms_of(rows), END)
    assert (found.lost, found.gained, found.split, found.joined) == ([], [], [], [])
    assert not any(pair.changed for pair in found.pairs)


def test_told_otherwise_is_neither_lost_nor_gained() -> None:
    high, unusual = alarm(0, 100), alarm(50, 90, "heart_rate_unusual", announced=80, priority="low")
    found = match([high], [unusual], END)
    assert [(p.before, p.after) for p in found.pairs] == [(high, unusual)]
    assert found.pairs[0].later_seconds == 80
    apart = match([high], [alarm(101, 102)], END)
    assert (apart.lost, len(apart.gained), apart.pairs) == ([high], 1, [])


def test_one_alarm_that_becomes_two_is_split_and_two_that_become_one_are_joined() -> None:
    long, parts = alarm(0, 100), [alarm(0, 20), alarm(60, 80)]
    assert match([long], parts, END).split == [parts[1]]
    assert match(parts, [long], END).joined == [parts[1]]


def test_an_open_alarm_lasts_to_the_newest_reading() -> None:
    assert len(match([alarm(0, None)], [alarm(9 * DAY, None)], END).pairs) == 1
    assert not match([alarm(0, None)], [alarm(9 * DAY, None)], {"p1": at(DAY)}).pairs


# ---- intervals and labels


def test_intervals_are_seeded_hold_the_value_and_need_five_people() -> None:
    counts = np.array([[float(i % 4)] for i in range(40)])
    length = np.ones((40, 1))
    first = ratios(counts, length)
    assert first == ratios(counts, length)
    assert first[0] is not None
    assert first[0].low < 1.5 < first[0].high
    assert ratios(counts[:4], length[:4]) == [None]
    assert ratios(counts, np.zeros((40, 1))) == [None]


def test_labels_are_found_from_the_telling_not_from_the_onset() -> None:
    labels = {"p1": [Label(at(100), at(200))], "p2": [Label(at(0), at(10))]}
    alarms = [alarm(0, 50, announced=40), alarm(90, 300, announced=160), alarm(400, 500)]
    early = alarm(150, 260, announced=250)
    rows = {row.priority: row for row in score([*alarms, early], labels, {"p1": 2, "p2": 2}, END)}
    medium = rows["medium"]
    assert (medium.labels, medium.found, medium.sensitivity) == (2, 1, 0.5)
    assert (medium.alarms, medium.false_alarms, medium.precision) == (4, 3, 0.25)
    assert medium.false_per_patient_day == 3 / 4
    assert medium.median_delay_seconds == 60
    assert rows["high"].alarms == 0
    assert rows["high"].precision is None
