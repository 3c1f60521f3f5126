"""What has been believed of the future, before no message was: it heals, and loses no episode."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from detectors.admission.rules import CLOCK
from detectors.engine import state
from detectors.engine.engine import Engine
from detectors.engine.future_state import AHEAD_SECONDS
from detectors.episodes.tracker import UNOBSERVED
from detectors.worker import _without_future
from tests.support.vitals import DAY, HOUR, at, config, engine, heart, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

FAST = [130.0 + i % 3 for i in range(30)]
CALM = [70.0 + i % 3 for i in range(30)]
YEARS = 3000 * DAY
NOW = at(2 * HOUR)


def loaded(runs: Engine, now: datetime = NOW) -> tuple[Engine, tuple[str, ...]]:
    """Another engine with the saved state of the only patient."""
    heir = engine()
    return heir, heir.load_state("p1", runs.state_of("p1"), now)


def kinds(events: list[Event]) -> list[tuple[str, str]]:
    return [(event.kind, event.phase) for event in events]


def all_of(runs: Engine, log: list[Upload]) -> list[Event]:
    return [event for item in log for event in runs.process(item)]


def test_a_state_of_today_is_left_as_it_is() -> None:
    runs = engine()
    all_of(runs, heart(CALM + FAST))
    runs.tick(at(1.5 * HOUR))
    heir, lost = loaded(runs)
    assert lost == ()
    assert heir.state_of("p1") == runs.state_of("p1")


def test_after_a_reading_of_the_future_alarms_are_told_again() -> None:
    runs = engine()
    all_of(runs, heart(CALM))
    item = upload(measured(YEARS, {"heart_rate": 71.0}), received=YEARS + 1)
    runs.process(item)
    assert all_of(runs, heart(FAST, start=2 * HOUR)) == [], "stuck: all of it is taken for late"
    heir, lost = loaded(runs)
    assert "tracks" in lost
    assert ("heart_rate_high", "opened") in kinds(all_of(heir, heart(FAST, start=2 * HOUR)))


def test_an_episode_that_was_open_ends_at_its_last_true_reading() -> None:
    runs = engine()
    (opened,) = all_of(runs, heart(FAST))
    future = upload(measured(YEARS, {"heart_rate": 130.0}), received=YEARS + 1)
    (closed,) = runs.process(future)
    assert closed.episode_id == opened.episode_id
    assert closed.evidence["reason"] == UNOBSERVED
    assert closed.ended_at == at((len(FAST) - 1) * 60.0)


def test_one_whose_last_reading_is_of_the_future_ends_with_the_next() -> None:
    """As an older Vigil saved it, which let an episode outlive what was observed."""
    runs = engine()
    (opened,) = all_of(runs, heart(FAST))
    state = runs._monitors["p1"].state
    state.episodes.by_kind["heart_rate_high"].last = at(YEARS).timestamp()
    state.newest["heart_rate"] = at(YEARS).timestamp()
    heir, lost = loaded(runs)
    assert "tracks" in lost
    closed = [e for e in all_of(heir, heart(CALM, start=2 * HOUR)) if e.phase == "closed"]
    assert [event.episode_id for event in closed] == [opened.episode_id]
    assert closed[0].ended_at is not None
    assert closed[0].ended_at >= opened.onset


@pytest.mark.parametrize("first", [0.0, 30.0])
def test_after_a_tick_of_the_future_silence_is_told_again(first: float) -> None:
    runs = engine()
    all_of(runs, heart(CALM))
    runs.tick(at(len(CALM) * 60.0))
    runs.tick(at(YEARS))
    all_of(runs, heart(CALM[:3], start=HOUR))
    heir, lost = loaded(runs)
    assert lost == ("clock",), "what was learned stays"
    heir.watermark = _without_future(runs.watermark, NOW)
    assert heir.watermark == NOW
    minutes = [at(2 * HOUR + 60.0 * n + first) for n in range(24 * 60)]
    announced = [event for minute in minutes for event in heir.tick(minute)]
    assert ("no_data", "opened") in kinds(announced)
    back = all_of(heir, heart(CALM[:3], start=27 * HOUR))
    assert ("no_data", "closed") in kinds(back)


def test_after_a_receipt_of_the_future_a_devices_clock_is_told_again() -> None:
    runs = engine()
    all_of(runs, heart(CALM))
    runs.process(upload(measured(HOUR, {"heart_rate": 71.0}), received=YEARS))
    _, lost = loaded(runs)
    assert lost == ("clock",), "that nobody knows yet whether it is history heals too"
    assert (CLOCK, "opened") in kinds(runs.tick(at(YEARS + 300.0)))
    heir, lost = loaded(runs)
    assert lost == ("clock",)
    right = upload(measured(3 * HOUR, {"heart_rate": 71.0}))
    assert (CLOCK, "closed") in kinds(heir.process(right))
    wrong = upload(measured(30 * HOUR, {"heart_rate": 71.0}), received=4 * HOUR)
    assert kinds(heir.process(wrong)) == [(CLOCK, "opened")]


def test_a_watermark_is_believed_up_to_a_day_ahead() -> None:
    day = timedelta(seconds=AHEAD_SECONDS)
    assert _without_future(None, NOW) is None
    assert _without_future(NOW + day, NOW) == NOW + day
    assert _without_future(datetime(9999, 1, 1, tzinfo=UTC), NOW) == NOW


STATES = sorted((Path(__file__).parent / "data/states").rglob("*.bin"))


@pytest.mark.parametrize("path", STATES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_every_state_ever_saved_heals_into_one_that_can_be_saved(path: Path) -> None:
    """Seen from a day long before, every time in them is of the future."""
    runs, past = Engine(config()), datetime(2001, 1, 1, tzinfo=UTC)
    assert runs.load_state("p1", path.read_bytes(), past) != ()
    again = Engine(config())
    assert again.load_state("p1", runs.state_of("p1"), past) == ()
    newest: Callable[[], dict[str, float]] = lambda: state.load(runs.state_of("p1"), {}).newest  # noqa: E731
    assert newest() == {}
