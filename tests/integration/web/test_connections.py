"""A connection that brings nothing forward ends, and many keep nobody out; on raw sockets."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from http.client import HTTPException
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection
from websockets.sync.client import connect as connect_websocket

from local.parts import HOST
from tests.integration.web.conftest import Small, all_of, answered, ask, dial, settings_of
from tests.support.running import eventually, serving
from tests.support.timeouts import TIMEOUT, soon_enough
from vigil.web import gate, server
from vigil.web.server import options

ASK = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
FORM = b"POST /open/form HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
SOON = 0.6
"""Seconds that a request may take here."""


@pytest.fixture(scope="module")
def quick() -> Iterator[str]:
    """A server with little patience."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(server, "GRACE_SECONDS", 0.2)
        patch.setattr(server, "WRITE_SECONDS", 0.5)
        settings = settings_of(request_seconds=SOON)
        with serving([Small()], settings) as url:
            yield url


def dribbled(url: str, first: bytes, then: bytes, most: float = 10) -> float:
    """Send something, then byte by byte; the seconds until the other side ends it."""
    began = time.monotonic()
    with dial(url) as line:
        line.sendall(first)
        line.settimeout(0.05)
        while time.monotonic() - began < most:
            try:
                line.sendall(then)
                while line.recv(65_536):
                    pass
            except TimeoutError:
                continue
            except ConnectionError:
                break
            break
    return time.monotonic() - began


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (b"", b""),
        (b"", b"G"),
        (ASK, b"X"),
        (ASK + b"X-Long: ", b"x"),
        (b"", b"\r\n"),
        (ASK + b"\r\n", b"\r\n"),  # answered, and then nothing that is a request
        (ASK + b"\r\n" + ASK, b"X"),
        (FORM + b"Content-Length: 1000\r\n\r\n", b"a"),
        (FORM + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
        (b"POST /v1/take HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n", b"a"),
        # the answer is there before the body, which then never comes
        (b"POST /open/none HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"a"),
        (b"GET /open/none HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n", b"a"),
    ],
)
def test_what_comes_too_slowly_ends(quick: str, first: bytes, then: bytes) -> None:
    soon_enough(lambda: dribbled(quick, first, then), 6)


def test_a_slow_request_is_told_so(quick: str) -> None:
    with dial(quick) as line:
        line.sendall(ASK)
        assert answered(line)[0] == 408
        assert all_of(line) == b""
    with dial(quick) as line:  # as a browser connects ahead of need
        assert line.recv(100) == b""
    with dial(quick) as line:
        line.sendall(FORM + b"Content-Length: 10\r\n\r\nabc")
        status, headers, body = answered(line)
        assert (status, headers["connection"]) == (408, "close")
        assert b"in time" in body


def test_a_slow_body_of_a_device_is_told_so_too(quick: str) -> None:
    with dial(quick) as line:
        line.sendall(b"POST /v1/take HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc")
        status, _, body = answered(line)
        assert status == 408
        assert b"input.too_slow" in body


def test_who_does_not_read_is_let_go(quick: str) -> None:
    def received_after(seconds: float) -> int:
        with dial(quick) as line:
            line.sendall(b"GET /open/much HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(seconds)
            return len(all_of(line))

    # cut, and not slowly fed
    assert any(received_after(seconds) < 20_000_000 for seconds in (1.5, 5, 15))


@pytest.mark.parametrize("head", [b"X-Long: ", b"GET /"], ids=["one header", "the address"])
def test_a_head_without_end_is_refused(quick: str, head: bytes) -> None:
    with dial(quick) as line:
        line.sendall(head if head.startswith(b"GET") else ASK + head)
        with suppress(ConnectionError):
            for _ in range(200):
                line.sendall(b"x" * 16_384)
                time.sleep(0.001)
            pytest.fail("three megabytes of head were taken")


def test_many_headers_at_once_are_refused(quick: str) -> None:
    with dial(quick) as line:
        line.sendall(ASK + b"".join(b"X-%d: y\r\n" % n for n in range(30_000)) + b"\r\n")
        assert answered(line)[0] in {400, 431}


def test_a_quick_request_after_a_long_wait_is_answered(quick: str) -> None:
    def all_answered() -> bool:
        with dial(quick) as line, suppress(ConnectionError, HTTPException):
            for _ in range(4):  # twice the patience in all, each in good time
                time.sleep(SOON / 2)
                line.sendall(ASK + b"\r\n")
                if answered(line)[0] != 200:
                    return False
            return True
        return False

    assert any(all_answered() for _ in range(5))  # one of them: the machine may be too busy


def test_pipelined_requests_are_answered(quick: str) -> None:
    with dial(quick) as line:
        line.sendall((ASK + b"\r\n") * 5)
        received = b""
        while received.count(b'{"status":"live"}') < 5:
            received += line.recv(65_536)
        assert received.count(b"HTTP/1.1 200") == 5


# How many ---------------------------------------------------------------------------------------


def fetch_refused(url: str, path: str) -> tuple[dict[str, str], bytes]:
    """The 503 of a path, once there is one."""

    def busy() -> tuple[dict[str, str], bytes] | None:
        status, headers, body = ask(url, path)
        return (headers, body) if status == 503 else None

    found = eventually(busy)
    assert found is not None
    return found


def test_so_many_requests_at_once_and_no_more() -> None:
    part, settings = Small(), settings_of(max_requests=8)
    with serving([part], settings) as url, ExitStack() as open_ones:
        waiting = []
        for _ in range(4):  # the strangers' half
            line = open_ones.enter_context(closing(dial(url)))
            line.sendall(b"GET /open/wait HTTP/1.1\r\nHost: x\r\n\r\n")
            waiting.append(line)
        headers, body = fetch_refused(url, "/open/nothing")
        assert headers["retry-after"] == "2"
        assert b"Nothing was done" in body
        assert ask(url, "/health/live")[0] == 200
        assert ask(url, "/health/ready")[0] == 200
        assert ask(url, "/v1/nothing")[0] == 404  # a device is not kept out by strangers
        assert ask(url, "/board/nothing")[0] == 404
        for _ in range(4):
            line = open_ones.enter_context(closing(dial(url)))
            line.sendall(b"GET /v1/wait HTTP/1.1\r\nHost: x\r\n\r\n")
            waiting.append(line)
        headers, body = fetch_refused(url, "/v1/nothing")
        assert headers["retry-after"] == "2"
        assert b"unavailable.busy" in body
        assert ask(url, "/health/live")[0] == 200
        part.go_on.set()
        assert [answered(line)[0] for line in waiting] == [200] * 8
        assert ask(url, "/open/nothing")[0] == 404


def test_slow_bodies_of_strangers_take_no_slot() -> None:
    with serving([Small()], settings_of(max_requests=4)) as url, ExitStack() as open_ones:
        for _ in range(20):
            line = open_ones.enter_context(closing(dial(url)))
            line.sendall(FORM + b"Content-Length: 1000\r\n\r\nabc")
        assert ask(url, "/open/nothing")[0] == 404


def test_one_address_has_half_of_the_connections() -> None:
    with serving([Small()], settings_of(max_connections=16)) as url, ExitStack() as open_ones:
        for _ in range(8):
            open_ones.enter_context(closing(dial(url)))
        headers, _ = fetch_refused(url, "/open/nothing")
        assert headers["retry-after"]
        assert ask(url, "/health/live")[0] == 200
        assert ask(url, "/open/nothing", source="127.0.0.2")[0] == 404
        open_ones.close()
        assert eventually(lambda: ask(url, "/open/nothing")[0] == 404)


def test_so_many_connections_and_no_more() -> None:
    settings = settings_of(max_connections=16)
    with serving([Small()], settings) as url, ExitStack() as open_ones:
        for number in range(16):
            open_ones.enter_context(closing(dial(url, f"127.0.0.{2 + number % 4}")))
        assert eventually(lambda: ask(url, "/open/nothing", "127.0.0.9")[0] == 503)
        assert ask(url, "/health/live", "127.0.0.9")[0] == 200
        for _ in range(server.RESERVED + 8):
            open_ones.enter_context(closing(dial(url, "127.0.0.10")))
        with pytest.raises(ConnectionError):
            ask(url, "/health/live", "127.0.0.9")


def test_a_forwarded_address_is_believed_of_a_trusted_proxy_alone() -> None:
    assert options(settings_of())["proxy_headers"] is False
    trusting = options(settings_of(trusted_proxies="10.0.0.1 192.168.0.0/16"))
    assert trusting["proxy_headers"] is True
    assert trusting["forwarded_allow_ips"] == ["10.0.0.1", "192.168.0.0/16"]


# Websockets -------------------------------------------------------------------------------------


def test_websockets_are_counted_and_their_messages_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gate, "LARGEST_MESSAGE", 1000)
    with serving([Small()], settings_of(max_connections=16)) as url:
        address = url.replace("http", "ws") + "/board/line"
        with ExitStack() as lines:
            opened = [lines.enter_context(connect_websocket(address)) for _ in range(8)]
            with pytest.raises(InvalidStatus) as refused:
                connect_websocket(address)
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["retry-after"] == "2"
            opened[0].send('{"type":"heartbeat"}')
            assert opened[0].recv(TIMEOUT) == '{"type":"heartbeat"}'
            odd: list[tuple[str | bytes, int]] = [
                ('"' + "x" * 1000 + '"', 1009), ('"\\u0000"', 1007), ('"\\ud800"', 1007),
                ('{"a":["\\u0085"]}', 1007), ("not json", 1007), (b"{}", 1007),
            ]  # fmt: skip
            for number, (received, code) in enumerate(odd, start=1):
                opened[number].send(received)
                with pytest.raises(ConnectionClosed) as ending:
                    opened[number].recv(TIMEOUT)
                assert ending.value.rcvd is not None
                assert ending.value.rcvd.code == code, received

        def connected() -> ClientConnection | None:
            with suppress(
                InvalidStatus
            ):  # those before are counted until the server sees their end
                return connect_websocket(address)
            return None

        line = eventually(connected)
        assert line is not None
        with line:
            line.send("{}")
            assert line.recv(TIMEOUT) == "{}"


@pytest.mark.parametrize("path", ["/board/%00", "/board/line?a=%ff", "/board/%zz"])
def test_a_websockets_address_is_held_to_the_same(quick: str, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect_websocket(quick.replace("http", "ws") + path)
    assert refused.value.response.status_code == 422


# Bodies -----------------------------------------------------------------------------------------


def chunks(total: int) -> Iterator[bytes]:
    for _ in range(total // 65_536):
        yield b"a" * 65_536


@pytest.mark.parametrize("path", ["/open/form", "/board/form", "/v1/take"])
def test_a_body_ends_at_its_limit_whoever_reads_it(
    quick: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    given = {"Content-Type": "application/x-www-form-urlencoded"}
    with httpx.Client(base_url=quick, timeout=TIMEOUT) as client:
        answer = client.post(path, content=chunks(20_000_000), headers=given)
        assert answer.status_code == (404 if path == "/board/form" else 413)  # nobody reads there
        big = client.post(path, content=b"a" * 2_000_000, headers=given)
        assert big.status_code == 413
        form = client.post("/open/form", files={"a": b"x" * 1_500_000})
        assert form.status_code == 415
    assert not list(tmp_path.iterdir())
    assert HOST in quick
