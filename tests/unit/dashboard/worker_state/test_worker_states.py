"""Who works, as the web process hears it: silence, troubles, lag, and what is never a fault."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.worker_state import overview as worker_states
from dashboard.worker_state.overview import (
    LATE_SECONDS,
    REBALANCE_SECONDS,
    SERVICES,
    SILENT_SECONDS,
    UNANSWERED_SECONDS,
    Overview,
    ServiceState,
    WorkerStates,
)
from dashboard.worker_state.words import SENTENCES, head_notices
from tests.support.messages import NOON
from tests.support.statuses import status
from vigil.domain.status import Status

EVERY = 2.0
"""Seconds between two statuses of a process."""


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


class ReportedTo:
    """A board that hears statuses and confirmations at given seconds after noon."""

    def __init__(self) -> None:
        self.states = WorkerStates(0.0, NOON)
        self.now = 0.0
        self.states.confirm_read(0.0, NOON)

    def until(self, seconds: float, *given: Status, step: float = 0.5) -> Overview:
        """The broker answers up to a moment; these processes say the same again meanwhile."""
        spoken = self.now
        while self.now < seconds:
            if given and self.now >= spoken:
                self.report(*given)
                spoken += EVERY
            self.now = min(seconds, self.now + step)
            self.states.confirm_read(self.now, at(self.now))
            self.overview()
        return self.overview()

    def report(self, *given: Status) -> None:
        for each in given:
            now = Status(**{name: getattr(each, name) for name in each.__struct_fields__}
                         | {"time": at(self.now)})  # fmt: skip
            self.states.record_status(now, at(self.now))

    def overview(self) -> Overview:
        return self.states.overview(self.now, at(self.now))


def all_but(*services: str) -> list[Status]:
    return [status(service) for service in SERVICES if service not in services]


def test_while_all_speak_nothing_is_said() -> None:
    reported = ReportedTo()
    reported.until(20, *all_but())
    assert reported.overview() == Overview()
    assert reported.overview().judged
    assert head_notices(reported.overview()) == ()


def test_at_the_start_it_is_being_checked_and_no_tick_stands() -> None:
    reported = ReportedTo()
    assert {state.kind for state in reported.overview().states} == {"checking"}
    assert not reported.overview().judged


@pytest.mark.parametrize("service", SERVICES)
def test_a_killed_service_is_said_within_five_seconds_of_its_last_status(service: str) -> None:
    reported = ReportedTo()
    reported.until(20, *all_but())
    reported.report(status(service))
    assert reported.until(20 + SILENT_SECONDS - 0.1, *all_but(service), step=0.1) == Overview()
    found = reported.until(20 + SILENT_SECONDS + 0.2, *all_but(service), step=0.1)
    assert found.states == (ServiceState(service, "down", at(20)),)
    assert found.judged == (service not in {"detectors", "store"})
    reported.until(30, *all_but())
    assert reported.overview() == Overview()


def test_one_that_stopped_by_itself_is_not_running_at_once() -> None:
    reported = ReportedTo()
    reported.until(20, *all_but())
    reported.report(status("detectors", ended=True))
    assert reported.overview().states == (ServiceState("detectors", "down", at(20)),)


def test_a_service_is_down_since_it_was_last_well_through_its_restart() -> None:
    reported = ReportedTo()
    reported.until(20, *all_but())
    starting = status(
        "detectors", instance="new", trouble={"start": "starting"}, since={"start": at(29)}
    )
    reported.until(29, *all_but("detectors"))
    since = at(18)  # the last that was heard
    assert reported.overview().states == (ServiceState("detectors", "down", since),)
    reported.report(starting)
    assert reported.overview().states == (ServiceState("detectors", "down", since),)
    sharing = status("detectors", instance="new", trouble={"partitions": "none assigned yet"})
    reported.until(33, *all_but("detectors"), sharing)
    assert reported.overview().states == (ServiceState("detectors", "down", since),)
    assert (
        reported.until(40, *all_but("detectors"), status("detectors", instance="new")) == Overview()
    )


def test_a_trouble_is_said_unless_it_passes_at_once_or_is_harmless() -> None:
    unreachable = status("detectors", trouble={"unavailable.database": "unavailable"},
                  since={"unavailable.database": at(19.5)})  # fmt: skip
    reported = ReportedTo()
    reported.until(20, *all_but())
    reported.report(unreachable)
    assert reported.overview() == Overview()
    found = reported.until(23, *all_but("detectors"), unreachable)
    assert found.states == (ServiceState("detectors", "down", at(19.5)),)
    for service, parts in worker_states.HARMLESS.items():
        reported = ReportedTo()
        harmless = status(service, trouble=dict.fromkeys(parts, "so"))
        assert reported.until(20, *all_but(service), harmless) == Overview()


def test_partitions_that_are_being_shared_out_are_given_time() -> None:
    sharing = status("detectors", trouble={"partitions": "being shared out anew"},
                     since={"partitions": at(20)})  # fmt: skip
    reported = ReportedTo()
    reported.until(20, *all_but())
    assert reported.until(20 + REBALANCE_SECONDS - 1, *all_but("detectors"), sharing) == Overview()
    found = reported.until(20 + REBALANCE_SECONDS + 3, *all_but("detectors"), sharing)
    assert found.state_of("detectors") == ServiceState("detectors", "down", at(20))


def test_one_of_two_in_trouble_is_a_part_if_it_has_partitions() -> None:
    troubled = status("detectors", instance="b", trouble={"stuck": "x"}, since={"stuck": at(0)},
                      gauges={"partitions": 3.0})  # fmt: skip
    reported = ReportedTo()
    found = reported.until(20, *all_but(), troubled)
    assert found.states == (ServiceState("detectors", "part", at(0)),)
    assert not found.judged
    idle = status("detectors", instance="b", trouble={"stuck": "x"}, gauges={"partitions": 0.0})
    reported = ReportedTo()
    assert reported.until(20, *all_but(), idle) == Overview()


@pytest.mark.parametrize(
    ("parts", "stuck", "kind"),
    [
        ({"stuck"}, 2.0, "part"), ({"stuck", "transaction"}, 1.0, "part"), ({"stuck"}, 6.0, "down"),
        ({"stuck"}, 0.0, "down"), ({"stranger"}, 0.0, "part"),
        ({"stranger", "unavailable.database"}, 0.0, "down"),
    ],
)  # fmt: skip
def test_some_partitions_that_stand_still_are_a_part(
    parts: set[str], stuck: float, kind: str
) -> None:
    given = status("detectors", trouble=dict.fromkeys(parts, "x"), since=dict.fromkeys(parts, NOON),
                  gauges={"partitions": 6.0, "stuck_partitions": stuck})  # fmt: skip
    found = ReportedTo().until(20, *all_but("detectors"), given)
    assert found.states == (ServiceState("detectors", kind, NOON),)  # type: ignore[arg-type]


def test_partitions_without_a_worker_are_a_part() -> None:
    reported = ReportedTo()
    reported.states.expect_partitions({"detectors": 6})
    half = status("detectors", gauges={"partitions": 3.0})
    other = status("detectors", instance="b", gauges={"partitions": 3.0})
    assert reported.until(20, *all_but("detectors"), half, other) == Overview()
    found = reported.until(40, *all_but("detectors"), half)
    assert found.state_of("detectors") == ServiceState("detectors", "part", found.states[0].since)
    assert found.states[0].since is not None
    whole = status("detectors", gauges={"partitions": 6.0})
    assert reported.until(45, *all_but("detectors"), whole) == Overview()


@given(lag=st.floats(0, 100_000))
def test_more_than_a_minute_behind_is_late(lag: float) -> None:
    reported = ReportedTo()
    found = reported.until(
        6, *all_but("detectors"), status("detectors", gauges={"lag_seconds": lag})
    )
    late = (
        (ServiceState("detectors", "late", minutes=int(lag // 60)),) if lag > LATE_SECONDS else ()
    )
    assert found.states == late
    assert found.judged == (lag <= LATE_SECONDS)


def test_a_broker_that_does_not_answer_is_said_and_no_worker_blamed_for_it() -> None:
    reported = ReportedTo()
    reported.until(20, *all_but())
    reported.now = 20 + UNANSWERED_SECONDS
    assert reported.overview() == Overview(unanswered=True, since=at(20))
    (given,) = head_notices(reported.overview())
    assert (given.part, given.since) == ("broker", at(20))
    reported.now = 80
    reported.states.confirm_read(80, at(80))
    assert {s.kind for s in reported.overview().states} <= {"checking"}
    assert reported.until(90, *all_but()) == Overview()


@given(
    st.lists(st.floats(0.05, 30), min_size=1, max_size=12),
    st.floats(0.0, 2.0),
)
def test_whoever_stands_still_no_worker_that_speaks_is_ever_said_to_be_down(
    gaps: list[float], pause: float
) -> None:
    """The web process or the broker stops for any time; what the workers said meanwhile comes in
    one go afterwards, or a pause later, as their producers find the broker again."""
    reported = ReportedTo()
    reported.until(10, *all_but())
    for gap in gaps:
        reported.report(*all_but())
        reported.now += gap
        reported.states.confirm_read(reported.now, at(reported.now))
        assert reported.overview() == Overview()
        assert reported.until(reported.now + pause) == Overview()


@given(st.permutations(range(6)))
def test_what_is_read_again_changes_nothing(order: list[int]) -> None:
    reported = ReportedTo()
    reported.until(20, *all_but())
    before = reported.overview()
    for number in order:
        given = status("detectors", number, trouble={"start": "starting"})
        reported.states.record_status(given, given.time, 20.0 - number)
    assert reported.overview() == before


def test_old_statuses_read_at_the_start_say_since_when() -> None:
    states = WorkerStates(0.0, NOON)
    for seconds in (-900, -898):
        states.record_status(status("detectors", seconds), at(seconds), -seconds)
    states.confirm_read(0.0, NOON)
    for step in range(1, 11):
        states.confirm_read(step / 2, at(step / 2))
    found = states.overview(5.0, at(5.0)).state_of("detectors")
    assert found == ServiceState("detectors", "down", at(-898))


def test_every_state_has_a_whole_sentence_with_and_without_a_moment() -> None:
    for service in SERVICES:
        assert set(SENTENCES[service]) == {"checking", "down", "part", "late"}
        for kind in SENTENCES[service]:
            for since in (None, NOON):
                if since and "{since}" not in SENTENCES[service][kind]:
                    continue
                state = ServiceState(service, kind, since, minutes=6)
                (given,) = head_notices(Overview((state,)))
                text = f"{given.before}{'00:20' if given.since else ''}{given.after}"
                assert not set("[]{}|") & set(text), text
                assert text.endswith(".")
                assert "since" not in text or since is not None
    (given,) = head_notices(Overview((ServiceState("detectors", "late", minutes=6),)))
    assert given.before == "Detection is 6 minutes behind: alerts come late."
    (given,) = head_notices(Overview((ServiceState("detectors", "down", NOON),)))
    assert given.before + "00:20" + given.after == (
        "Detection has not been running since 00:20: nobody is being judged."
    )
