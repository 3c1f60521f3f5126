"""The system page: who runs, who does not, and why no better words came."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from dashboard.system import EXPECTED, missing, processes, words
from store.status_rows import Line
from tests.dashboard.conftest import Board
from tests.support.messages import NOON
from tests.support.statuses import status
from vigil.model import Status


def line(service: str, seconds: float = 0, **rest: Any) -> Line:
    said: Status = status(service, seconds, **rest)
    return Line(
        said.service, said.version, said.started, said.time, said.trouble, said.counters,
        said.gauges,
    )  # fmt: skip


def test_who_has_not_been_heard_of_for_a_minute_is_missing() -> None:
    lines = [line("detectors"), line("explain", -61), line("store", -59)]
    shown = processes(lines, NOON)
    assert [(each.line.service, each.state) for each in shown] == [
        ("detectors", "working"), ("explain", "not heard of"), ("store", "working"),
    ]  # fmt: skip
    assert missing(shown) == ["explain", "notify"]
    assert missing(processes([line(service) for service in EXPECTED], NOON)) == []


def test_a_process_that_another_has_followed_is_not_shown() -> None:
    lines = [line("store", 0, instance="new"), line("store", -600, instance="old")]
    assert len(processes(lines, NOON)) == 1
    assert len(processes(lines[1:], NOON)) == 1


def test_trouble_is_told_by_part() -> None:
    (shown,) = processes([line("store", trouble={"database": "away", "broker": "slow"})], NOON)
    assert shown.state == "in trouble"
    assert shown.troubles == ("broker: slow", "database: away")


def test_words_are_summed_over_the_processes_that_run() -> None:
    counters = {
        "alerts": 5, "phrases_hit": 4, "model_missing": 2, "rewordings_refused_direction": 3,
    }  # fmt: skip
    lines = [line("explain", counters=counters), line("explain", -1, counters={"alerts": 1})]
    said = words(processes(lines, NOON))
    assert said is not None
    assert said.alerts == 6
    assert dict(said.sources)["told by the phrasebook"] == 4
    assert [(name, times) for name, _, times in said.fallbacks] == [
        ("model_missing", 2), ("rewordings_refused_direction", 3),
    ]  # fmt: skip
    assert all(meaning for _, meaning, _ in said.fallbacks)
    assert words(processes([line("store")], NOON)) is None


def test_whether_a_model_answers() -> None:
    for gauges, model in (
        ({}, "not in use"),
        ({"model_ready": 1.0}, "answers"),
        ({"model_ready": 0.0}, "does not answer"),
    ):
        said = words(processes([line("explain", gauges=gauges)], NOON))
        assert said is not None
        assert said.model == model


def test_the_page(board: Board) -> None:
    now = datetime.now(UTC)
    with board.seed() as seed:
        seed.statuses(
            status("detectors", time=now),
            status("explain", time=now, counters={"model_crashed": 1, "alerts": 2}),
            status("store", time=now, trouble={"database": "away"}),
        )
    with board.sign_in("ada") as client:
        page = client.get("/board/system").text
    assert "<strong>Not running:</strong> notify." in page
    assert "database: away" in page
    assert "The model process ended." in page
    assert "2 alert steps worded" in page


def test_the_page_is_the_administrators(board: Board) -> None:
    with board.sign_in("kim") as client:
        assert client.get("/board/system").status_code == 403
