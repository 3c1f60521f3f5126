"""What the fault tests are made of: plans that repeat, an oracle that sees, a wrong clock."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from tests.support import oracle
from tests.support.faulty import assert_same
from tests.support.feeding import batches, people
from tests.support.schedule import Fault, plan
from tests.support.wrong_clock import EVERY_SECONDS, stepping
from vigil.service.settings import Settings


def _nothing() -> None:
    """Breaks nothing."""


FAULTS = [Fault(name, _nothing) for name in "abcdef"]


def _plan(seed: int) -> list[tuple[float, str]]:
    draw = random.Random(seed)  # noqa: S311
    return [(row.at, row.fault.name) for row in plan(draw, FAULTS, 10.0)]


def test_a_seed_repeats_its_plan_and_another_makes_another() -> None:
    assert _plan(7) == _plan(7)
    assert _plan(7) != _plan(8)
    moments = [at for at, _ in _plan(7)]
    assert moments == sorted(moments)
    assert all(0 <= at <= 10 for at in moments)
    assert sorted(name for _, name in _plan(7)) == list("abcdef")


def test_a_seed_repeats_its_people_whose_episodes_open_and_close() -> None:
    uploads = people(2, 7, 6)
    assert uploads == people(2, 7, 6)
    assert uploads != people(2, 8, 6)
    expected = oracle.without_faults(uploads, Settings())
    assert len(expected.readings) == len(uploads)
    assert {event.phase for event in expected.events.values()} >= {"opened", "closed"}
    assert len(expected.alerts) == len(expected.events)
    assert oracle.pages((alert, alert.time) for alert in expected.alerts.values())


def test_a_batch_that_arrives_in_part_and_is_sent_again_keeps_each_ones_order() -> None:
    uploads = people(3, 7, 2)
    sent = [*batches(uploads)]
    assert [upload for batch in sent for upload in batch] == uploads
    for batch in sent:
        assert len({upload.patient_id for upload in batch}) == len(batch)


@pytest.mark.parametrize(
    ("found", "reported"),
    [
        ({1: "a", 2: "b"}, {}),
        ({1: "a"}, {"missing": [2]}),
        ({1: "a", 2: "b", 3: "c"}, {"too much": [3]}),
        ({1: "a", 2: "B"}, {"not the same": [2]}),
    ],
)
def test_each_difference_is_seen(found: dict[int, str], reported: dict[str, list[int]]) -> None:
    expected = {1: "a", 2: "b"}
    assert oracle.differences(expected, found) == reported
    if reported:
        with pytest.raises(AssertionError, match=next(iter(reported))):
            assert_same(expected, found)


def test_the_wrong_clock_is_right_in_every_other_span(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(moments: Iterable[float]) -> list[float]:
        ticking = iter(moments)
        monkeypatch.setattr("time.monotonic", lambda: next(ticking))
        return [reported() for _ in range(4)]

    reported = stepping(-3600.0, lambda: 100.0)
    spans = [EVERY_SECONDS * number + 0.5 for number in range(4)]
    assert seconds(spans) == [100.0, -3500.0, 100.0, -3500.0]
