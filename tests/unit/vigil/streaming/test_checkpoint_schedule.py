"""When the next checkpoint is due."""

from __future__ import annotations

import pytest

from vigil.streaming import checkpoint_schedule
from vigil.streaming.checkpoint_schedule import CheckpointSchedule


class Clock:
    """A monotonic clock that a test turns."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(checkpoint_schedule, "time", made)
    return made


def due_after(schedule: CheckpointSchedule, clock: Clock) -> float:
    begun = clock.now
    while not schedule.is_due():
        clock.now = round(clock.now + 0.1, 1)
    return round(clock.now - begun, 1)


@pytest.mark.parametrize(
    ("took", "pause"), [(0.0, 1.0), (0.05, 1.0), (0.2, 1.8), (1.0, 9.0), (60.0, 0.0)]
)
def test_a_tenth_of_the_time_and_never_for_long(clock: Clock, took: float, pause: float) -> None:
    schedule = CheckpointSchedule(1.0)
    assert schedule.is_due()

    def save() -> None:
        clock.now += took

    schedule.run_timed(save)
    schedule.schedule_next()
    assert due_after(schedule, clock) == pytest.approx(pause, abs=0.11)


def test_only_the_last_attempt_counts(clock: Clock) -> None:
    schedule = CheckpointSchedule(1.0)

    def fail() -> None:
        clock.now += 5
        raise LookupError

    with pytest.raises(LookupError):
        schedule.run_timed(fail)
    clock.now += 600
    schedule.run_timed(lambda: None)
    schedule.schedule_next()
    assert due_after(schedule, clock) == 1.0
