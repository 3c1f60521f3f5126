"""Passes to Dash only the calls that our own pages make.

Dash does not validate the form of a call: anything unexpected ends in an exception, that is in a
status 500 or a closed websocket. Here each call is checked against the registered callbacks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from dash import _validate
from dash.fingerprint import check_fingerprint
from fastapi.responses import JSONResponse
from msgspec import Meta, Struct

from vigil.web.refusal import Refusal

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dashboard.shell.dash_shell import BoardDash

CALLS = "/board/_dash-update-component"
_FILES = "/board/_dash-component-suites/"
_BAD_MESSAGE = 1007
ShortText = Annotated[str, Meta(max_length=256)]


class Client(Struct, frozen=True):
    """Which page a browser shows."""

    page: ShortText
    patient: ShortText = ""


class Appearance(Struct, frozen=True):
    """Its colour scheme and time zone."""

    theme: ShortText = ""
    timeZone: ShortText = ""  # noqa: N815  (board.js's name)


class StreamRequest(Struct, frozen=True):
    """What a page asks to receive; see ``streamRequest()`` in ``board.js``."""

    stream: Annotated[int, Meta(ge=0, le=2**53)]
    view: ShortText
    page: ShortText = ""
    patient: ShortText = ""
    ward: ShortText = ""
    version: ShortText = ""
    seen: Annotated[list[tuple[ShortText, ShortText]], Meta(max_length=20_000)] | None = None


VALUES: Mapping[str, Any] = {
    "client.data": Client | None,
    "look.data": Appearance | None,
    "start.data": StreamRequest | None,
    "span.data": ShortText | None,
    "turn.data": ShortText | None,
}
"""Property that a callback reads → the type of its value."""


class PropertyValue(Struct, frozen=True):
    """A component's property in a call."""

    id: ShortText
    property: ShortText
    value: Any = None


class CallbackCall(Struct, frozen=True):
    """A call of a callback, as Dash's renderer sends it."""

    output: ShortText
    inputs: Annotated[list[PropertyValue], Meta(max_length=20)] = []
    state: Annotated[list[PropertyValue], Meta(max_length=20)] = []
    outputs: PropertyValue | Annotated[list[PropertyValue], Meta(max_length=20)] | None = None
    changedPropIds: Annotated[list[ShortText], Meta(max_length=20)] = []  # noqa: N815  (theirs)


class WebsocketMessage(Struct, frozen=True):
    """A message on Dash's websocket."""

    type: ShortText
    requestId: ShortText = ""  # noqa: N815  (theirs)
    rendererId: ShortText = ""  # noqa: N815  (theirs)
    payload: Any = None


class AllowedCalls:
    """The calls that the registered callbacks accept."""

    def __init__(self, callbacks: Mapping[str, Mapping[str, Any]]):
        self._callbacks = callbacks

    def refusal(self, call: object) -> Refusal | None:
        """Why a call is refused; None: it is allowed."""
        if self.allows(call):
            return None
        return Refusal(422, "input.wrong_type", "No page of Vigil makes this call.")

    def allows(self, call: object) -> bool:
        """Whether a callback is registered for exactly this call."""
        try:
            made = msgspec.convert(call, CallbackCall)
            for value in (*made.inputs, *made.state):
                msgspec.convert(value.value, VALUES.get(f"{value.id}.{value.property}", None))
        except (msgspec.ValidationError, RecursionError):
            return False
        known = self._callbacks.get(made.output, {})
        if "callback" not in known:
            return False
        return (
            _names(made.inputs) == _registered(known["inputs"])
            and _names(made.state) == _registered(known["state"])
            and (known["no_output"] or _names(made.outputs) == _outputs(known["output"]))
        )


def _names(values: PropertyValue | Sequence[PropertyValue] | None) -> list[str]:
    each = [values] if isinstance(values, PropertyValue) else values or []
    return [f"{value.id}.{value.property}" for value in each]


def _registered(properties: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"{one['id']}.{one['property']}" for one in properties]


def _outputs(output: Any) -> list[str]:
    each = output if isinstance(output, list | tuple) else [output]
    return [f"{one.component_id}.{one.component_property}" for one in each]


class DashGuard:
    """ASGI middleware: Dash's websocket and its files. Its calls over HTTP are checked as bodies
    are (:class:`vigil.web.bodies.CheckedBodies`)."""

    def __init__(self, app: ASGIApp, dash: BoardDash, calls: AllowedCalls):
        self._app, self._dash, self._calls = app, dash, calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on or refuse."""
        path = scope.get("path", "")
        if scope["type"] == "websocket" and path.startswith("/board/"):
            await self._app(scope, _CheckedWebsocket(self._calls, receive, send).receive, send)
        elif scope["type"] == "http" and path.startswith(_FILES) and not self._has(path):
            await JSONResponse({"error": "There is no such file."}, 404)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _has(self, path: str) -> bool:
        package, _, name = path.removeprefix(_FILES).partition("/")
        try:
            inner, _ = check_fingerprint(name)
            _validate.validate_js_path(self._dash.registered_paths, package, inner)
        except Exception:  # theirs, of several kinds: there is no such file
            return False
        return True


class _CheckedWebsocket:
    """A websocket that passes only allowed calls."""

    def __init__(self, calls: AllowedCalls, receive: Receive, send: Send):
        self._calls, self._receive, self._send = calls, receive, send

    async def receive(self) -> Message:
        """The next message; a disconnect after one that is not allowed."""
        message = await self._receive()
        if message["type"] != "websocket.receive" or self._is_allowed(message.get("text")):
            return message
        await self._send({"type": "websocket.close", "code": _BAD_MESSAGE})
        return {"type": "websocket.disconnect", "code": _BAD_MESSAGE}

    def _is_allowed(self, text: str | None) -> bool:
        try:
            line = msgspec.convert(json.loads(text or ""), WebsocketMessage)
        except (ValueError, RecursionError):
            return False
        return line.type != "callback_request" or self._calls.allows(line.payload)
