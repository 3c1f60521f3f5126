"""uvicorn with timeouts for slow clients.

uvicorn closes a connection that is idle *between* requests. It keeps for ever a connection that
sends its headers byte by byte, without end or not at all, or that never reads its answer.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any, ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from vigil.web.gate import BUSY_SECONDS, LARGEST_MESSAGE
from vigil.web.rate_limited_log import RateLimitedLog

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Receive, Scope, Send

    from vigil.service.settings import Settings

HEAD_SECONDS = 10.0
"""From a connection's start, or a request's first byte, to the end of its headers."""
LARGEST_HEAD = 32_768
"""Bytes of a request line and headers."""
WRITE_SECONDS = 30.0
"""How long an answer may wait for its reader."""
GRACE_SECONDS = 5.0
"""A body that has not arrived in time is answered by :mod:`vigil.web.gate`; this much later the
connection is cut if it is still open."""
RESERVED = 32
"""Connections beyond the limit, for health requests alone."""

flood_log = RateLimitedLog("web")


def _raw(status: str, *headers: str) -> bytes:
    body = status.partition(" ")[2]
    lines = (
        f"HTTP/1.1 {status}",
        "content-type: text/plain; charset=utf-8",
        f"content-length: {len(body)}",
        "connection: close",
        *headers,
        "",
        body,
    )
    return "\r\n".join(lines).encode()


_CROWDED = _raw("503 Service Unavailable", f"retry-after: {BUSY_SECONDS}")
_SLOW = _raw("408 Request Timeout")
_LONG = _raw("431 Request Header Fields Too Large")


def options(settings: Settings) -> dict[str, Any]:
    """How uvicorn serves the web process, as arguments of ``uvicorn.Config``."""
    return {
        "host": settings.http_host,
        "port": settings.http_port,
        "http": protocol(settings),
        "ws": "websockets-sansio",
        "ws_max_size": LARGEST_MESSAGE,
        "log_config": None,
        "access_log": False,  # a path can name a patient
        "server_header": False,
        "timeout_graceful_shutdown": 5,
        # Who may set X-Forwarded-For decides which address a limit applies to.
        "proxy_headers": bool(settings.trusted_proxies),
        "forwarded_allow_ips": list(settings.trusted_proxies),
    }


def protocol(settings: Settings) -> type[HttpToolsProtocol]:
    """The protocol class of one server's connections."""
    return type(
        "Bounded",
        (Connection,),
        {
            "most": settings.max_connections,
            "head_seconds": min(HEAD_SECONDS, settings.request_seconds),
            "body_seconds": settings.request_seconds + GRACE_SECONDS,
            "by_source": Counter(),
        },
    )


class Connection(HttpToolsProtocol):
    """One HTTP connection."""

    most: ClassVar[int]
    head_seconds: ClassVar[float]
    body_seconds: ClassVar[float]
    by_source: ClassVar[Counter[str]]
    """Connections by the address they come from."""

    _timer: asyncio.TimerHandle | None = None
    """Ends a request that makes no progress."""
    _writing: asyncio.TimerHandle | None = None
    _source: str | None = None
    _in_head = True
    _begun = False
    """A request's first byte is there, and its last is not."""
    _turned = False
    """A request began or ended in the bytes that came last, which are not all of a head."""
    _head = 0
    _crowded = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Accept the connection, or refuse it."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._source = self.client[0] if self.client else ""
        self.by_source[self._source] += 1
        if len(self.connections) > self.most + RESERVED:
            self.transport.abort()
            return
        half = self.by_source[self._source] > max(1, self.most // 2)
        self._crowded = half or len(self.connections) > self.most
        if self._crowded:
            self.app = _health_alone(self.app)
        self._expect(self.head_seconds, self._slow_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended."""
        self._release()
        super().connection_lost(exc)

    def _release(self) -> None:
        self._expect(0, None)
        self._stop_writing_timer()
        if self._source is not None:
            self.by_source[self._source] -= 1
            if self.by_source[self._source] < 1:
                del self.by_source[self._source]
            self._source = None

    def handle_websocket_upgrade(self) -> None:
        """The connection is a websocket's from now on, with timeouts of its own."""
        if self._crowded:
            self._refuse(_CROWDED)
            return
        self._release()
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Bytes of a request."""
        if self.transport.is_closing():
            return
        self._turned = False
        super().data_received(data)
        if self.parser is None or self.transport.is_closing() or self._source is None:
            return
        if self._in_head:
            self._head += 0 if self._turned else len(data)
            if self._head > LARGEST_HEAD:
                self._refuse(_LONG)
            elif self._timer is None:  # bytes between requests that begin none
                self._expect(self.head_seconds, self._slow_head)

    def on_message_begin(self) -> None:
        """A request's first byte."""
        super().on_message_begin()
        self._in_head, self._turned, self._head = True, True, 0
        self._begun = True
        self._expect(self.head_seconds, self._slow_head)

    def on_header(self, name: bytes, value: bytes) -> None:
        """One header."""
        self._head += len(name) + len(value)
        if self._head > 2 * LARGEST_HEAD:  # so many arrived at once
            raise ValueError("too many headers")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """The headers are there; a body may follow."""
        self._in_head = False
        self._expect(self.body_seconds, self._cut)
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The whole request is there."""
        super().on_message_complete()
        self._in_head, self._turned, self._head = True, True, 0
        self._begun = False
        self._expect(0, None)

    def on_response_complete(self) -> None:
        """The answer is written; its reader may still be slow."""
        super().on_response_complete()
        if self.transport.is_closing():
            self._expect_reader()

    def timeout_keep_alive_handler(self) -> None:
        """No further request came."""
        super().timeout_keep_alive_handler()
        self._expect_reader()

    def pause_writing(self) -> None:
        """The answer's reader is slow."""
        super().pause_writing()
        self._expect_reader()

    def resume_writing(self) -> None:
        """It reads again."""
        self._stop_writing_timer()
        super().resume_writing()

    def _expect_reader(self) -> None:
        if self._writing is None:
            self._writing = self.loop.call_later(WRITE_SECONDS, self._cut)

    def _stop_writing_timer(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _expect(self, seconds: float, otherwise: Callable[[], None] | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self.loop.call_later(seconds, otherwise) if otherwise else None

    def _slow_head(self) -> None:
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy:  # an answer on its way is not cut for the request behind it
            return
        if self._begun:
            self._refuse(_SLOW)
        else:  # a browser that connected in advance has requested nothing
            self.transport.close()

    def _refuse(self, raw: bytes) -> None:
        flood_log.warn(f"connection refused: {raw[9:12].decode()}")
        self.transport.write(raw)
        self.transport.close()
        self._expect_reader()

    def _cut(self) -> None:
        self.transport.abort()


def _health_alone(app: ASGIApp) -> ASGIApp:
    """The application for health requests, and 503 for everything else."""

    async def answering(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/health/"):
            return await app(scope, receive, send)
        head, _, body = _CROWDED.partition(b"\r\n\r\n")
        headers = [tuple(line.split(b": ")) for line in head.split(b"\r\n")[1:]]
        await send({"type": "http.response.start", "status": 503, "headers": headers})
        return await send({"type": "http.response.body", "body": body})

    return answering
