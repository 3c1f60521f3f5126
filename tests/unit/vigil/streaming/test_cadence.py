"""When the next checkpoint is due."""

from __future__ import annotations

import pytest

from vigil.streaming import checkpoint_schedule
from vigil.streaming.checkpoint_schedule import Cadence


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


def due_after(beat: Cadence, clock: Clock) -> float:
    begun = clock.now
    while not beat.due():
        clock.now = round(clock.now + 0.1, 1)
    return round(clock.now - begun, 1)


@pytest.mark.parametrize(
    ("took", "pause"), [(0.0, 1.0), (0.05, 1.0), (0.2, 1.8), (1.0, 9.0), (60.0, 0.0)]
)
def test_a_tenth_of_the_time_and_never_for_long(clock: Clock, took: float, pause: float) -> None:
    beat = Cadence(1.0)
    assert beat.due()

    def save() -> None:
        clock.now += took

    beat.timed(save)
    beat.done()
    assert due_after(beat, clock) == pytest.approx(pause, abs=0.11)


def test_only_the_last_attempt_counts(clock: Clock) -> None:
    beat = Cadence(1.0)

    def fail() -> None:
        clock.now += 5
        raise LookupError

    with pytest.raises(LookupError):
        beat.timed(fail)
    clock.now += 600
    beat.timed(lambda: None)
    beat.done()
    assert due_after(beat, clock) == 1.0
