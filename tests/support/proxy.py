"""A TCP proxy that breaks the network between two processes in the ways that networks break.

    pass       everything goes through
    cut        what is connected is reset; nobody can connect
    stall      connections are accepted and stay; nothing goes through until it passes again
    slow       each piece waits before it goes on
    half_open  what is connected is lost on the far side and never told so; new ones likewise

What is lost half open stays lost when the proxy passes again, as behind a router that forgot a
connection: only the caller's own patience ends it.
"""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType

from local.parts import HOST, free_port
from tests.support.timeouts import TIMEOUT

PIECE = 65_536
_RESET = struct.pack("ii", 1, 0)


class _Link:
    """One client's connection, and ours to the server."""

    def __init__(self, client: socket.socket, server: socket.socket | None):
        self.client = client
        self.server = server
        self.lost = server is None
        """True: what the client says goes nowhere, and nobody answers."""

    def reset(self) -> None:
        """End both sides at once, as a broken cable's timeout or a firewall does."""
        for end in (self.client, self.server):
            if end is not None:
                _abort(end)

    def lose(self) -> None:
        """The server's side ends; the client is not told."""
        self.lost = True
        if self.server is not None:
            _abort(self.server)


class Proxy:
    """Listens on ``port`` and forwards to a local port; use it in a ``with``.

    Each method that breaks or mends returns when it is done: no piece that arrives later goes
    through otherwise than it says.
    """

    def __init__(self, to_port: int, port: int | None = None):
        self.port = port or free_port()
        self.to_port = to_port
        self._change = threading.Condition()
        self._mode = "pass"
        self._delay_seconds = 0.0
        self._links: set[_Link] = set()
        self._listener: socket.socket | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Proxy:
        """Listen."""
        self._listen()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Reset everything, and end every thread."""
        self.cut()
        for thread in self._threads:
            thread.join(TIMEOUT)
            assert not thread.is_alive(), f"{thread.name} does not end"

    def heal(self) -> None:
        """Let everything through again, the stalled first. What was lost half open stays lost."""
        self._set("pass")
        if self._listener is None:
            self._listen()

    def cut(self) -> None:
        """Reset what is connected, and refuse whoever comes."""
        self._set("cut")
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.shutdown(socket.SHUT_RDWR)  # wakes accept()
            listener.close()
        self.drop()

    def drop(self) -> None:
        """Reset what is connected, once; whoever comes again is let through as before."""
        with self._change:
            links = list(self._links)
        for link in links:
            link.reset()

    def stall(self) -> None:
        """Accept, and pass nothing on."""
        self._set("stall")

    def slow(self, seconds: float) -> None:
        """Each piece of each connection waits so long."""
        self._delay_seconds = seconds
        self._set("slow")

    def half_open(self) -> None:
        """Lose what is connected and whoever comes, and tell no client."""
        self._set("half_open")
        with self._change:
            links = list(self._links)
        for link in links:
            link.lose()

    def connections(self) -> int:
        """How many clients are connected."""
        with self._change:
            return len(self._links)

    def _set(self, mode: str) -> None:
        with self._change:
            self._mode = mode
            self._change.notify_all()

    def _listen(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, self.port))
        listener.listen(128)
        self._listener = listener
        self._start(self._accept, listener)

    def _start(self, work: Callable[..., None], *arguments: object) -> None:
        name = f"proxy-{self.port}"
        thread = threading.Thread(target=work, args=arguments, name=name, daemon=True)
        self._threads = [t for t in self._threads if t.is_alive()]
        thread.start()
        self._threads.append(thread)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:  # closed: the cable is cut
                return
            self._start(self._connect, client)

    def _connect(self, client: socket.socket) -> None:
        """Forward both ways until either side ends; a thread for each way."""
        server = None
        with self._change:
            while self._mode == "stall":
                self._change.wait()
            lost, cut = self._mode == "half_open", self._mode == "cut"
        if not lost and not cut:
            try:
                server = socket.create_connection((HOST, self.to_port), timeout=5)
                server.settimeout(None)
            except OSError:
                cut = True  # nobody is there: refused a moment later than without a proxy
        link = _Link(client, server)
        if cut:
            link.reset()
            return
        with self._change:
            self._links.add(link)
        if server is not None:
            answers = threading.Thread(target=self._forward, args=(link, server, client))
            answers.start()
        self._forward(link, client, server)
        if server is not None:
            answers.join()
        link.reset()
        with self._change:
            self._links.discard(link)

    def _forward(self, link: _Link, source: socket.socket, sink: socket.socket | None) -> None:
        """Pass one way on until it ends. Of a lost link, drop what the client says."""
        answers = source is link.server
        while True:
            piece = _received(source)
            self._wait_to_pass()
            if link.lost:
                if answers or not piece:
                    return
                continue
            if piece is None or sink is None or not _sent(sink, piece):
                if link.lost and not answers:
                    continue
                if not link.lost:
                    link.reset()
                return
            if not piece:
                return

    def _wait_to_pass(self) -> None:
        with self._change:
            while self._mode == "stall":
                self._change.wait()
            slow = self._mode == "slow"
        if slow:
            time.sleep(self._delay_seconds)


def _received(source: socket.socket) -> bytes | None:
    """The next piece; empty at the end of the stream, None when the connection broke."""
    try:
        return source.recv(PIECE)
    except OSError:
        return None


def _sent(sink: socket.socket, piece: bytes) -> bool:
    """Pass a piece on, or the end of the stream; False: the connection broke."""
    try:
        sink.sendall(piece) if piece else sink.shutdown(socket.SHUT_WR)
    except OSError:
        return False
    return True


def _abort(end: socket.socket) -> None:
    """Close with a reset; also wakes whoever reads it."""
    try:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        end.shutdown(socket.SHUT_RD)
    except OSError:  # closed already
        pass
    finally:
        end.close()
