"""Deadlines and rest are what a plain look at everyone would find."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from detectors.contract import NEVER
from detectors.timers import Timers

patients = st.sampled_from(["p1", "p2", "p3"])
times = st.integers(0, 20).map(float)
changes = st.lists(st.tuples(patients, st.one_of(times, st.just(NEVER), st.none())), max_size=12)


@given(st.lists(changes, max_size=8))
def test_they_find_whom_a_look_at_everyone_would(rounds: list[list[tuple[str, float]]]) -> None:
    timers, due, touched = Timers(), dict[str, float](), dict[str, float]()
    for now, changed in enumerate(rounds):
        for patient, deadline in changed:
            if deadline is None:
                timers.drop(patient)
                due.pop(patient, None)
            else:
                timers.set(patient, deadline, now)
                due[patient], touched[patient] = deadline, now
        late = sorted(patient for patient, deadline in due.items() if deadline <= now)
        assert timers.due(now) == late
        for patient in late:
            timers.set(patient, now + 3.0, now)
            due[patient] = now + 3.0
        for before in range(now + 1):
            assert timers.resting(before) == sorted(
                patient
                for patient, deadline in due.items()
                if deadline == NEVER and touched[patient] <= before
            )


def test_nobody_is_looked_at_who_is_not_idle() -> None:
    class Counted(dict[str, float]):
        seen = 0

        def items(self):  # type: ignore[no-untyped-def]
            for item in super().items():
                Counted.seen += 1
                yield item

    timers = Timers()
    timers._resting = Counted()
    for i in range(1000):
        timers.set(f"p{i}", NEVER if i % 2 else 5.0, now=100.0)
    assert timers.resting(50.0) == []
    assert Counted.seen == 1


def test_moving_a_deadline_onwards_does_not_grow_the_queue() -> None:
    timers = Timers()
    for now in range(1000):
        timers.set("p1", now + 30.0, now)
    assert len(timers._queue) == 1
    assert timers.due(500.0) == []
    assert timers.due(1029.0) == ["p1"]
