"""The proxy breaks the network as it says, and mends it again."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from local.parts import HOST
from tests.support.proxy import Proxy
from tests.support.running import eventually

SOON = 0.3


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that says everything back."""
    with socket.create_server((HOST, 0)) as server:
        threading.Thread(target=_serve, args=(server,), daemon=True).start()
        with Proxy(server.getsockname()[1]) as proxy:
            yield proxy
        server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_echo, args=(client,), daemon=True).start()


def _echo(client: socket.socket) -> None:
    with client:
        try:
            while piece := client.recv(1024):
                client.sendall(piece)
        except OSError:
            return


def _open(proxy: Proxy) -> socket.socket:
    return socket.create_connection((HOST, proxy.port), timeout=5)


def _asked(client: socket.socket, what: bytes = b"there?") -> bytes:
    client.sendall(what)
    return client.recv(1024)


def _silent(client: socket.socket, what: bytes = b"there?") -> bool:
    client.settimeout(SOON)
    try:
        return not _asked(client, what)
    except TimeoutError:
        return True
    finally:
        client.settimeout(5)


def test_everything_passes_and_an_end_is_passed_on(proxy: Proxy) -> None:
    with _open(proxy) as client:
        assert _asked(client) == b"there?"
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1024) == b""
    eventually(lambda: proxy.connections() == 0)


def test_a_cut_resets_and_refuses_until_it_is_healed(proxy: Proxy) -> None:
    with _open(proxy) as client:
        assert _asked(client) == b"there?"
        proxy.cut()
        with pytest.raises(OSError, match=r"reset|pipe"):
            _asked(client)
    with pytest.raises(ConnectionRefusedError):
        _open(proxy)
    proxy.heal()
    with _open(proxy) as client:
        assert _asked(client) == b"there?"


def test_what_stalls_is_passed_on_later(proxy: Proxy) -> None:
    with _open(proxy) as client:
        assert _asked(client) == b"there?"
        proxy.stall()
        assert _silent(client)
        with _open(proxy) as late:
            assert _silent(late, b"late")
            proxy.heal()
            assert client.recv(1024) == b"there?"
            assert late.recv(1024) == b"late"


def test_a_slow_network_delays_each_piece(proxy: Proxy) -> None:
    with _open(proxy) as client:
        assert _asked(client) == b"there?"
        proxy.slow(SOON)
        assert _silent(client)
        assert client.recv(1024) == b"there?"


def test_what_is_half_open_stays_lost_and_what_comes_later_does_not(proxy: Proxy) -> None:
    with _open(proxy) as before:
        assert _asked(before) == b"there?"
        proxy.half_open()
        with _open(proxy) as during:
            assert _silent(before)
            assert _silent(during)
            proxy.heal()
            with _open(proxy) as after:
                assert _asked(after) == b"there?"
            assert _silent(before)
            assert _silent(during)


def test_dropping_resets_once(proxy: Proxy) -> None:
    with _open(proxy) as client:
        assert _asked(client) == b"there?"
        proxy.drop()
        with pytest.raises(OSError, match=r"reset|pipe"):
            _asked(client)
    with _open(proxy) as client:
        assert _asked(client) == b"there?"
