"""Nothing under ``/board/`` is let out without a session, by any address or transport."""

from __future__ import annotations

import time

import psycopg
import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket
from websockets.typing import Origin

from cli.services import web_app
from dashboard.auth import session_lookup
from dashboard.service import build
from tests.integration.dashboard.conftest import Board, form_token
from tests.support.crawl import flat
from tests.support.timeouts import soon_enough


def board_routes(board: Board) -> list[tuple[str, str]]:
    """Every address of the running application under ``/board``, with each method."""
    api = web_app([build(board.settings)], board.settings)
    found = []
    for route in flat(api.routes):
        if not route.path.startswith("/board"):
            continue
        filled = route.path.replace("{patient_id}", "p1").replace("{package_name}", "dash")
        filled = filled.replace("{fingerprinted_path:path}", "dcc/dash_core_components.js")
        if isinstance(route, Mount):
            found.append(("GET", f"{filled}/board.js"))
        elif isinstance(route, Route):
            found += [(method, filled) for method in sorted(route.methods or ())]
        else:
            assert isinstance(route, WebSocketRoute)
    return found


def test_every_route_turns_strangers_away(board: Board) -> None:
    routes = board_routes(board)
    paths = {path for _, path in routes}
    assert {
        "/board/", "/board/patient/p1", "/board/patient/p1/phone", "/board/admin",
        "/board/actions", "/board/alive", "/board/_dash-layout", "/board/_dash-dependencies",
        "/board/_dash-update-component", "/board/assets/board.js",
    } <= paths  # fmt: skip
    with board.client() as client:
        client.cookies.set("vigil_session", "invented")
        for method, path in routes:
            answer = client.request(method, path, json={} if method == "POST" else None)
            assert answer.status_code in {303, 401}, (method, path, answer.status_code)
            if answer.status_code == 303:
                assert answer.headers["location"].startswith("/login?next=%2Fboard")
            assert "Ward board" not in answer.text


@pytest.mark.parametrize(
    "path", ["/board//", "/board/../board/", "/board/%2e%2e/x", "/board/patient/", "/BOARD/"]
)
def test_other_spellings_lead_nowhere(board: Board, path: str) -> None:
    with board.client() as client:
        answer = client.get(path)
        assert answer.status_code in {303, 307, 308, 401, 404}
        assert "not acknowledged" not in answer.text


def line_to(board: Board, origin: str | None, cookie: str | None) -> ClientConnection:
    """A websocket to Dash's endpoint."""
    return connect_websocket(
        board.url.replace("http://", "ws://") + "/board/_dash-ws-callback",
        origin=Origin(origin) if origin else None,
        additional_headers={"Cookie": cookie} if cookie else {},
    )


@pytest.mark.parametrize("cookie", [None, "vigil_session=", "vigil_session=invented"])
def test_the_websocket_is_closed_to_strangers(board: Board, cookie: str | None) -> None:
    with pytest.raises(InvalidStatus) as refused:
        line_to(board, board.url, cookie)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
def test_the_websocket_is_closed_to_other_sites(board: Board, origin: str | None) -> None:
    with board.sign_in() as client:
        cookie = f"vigil_session={client.cookies['vigil_session']}"
    with pytest.raises(InvalidStatus) as refused:
        line_to(board, origin, cookie)
    assert refused.value.response.status_code == 403


def test_an_open_websocket_ends_with_the_session(board: Board) -> None:
    with board.sign_in() as client:
        cookie = f"vigil_session={client.cookies['vigil_session']}"
        with line_to(board, board.url, cookie) as line:
            line.send('{"type":"heartbeat"}')
            assert "heartbeat_ack" in str(line.recv(5))
            csrf = form_token(client.get("/board/").text)
            assert client.post("/logout", data={"csrf": csrf}).status_code == 303
            line.send('{"type":"heartbeat"}')
            with pytest.raises(ConnectionClosed) as ended:
                line.recv(5)
            assert ended.value.rcvd is not None
            assert ended.value.rcvd.code == 4001


def test_another_sites_post_is_refused(board: Board) -> None:
    with board.sign_in() as client:
        for origin in ("https://evil.example", "null", "http://127.0.0.1:1"):
            answer = client.post("/board/actions", json={}, headers={"Origin": origin})
            assert answer.status_code == 403
        own = client.post("/board/_dash-update-component", json={}, headers={"Origin": board.url})
        assert own.status_code != 403


def test_pages_carry_the_headers_that_protect_them(board: Board) -> None:
    with board.sign_in() as client:
        for path in ("/board/", "/login", "/board/admin", "/board/patient/none"):
            headers = client.get(path, follow_redirects=True).headers
            assert headers["cache-control"] == "no-store"
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["x-frame-options"] == "DENY"
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe-eval" not in policy
            assert "unsafe-inline" not in policy.split("style-src")[0]
            assert "http:" not in policy
        page = client.get("/board/").text
        assert "cdn" not in page.lower()
        assert 'src="http' not in page


def test_what_can_hold_a_patients_data_is_not_kept_by_a_cache(board: Board) -> None:
    with board.sign_in() as client:
        assert client.get("/board/_dash-layout").headers["cache-control"] == "no-store"
        assert client.get("/board/alive").headers["cache-control"] == "no-store"
        assert "no-store" not in client.get("/board/assets/board.css").headers.get(
            "cache-control", ""
        )


def test_dash_answers_no_address_that_is_not_its_own(board: Board) -> None:
    with board.sign_in() as client:
        for path in ("/v1/nothing", "/nothing", "/board/nothing", "/board/patient/p1/nothing"):
            answer = client.get(path)
            assert answer.status_code == 404, path
            assert "_dash-config" not in answer.text


def test_the_administration_is_for_administrators(board: Board) -> None:
    with board.sign_in("kim") as client:
        assert client.get("/board/admin").status_code == 403
        assert "/board/admin" not in client.get("/board/").text
    with board.sign_in("ada") as client:
        page = client.get("/board/admin")
        assert page.status_code == 200
        assert "Kim Berg" in page.text
        assert "the message system does not answer" in page.text


def test_a_database_that_hangs_holds_no_open_page_up(
    board: Board, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who was known is let in meanwhile, and no longer than until the database answers."""
    monkeypatch.setattr(session_lookup, "REMEMBERED_SECONDS", 0.0)
    with (
        board.sign_in() as client,
        psycopg.connect(board.settings.database()) as connection,
    ):
        assert client.get("/board/alive").status_code == 200
        connection.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")

        def let_in() -> float:
            began = time.monotonic()
            assert client.get("/board/alive").status_code == 200
            return time.monotonic() - began

        for _ in range(3):
            soon_enough(let_in, 3)
        connection.execute("DELETE FROM sessions")
        connection.commit()
        answers = [client.get("/board/alive").status_code for _ in range(2)]
        assert answers[-1] == 401
