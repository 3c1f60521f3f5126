"""The system page: who runs, who does not, and why no better words came."""

from __future__ import annotations

from datetime import UTC, datetime

from dashboard.administration.system import (
    EXPECTED,
    ShownProcess,
    alert_wording,
    list_processes,
    missing_services,
)
from dashboard.worker_state.overview import WorkerStates
from tests.integration.dashboard.conftest import Board
from tests.support.messages import NOON
from tests.support.statuses import status
from vigil.domain.status import Status


def shown(*reported: Status) -> list[ShownProcess]:
    """What the page shows of statuses, each said so many seconds after noon as it says."""
    states = WorkerStates(0.0, NOON)
    states.confirm_read(0.0, NOON)
    for each in reported:
        states.record_status(each, each.time, (NOON - each.time).total_seconds())
    return list_processes(states.processes())


def test_who_was_not_observed_is_missing() -> None:
    found = shown(status("detectors"), status("explain", -5), status("store", -4))
    assert [(each.status.service, each.state) for each in found] == [
        ("detectors", "working"), ("explain", "no status"), ("store", "working"),
    ]  # fmt: skip
    assert missing_services(found) == ["explain", "notify"]
    assert missing_services(shown(*(status(service) for service in EXPECTED))) == []


def test_who_stopped_by_itself_is_said_to_have_stopped() -> None:
    (found,) = shown(status("store", ended=True))
    assert found.state == "stopped"
    assert "store" in missing_services([found])


def test_a_process_that_another_has_followed_is_not_shown() -> None:
    both = [status("store", 0, instance="new"), status("store", -600, instance="old")]
    assert [each.status.instance for each in shown(*both)] == ["new"]
    assert len(shown(both[1])) == 1


def test_trouble_is_reported_by_part() -> None:
    (found,) = shown(status("store", trouble={"database": "unavailable", "broker": "slow"}))
    assert found.state == "in trouble"
    assert found.troubles == ("broker: slow", "database: unavailable")


def test_words_are_summed_over_the_processes_that_run() -> None:
    counters = {
        "alerts": 5, "phrases_hit": 4, "model_missing": 2, "rewordings_refused_direction": 3,
    }  # fmt: skip
    one = status("explain", counters=counters)
    other = status("explain", -1, instance="other", counters={"alerts": 1})
    reported = alert_wording(shown(one, other))
    assert reported is not None
    assert reported.alerts == 6
    assert {each.meaning: each.times for each in reported.sources}["worded by the phrasebook"] == 4
    assert [(each.counter, each.times) for each in reported.fallbacks] == [
        ("model_missing", 2), ("rewordings_refused_direction", 3),
    ]  # fmt: skip
    assert all(each.meaning for each in reported.fallbacks)
    assert alert_wording(shown(status("store"))) is None


def test_whether_a_model_answers() -> None:
    for gauges, model in (
        ({}, "not in use"),
        ({"model_ready": 1.0}, "answers"),
        ({"model_ready": 0.0}, "does not answer"),
    ):
        reported = alert_wording(shown(status("explain", gauges=gauges)))
        assert reported is not None
        assert reported.model == model


def test_the_page(board: Board) -> None:
    now = datetime.now(UTC)
    reported = (
        status("detectors", time=now),
        status("explain", time=now, counters={"model_crashed": 1, "alerts": 2}),
        status("store", time=now, trouble={"database": "unavailable"}),
    )
    with board.workers(*reported), board.sign_in("ada") as client:
        page = client.get("/board/system").text
    assert "<strong>Not running:</strong> notify." in page
    assert "database: unavailable" in page
    assert "The model process ended." in page
    assert "2 alert steps worded" in page


def test_the_page_is_the_administrators(board: Board) -> None:
    with board.sign_in("kim") as client:
        assert client.get("/board/system").status_code == 403
