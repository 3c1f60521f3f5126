"""The outermost layer of every request: limits of number, size and time, and checked text.

One ASGI layer around everything, so that no route can be forgotten. The body of an unknown visitor
is read before the request takes a slot, so that slow senders block nobody. The body of a device or
a signed-in person is read by the route, after authentication, and its size is counted meanwhile.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from vigil.web import bodies
from vigil.web.rate_limited_log import RateLimitedLog
from vigil.web.refusal import DEVICES, Refusal, respond
from vigil.web.slots import SLOT, Kind, Slots

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from vigil.service.settings import Settings

LARGEST_OPEN_BODY = 16_384
"""Bytes of a form of an unknown visitor: a sign-in, a patient's answer."""
OPEN_BODY_SECONDS = 10.0
LONGEST_ADDRESS = 8192
"""Bytes of path and query."""
LARGEST_MESSAGE = 1_048_576
"""Bytes of a websocket's message."""
BUSY_SECONDS = 2
_HEALTH = frozenset({"/health/live", "/health/ready"})
_BAD_MESSAGE, _TOO_BIG = 1007, 1009
"""Close codes (RFC 6455 §7.4.1)."""

flood_log = RateLimitedLog("web")
BUSY = Refusal(
    503,
    "unavailable.busy",
    "Vigil is answering as many requests as it can.",
    field="",
    how_to_fix=f"Nothing was done. Try again in {BUSY_SECONDS} seconds.",
    retry_after=BUSY_SECONDS,
)
TOO_SLOW = Refusal(
    408, "input.too_slow", "The request did not arrive in time.", how_to_fix="Send it again."
)
TOO_LONG = Refusal(
    414, "input.too_large", f"It is longer than {LONGEST_ADDRESS} bytes.", field="path"
)


def too_large(limit: int) -> Refusal:
    """The refusal of a body with more bytes than ``limit``."""
    return Refusal(
        413, "input.too_large", f"It is larger than {limit} bytes.", how_to_fix="Send less."
    )


def kind_of(path: str) -> Kind:
    """Which share of the slots a path uses."""
    if path.startswith(f"{DEVICES}/"):
        return "devices"
    return "board" if path.startswith("/board/") else "open"


class Gate:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, settings: Settings):
        self._app = app
        self._slots = Slots(settings.max_requests)
        self._largest = settings.max_body_bytes
        self._seconds = settings.request_seconds
        self._lines = settings.max_connections // 2
        self._open_lines = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind, headers = kind_of(scope["path"]), Headers(scope=scope)
        refusal = _address(scope)
        if refusal is None and kind != "devices":  # the gateway checks the same, in its own order
            refusal = bodies.check_headers(headers) or self._declared(kind, headers)
        if refusal is None and kind == "open" and bodies.has_body(headers):
            limit = self._limit(kind)
            metered = _Metered(
                receive, send, limit=limit, seconds=min(OPEN_BODY_SECONDS, self._seconds)
            )
            body = await bodies.read_body(metered.receive)
            refusal = metered.refusal
            if body is not None:
                refusal, _ = bodies.check_content(body, headers.get("content-type", ""))
                receive = bodies.replay_body(body, receive)
            elif refusal is None:
                return  # the sender disconnected
        if refusal is not None:
            await respond(scope, refusal)(scope, receive, send)
        else:
            await self._in_a_slot(kind, scope, receive, send)

    async def _in_a_slot(self, kind: Kind, scope: Scope, receive: Receive, send: Send) -> None:
        metered = _Metered(receive, send, limit=self._limit(kind), seconds=self._seconds)
        if scope["path"] in _HEALTH:
            await self._app(scope, metered.receive, send)
            return
        slot = await self._slots.take(kind)
        if slot is None:
            flood_log.warn(f"too many requests: {kind}")
            await respond(scope, BUSY)(scope, receive, send)
            return
        mark = SLOT.set(slot)
        try:
            await self._app(scope, metered.receive, metered.send)
        except Exception:
            if metered.refusal is None or metered.started:
                raise
        finally:
            SLOT.reset(mark)
            slot.give_back()
        if metered.refusal is not None and not metered.started:
            await respond(scope, metered.refusal)(scope, receive, send)

    def _limit(self, kind: Kind) -> int:
        return min(LARGEST_OPEN_BODY, self._largest) if kind == "open" else self._largest

    def _declared(self, kind: Kind, headers: Headers) -> Refusal | None:
        length, limit = headers.get("content-length", "0"), self._limit(kind)
        # longer than any number of bytes, and than Python reads as one
        if len(length) > 15 or (length.isdecimal() and int(length) > limit):
            return too_large(limit)
        return None

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _address(scope)
        if refusal is None and self._open_lines >= self._lines:
            refusal = BUSY
        if refusal is not None:
            return await _refuse_websocket(scope, refusal, receive, send)
        self._open_lines += 1
        try:
            await self._app(scope, _Line(receive, send).receive, send)
        finally:
            self._open_lines -= 1


def _address(scope: Scope) -> Refusal | None:
    raw = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    if len(raw) + len(scope.get("query_string", b"")) > LONGEST_ADDRESS:
        return TOO_LONG
    return bodies.check_address(scope)


class _Metered:
    """A request's body with a limit of bytes and of seconds.

    Beyond a limit the route sees a disconnected sender; its response is dropped, and the refusal is
    sent instead.
    """

    def __init__(self, receive: Receive, send: Send, limit: int, seconds: float):
        self._receive, self._send = receive, send
        self._limit, self._left = limit, limit
        self._deadline = asyncio.get_running_loop().time() + seconds
        self._whole = False
        self.refusal: Refusal | None = None
        self.started = False

    async def receive(self) -> Message:
        """The next part of the body."""
        if self._whole:
            return await self._receive()
        if self.refusal is None:
            message = await self._in_time()
            if message["type"] != "http.request":
                return message
            self._left -= len(message.get("body", b""))
            if self._left >= 0:
                self._whole = not message.get("more_body", False)
                return message
            self.refusal = too_large(self._limit)
        return {"type": "http.disconnect"}

    async def _in_time(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                return await self._receive()
        except TimeoutError:
            self.refusal = TOO_SLOW
            return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send to the client, unless the request was refused meanwhile."""
        if self.refusal is None or self.started:
            self.started = True
            await self._send(message)


class _Line:
    """A websocket whose messages are limited in size and hold only checked text."""

    def __init__(self, receive: Receive, send: Send):
        self._receive, self._send = receive, send

    async def receive(self) -> Message:
        """The next message, or the end of the connection."""
        message = await self._receive()
        if message["type"] != "websocket.receive":
            return message
        code = _close_code(message)
        if code is None:
            return message
        await self._send({"type": "websocket.close", "code": code})
        return {"type": "websocket.disconnect", "code": code}


def _close_code(message: Message) -> int | None:
    """The close code for a message that is not accepted; None: it is."""
    text = message.get("text")
    if text is None:
        return _BAD_MESSAGE  # nothing of ours is sent as bytes
    if len(text) > LARGEST_MESSAGE:
        return _TOO_BIG
    try:
        refusal = bodies.check_json(bodies.load_json(text))
    except ValueError:
        return _BAD_MESSAGE
    return _BAD_MESSAGE if refusal is not None else None


async def _refuse_websocket(scope: Scope, refusal: Refusal, receive: Receive, send: Send) -> None:
    """Refuse a websocket's handshake: with an HTTP response where the server can send one."""
    if "websocket.http.response" not in scope.get("extensions", {}):
        return await send({"type": "websocket.close", "code": 1013})
    sent = respond(scope, refusal)
    await send(
        {
            "type": "websocket.http.response.start",
            "status": sent.status_code,
            "headers": sent.raw_headers,
        }
    )
    return await send({"type": "websocket.http.response.body", "body": sent.body})
