"""What is let through to Dash: the calls that our own pages make, and nothing else.

Dash takes a browser's word for the form of a call: anything odd ends in an exception, that is in a
500 or in a websocket that is cut. Here each call is held to the callbacks that are registered.
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
Short = Annotated[str, Meta(max_length=256)]


class Client(Struct, frozen=True):
    """Which page a browser shows."""

    page: Short
    patient: Short = ""


class Look(Struct, frozen=True):
    """How it draws."""

    theme: Short = ""
    timeZone: Short = ""  # noqa: N815  (board.js's name)


class Start(Struct, frozen=True):
    """What a page asks to be sent; see ``ask()`` in ``board.js``."""

    stream: Annotated[int, Meta(ge=0, le=2**53)]
    view: Short
    page: Short = ""
    patient: Short = ""
    ward: Short = ""
    seen: Annotated[dict[Short, Short], Meta(max_length=20_000)] | None = None


VALUES: Mapping[str, Any] = {
    "client.data": Client | None,
    "look.data": Look | None,
    "start.data": Start | None,
    "span.data": Short | None,
    "turn.data": Short | None,
}
"""What each property may hold that a callback reads."""


class Place(Struct, frozen=True):
    """A property of a component, in a call."""

    id: Short
    property: Short
    value: Any = None


class Call(Struct, frozen=True):
    """A call of a callback, as Dash's renderer writes it."""

    output: Short
    inputs: Annotated[list[Place], Meta(max_length=20)] = []
    state: Annotated[list[Place], Meta(max_length=20)] = []
    outputs: Place | Annotated[list[Place], Meta(max_length=20)] | None = None
    changedPropIds: Annotated[list[Short], Meta(max_length=20)] = []  # noqa: N815  (theirs)


class Line(Struct, frozen=True):
    """A message on Dash's websocket."""

    type: Short
    requestId: Short = ""  # noqa: N815  (theirs)
    rendererId: Short = ""  # noqa: N815  (theirs)
    payload: Any = None


class Calls:
    """The calls that the registered callbacks take."""

    def __init__(self, callbacks: Mapping[str, Mapping[str, Any]]):
        self._callbacks = callbacks

    def refusal(self, call: object) -> Refusal | None:
        """Why a call is not let through; None: it is."""
        if self.fits(call):
            return None
        return Refusal(422, "input.wrong_type", "It is no call that a page of ours makes.")

    def fits(self, call: object) -> bool:
        """Whether a callback is registered for just this."""
        try:
            made = msgspec.convert(call, Call)
            for place in (*made.inputs, *made.state):
                msgspec.convert(place.value, VALUES.get(f"{place.id}.{place.property}", None))
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


def _names(places: Place | Sequence[Place] | None) -> list[str]:
    each = [places] if isinstance(places, Place) else places or []
    return [f"{place.id}.{place.property}" for place in each]


def _registered(places: Sequence[Mapping[str, str]]) -> list[str]:
    return [f"{place['id']}.{place['property']}" for place in places]


def _outputs(output: Any) -> list[str]:
    each = output if isinstance(output, list | tuple) else [output]
    return [f"{one.component_id}.{one.component_property}" for one in each]


class DashDoor:
    """ASGI middleware: Dash's websocket and its files. Its calls over HTTP are checked as bodies
    are (:class:`vigil.web.bodies.CheckedBodies`)."""

    def __init__(self, app: ASGIApp, dash: BoardDash, calls: Calls):
        self._app, self._dash, self._calls = app, dash, calls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        path = scope.get("path", "")
        if scope["type"] == "websocket" and path.startswith("/board/"):
            await self._app(scope, _Checked(self._calls, receive, send).receive, send)
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


class _Checked:
    """A websocket on which only calls of ours are made."""

    def __init__(self, calls: Calls, receive: Receive, send: Send):
        self._calls, self._receive, self._send = calls, receive, send

    async def receive(self) -> Message:
        """The next message, or the end of the line."""
        message = await self._receive()
        if message["type"] != "websocket.receive" or self._fits(message.get("text")):
            return message
        await self._send({"type": "websocket.close", "code": _BAD_MESSAGE})
        return {"type": "websocket.disconnect", "code": _BAD_MESSAGE}

    def _fits(self, said: str | None) -> bool:
        try:
            line = msgspec.convert(json.loads(said or ""), Line)
        except (ValueError, RecursionError):
            return False
        return line.type != "callback_request" or self._calls.fits(line.payload)
