"""The head of every page that there is says what stands still; pages are found by their routes."""

from __future__ import annotations

from datetime import timedelta

import httpx
import psycopg
import pytest

from cli.services import web_app
from dashboard.service import build
from tests.integration.dashboard.conftest import PASSWORD, Board
from tests.support.crawl import addresses, pages
from tests.support.statuses import status
from vigil.domain.episode import Event
from vigil.domain.status import Status
from vigil.values.clock import utc_now

NOBODY = "nobody is being judged"


@pytest.fixture(scope="module")
def event(board: Board) -> Event:
    with board.seed() as seed:
        seed.user("quinn", PASSWORD, "admin", "Quinn Berg")
        for patient_id in ("q1", "q2"):
            seed.patient(patient_id, "Ann Lee", "North")
            seed.readings(patient_id, lambda before: 72 + before / 60)
        return seed.episode("q1", "heart_rate_high", priority="high")


def stopped() -> Status:
    now = utc_now()
    since = {"stuck": now - timedelta(minutes=7)}
    return status("detectors", time=now, trouble={"stuck": "x"}, since=since)


def found(board: Board, event: Event, client: httpx.Client) -> dict[str, str]:
    """The care team's pages, and how to sign in."""
    api = web_app([build(board.settings)], board.settings)
    values = {
        "patient_id": "q1",
        "episode_id": event.episode_id,
        "phrase_id": "none",
        "code": "none",
    }
    wanted = [a for a in addresses(api, values) if not a.startswith("/phone")]
    shown = {a: answer.text for a, answer in pages(client, [*wanted, "/board/patient/q2"])}
    assert {"/login", "/board/", "/board/summary", "/board/admin", "/board/system",
            "/board/phrasebook"} <= shown.keys() | {"/login"}  # fmt: skip
    return shown


@pytest.mark.parametrize("user", ["kim", "quinn"])
def test_every_page_says_that_nobody_is_judged_and_shows_no_tick(
    board: Board, event: Event, user: str
) -> None:
    with board.sign_in(user) as client, board.workers(stopped()):
        shown = found(board, event, client)
        with board.client() as visitor:
            shown["/login"] = visitor.get("/login").text
    for address, html in shown.items():
        assert NOBODY in html, address
        assert "No active alert" not in html, address
        assert "no active alert" not in html, address


def test_no_page_says_anything_while_all_workers_are_well(board: Board, event: Event) -> None:
    with board.sign_in("quinn") as client, board.workers():
        shown = found(board, event, client)
    for address, html in shown.items():
        assert '<p class="notice ' not in html, address
    assert "No active alert" in shown["/board/"]
    assert "No active alert" in shown["/board/patient/q2"]


def test_the_page_of_a_database_that_is_away_says_it_too(board: Board, event: Event) -> None:
    name = board.settings.database().rsplit("/", 1)[1]
    server = board.settings.database().replace(f"/{name}", "/postgres")
    del event
    with (
        board.sign_in() as client,
        board.workers(stopped()),
        psycopg.connect(server, autocommit=True) as connection,
    ):
        connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
        try:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (name,)
            )
            page = client.get("/board/summary")
        finally:
            connection.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
    assert page.status_code == 503
    assert "cannot reach its database" in page.text
    assert NOBODY in page.text
