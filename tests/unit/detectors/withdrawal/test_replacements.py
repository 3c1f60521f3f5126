"""A reading that replaces a withdrawn one is judged, and the withdrawn one sent again is not."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from detectors.engine.engine import Engine
from tests.support.patient_logs import run
from tests.support.vitals import HOUR, announced, at, cuff, engine, heart
from tests.support.withdrawals import withdrawal
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

OPENED = ("blood_pressure_high", "opened", "medium")


def of_pressure(events: list[Event]) -> list[tuple[str, str, str]]:
    return [one for one in announced(events) if one[0] == "blood_pressure_high"]


def withdrawn_of_three() -> tuple[Engine, list[Upload]]:
    """Three usual pressures, half an hour apart; the second is withdrawn."""
    runs, log = engine(), cuff([(126, 80), (124, 79), (125, 78)])
    assert run([*log], runs) == []
    runs.withdraw(withdrawal(log, (1,), when=1.5 * HOUR))
    return runs, log


def sent(items: list[Upload], received: float, runs: Engine) -> list[Event]:
    """Take uploads that come late, and wait until they are judged."""
    late = [replace(one, received_at=at(received)) for one in items]
    return [*run([*late], runs), *run([at(received + i * 60) for i in range(60)], runs)]


@pytest.mark.parametrize("time", [1800.0, 1740.0, 1860.0, 2400.0])
def test_what_replaces_it_is_judged_whatever_its_minute(time: float) -> None:
    runs, _ = withdrawn_of_three()
    events = sent(cuff([(214, 131)], start=time), 2 * HOUR, runs)
    assert of_pressure(events)[0] == OPENED
    assert all(event.retrospective for event in events if event.category == "clinical")


def test_the_withdrawn_reading_sent_again_stays_withdrawn() -> None:
    runs, log = engine(), cuff([(126, 80), (214, 131), (125, 78)])
    run([*log], runs)
    runs.withdraw(withdrawal(log, (1,), when=1.5 * HOUR))
    assert of_pressure(sent([log[1]], 2 * HOUR, runs)) == []
    assert of_pressure(run([*log], runs)) == []
    loaded = engine()
    loaded.load_state("p1", runs.state_of("p1"))
    assert of_pressure(sent([log[1]], 4 * HOUR, loaded)) == []


def test_a_replacement_is_new_once() -> None:
    runs, _ = withdrawn_of_three()
    right = cuff([(214, 131)], start=1800.0)
    assert of_pressure(sent(right, 2 * HOUR, runs))
    assert of_pressure(sent(right, 4 * HOUR, runs)) == []


def test_of_a_stretch_of_minutes_the_right_ones_are_judged() -> None:
    runs, log = engine(), heart([70.0 + i % 4 for i in range(90)])
    run([*log], runs)
    runs.withdraw(withdrawal(log, range(20, 60), when=2 * HOUR))
    right = heart([131.0 + i % 4 for i in range(40)], start=1200.0)
    events = sent(right, 2 * HOUR + 60, runs)
    assert ("heart_rate_high", "opened", "medium") in announced(events)
    assert all(event.retrospective for event in events if event.category == "clinical")


def test_where_the_newest_was_withdrawn_an_earlier_one_may_replace_it() -> None:
    runs, log = engine(), cuff([(126, 80), (124, 79)])
    run([*log], runs)
    runs.withdraw(withdrawal(log, (1,), when=HOUR))
    events = sent(cuff([(214, 131)], start=1740.0), HOUR + 60, runs)
    assert of_pressure(events)[0] == OPENED
