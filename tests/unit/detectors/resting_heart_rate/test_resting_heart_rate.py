"""Night-time resting heart rate over days: what is told, when, and on what it rests."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from detectors.configuration.loading import from_tables
from detectors.context.local_time import LocalClock
from detectors.contract import BEYOND, Finding
from detectors.resting_heart_rate.detector import KIND, Memory, Resting
from detectors.resting_heart_rate.nights import Night
from ingest.simulator import SimPatient
from tests.support.vitals import DAY, HOUR, config, detect, engine, measured, moment, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload
from vigil.service.errors import SettingsError

ALONE = {"baseline": {"signals": {"heart_rate": {"enabled": False}}}}


def nights(levels: Sequence[float], seed: int = 1) -> list[float]:
    """A person's nights at these levels, with two beats of their own variation."""
    source = random.Random(seed)  # noqa: S311
    return [level + source.gauss(0, 2) for level in levels]


def night_uploads(rates: Sequence[float | None], steps: float | None = 0.0) -> Iterator[Upload]:
    """A reading every ten minutes from midnight to seven, and one at half past seven."""
    for day, rate in enumerate(rates):
        times = [day * DAY + minute * 60.0 for minute in range(0, 420, 10)]
        if rate is not None:
            source = random.Random(day)  # noqa: S311
            yield upload(
                *[measured(t, {"heart_rate": round(rate + source.gauss(1, 2))}, "unknown", steps)
                  for t in times]
            )  # fmt: skip
        yield upload(measured(day * DAY + 7.5 * HOUR, {"heart_rate": 75.0}, "rest"))


def announced_of(rates: Sequence[float | None], **own: object) -> list[Event]:
    events = detect(night_uploads(rates), **{**ALONE, **own})
    return [event for event in events if event.kind == KIND]


def test_two_raised_nights_are_one_episode_told_the_next_morning() -> None:
    rates = nights([60.0] * 28 + [70.0] * 5 + [60.0] * 4)
    first, *_, last = announced_of(rates)
    morning = datetime(2026, 3, 2, 7, 30, tzinfo=UTC) + timedelta(days=29)
    assert (first.phase, first.detected_at) == ("opened", morning)
    assert (last.phase, last.episode_id, last.priority) == ("closed", first.episode_id, "low")
    assert first.onset == morning - timedelta(hours=24.5)
    announced = first.evidence
    assert announced["rule"] == "resting.nights"
    assert announced["value"] == pytest.approx(70, abs=4)
    assert (
        announced["value"]
        > announced["limit"]
        > announced["limit_clear"]
        > announced["baseline"]["median"]
    )
    assert announced["baseline"]["median"] == pytest.approx(60, abs=1.5)
    assert announced["nights_used"] == announced["baseline"]["n"] >= 14
    assert [n["ended"] for n in announced["nights"][-2:]] == ["2026-03-30", "2026-03-31"]
    assert all(n["hours"] == 7.0 for n in announced["nights"])


def test_the_first_usual_night_ends_it_and_its_value_is_past_the_end_shown() -> None:
    """Also after nights that were left out: one usual night says that it is over."""
    morning = datetime(2026, 4, 2, 7, 30, tzinfo=UTC)
    for between in ([], [None] * 5):
        *_, last = announced_of([*nights([60.0] * 28), 72.0, 73.0, 74.0, *between, 60.0, 60.0])
        assert last.phase == "closed"
        assert last.evidence["value"] <= last.evidence["limit_clear"]
        assert last.detected_at == morning + timedelta(days=len(between))


def test_a_night_that_is_still_above_does_not_end_it() -> None:
    events = announced_of([*nights([60.0] * 28), 72.0, 73.0, 66.0])
    assert "closed" not in [event.phase for event in events]


def test_one_odd_night_is_none() -> None:
    assert announced_of(nights([60.0] * 28 + [85.0] + [60.0] * 10)) == []


def test_at_most_one_step_a_night() -> None:
    rates = [*nights([60.0] * 28), 66.0, 67.0, 71.0, 76.0, 80.0, 85.0]
    events = announced_of(rates)
    assert [event.phase for event in events] == ["opened"] + ["updated"] * 4
    assert len({event.detected_at.date() for event in events}) == len(events)


def test_a_person_of_wide_spread_needs_more() -> None:
    """The same eight beats: told of one whose nights are alike, not of one whose nights differ."""
    wide = [51.0 + 3 * (i * 4 % 7) for i in range(28)]
    assert announced_of([*wide, 68.0, 68.0, 68.0]) == []
    assert announced_of([*nights([60.0] * 28), 68.0, 68.0, 68.0]) != []


def test_nothing_before_seven_nights() -> None:
    assert announced_of(nights([60.0] * 5 + [80.0] * 2)) == []
    assert announced_of(nights([60.0] * 7 + [80.0] * 2)) != []


def test_missing_nights_are_allowed_but_a_long_gap_makes_no_pair() -> None:
    calm: list[float | None] = [*nights([60.0] * 20)]
    assert announced_of([*calm, 72.0, None, 72.0]) != []
    assert announced_of([*calm, 72.0, *[None] * 6, 72.0]) == []


def test_a_night_with_too_few_hours_is_left_out() -> None:
    calm = nights([60.0] * 20)
    short = from_tables({"resting": {"least_hours": 7.0}}).everyone.resting
    assert short.least_hours == 7
    lacking = list(night_uploads([*calm, 75.0, 75.0]))
    cut = [upload(*u.measurements[:15]) if i >= 40 and len(u.measurements) > 1 else u
           for i, u in enumerate(lacking)]  # fmt: skip
    assert any(e.kind == KIND for e in detect(lacking, **ALONE))
    assert not [e for e in detect(cut, **ALONE) if e.kind == KIND]


@pytest.mark.parametrize("steps", [5.0, 30.0])
def test_minutes_with_steps_do_not_count(steps: float) -> None:
    calm = nights([60.0] * 20)
    events = detect([*night_uploads([*calm, 75.0, 75.0], steps=steps)], **ALONE)
    assert not [event for event in events if event.kind == KIND]


def test_local_time_decides_what_is_night() -> None:
    """Twelve hours away these readings are from noon to seven: no night at all."""
    rates = nights([60.0] * 20 + [75.0] * 3)
    assert announced_of(rates, context={"utc_offset_hours": 12.0}) == []


def test_what_lasts_four_weeks_is_the_new_normal() -> None:
    events = announced_of(nights([60.0] * 28 + [70.0] * 50))
    assert [event.phase for event in (events[0], events[-1])] == ["opened", "closed"]
    assert len({event.episode_id for event in events}) == 1
    lasted = events[-1].detected_at - events[0].detected_at
    assert timedelta(days=28) <= lasted <= timedelta(days=30)
    assert events[-1].evidence["adopted"] == events[-1].detected_at.date().isoformat()


def test_raised_nights_teach_nothing_until_then() -> None:
    events = announced_of(nights([60.0] * 28 + [70.0] * 20))
    last = announced_of(nights([60.0] * 28 + [70.0] * 20 + [60.0] * 3))[-1]
    assert events[0].phase == "opened"
    assert last.phase == "closed"
    assert last.evidence["baseline"]["median"] == pytest.approx(60, abs=1.5)


def test_the_night_gathers_while_another_alarm_is_open() -> None:
    detector = Resting(config().everyone.resting, LocalClock(config().everyone.context))
    memory = detector.fresh()
    detector.learn(moment(60.0, heart_rate=130.0), memory, frozenset({"heart_rate"}))
    assert memory.night.minutes == 1


def test_switched_off_it_says_nothing() -> None:
    assert announced_of(nights([60.0] * 28 + [75.0] * 5), resting={"enabled": False}) == []


@pytest.mark.parametrize("own", [
    {"from_hour": 7, "to_hour": 7}, {"from_hour": 0, "to_hour": 13}, {"least_hours": 8.0},
    {"clear_spreads": 1.4}, {"ready_nights": 15}, {"anchor_nights": 57},
])  # fmt: skip
def test_what_contradicts_itself_is_refused(own: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        from_tables({"resting": own})


def test_the_histogram_gives_the_quartile_whatever_the_order() -> None:
    rates = [50.0, 55.0, 52.0, 51.0, 90.0, 20.0, 250.0, 54.0]
    values = set()
    for order in (rates, rates[::-1], sorted(rates)):
        night = Night()
        for minute, rate in enumerate(order):
            night.add(rate, minute, minute // 4)
        values.add((night.value(), night.minutes, night.hours))
    assert values == {(50.5, 8, 0.5)}


def test_the_memory_is_small_and_goes_on_across_a_save() -> None:
    rates = nights([60.0] * 35 + [72.0] * 25)
    one, two = engine(), engine()
    events, cut = list[Event](), list[Event]()
    for i, item in enumerate(night_uploads(rates)):
        events += one.process(item)
        if i % 7 == 3:
            heir = engine()
            heir.load_state("p1", two.state_of("p1"))
            two = heir
        cut += two.process(item)
    assert events == cut
    detector = Resting(config().everyone.resting, LocalClock(config().everyone.context))
    memory = Memory()
    for day, rate in enumerate(rates):
        for minute in range(460):
            here = moment(day * DAY + minute * 60.0, heart_rate=rate + minute % 40)
            detector.learn(here, memory, ())
    assert len(msgspec.msgpack.encode(detector.dump(memory))) <= 1500


@pytest.mark.slow
def test_the_simulated_infection_is_found() -> None:
    onset = datetime(2026, 3, 23, tzinfo=UTC)
    person = SimPatient(seed=1, number=3, scenario="infection_drift", onset=onset)
    found = Resting(config().everyone.resting, LocalClock(config().everyone.context))
    memory, announced = found.fresh(), list[tuple[datetime, Finding]]()
    for item in person.uploads(onset - timedelta(days=12), onset + timedelta(days=6)):
        for reading in item.measurements:
            if "heart_rate" not in reading.values:
                continue
            here = moment(
                reading.time.timestamp(), reading.context.activity,
                heart_rate=reading.values["heart_rate"],
            )  # fmt: skip
            announced += [
                (reading.time, f) for f in found.examine(here, memory) if f.stance == BEYOND
            ]
            found.learn(here, memory, ())
    assert announced
    assert onset < announced[0][0] <= onset + timedelta(days=3)
