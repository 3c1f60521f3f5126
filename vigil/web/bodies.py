"""Checks of bodies and addresses: text that every later stage can store, in one encoding."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers

from vigil.values import text
from vigil.web.refusal import Refusal, respond, safe_field

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_FIELDS = 200
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_TAKEN_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
Check = Callable[[Any], Refusal | None]


class _BadTextError(ValueError):
    """A text cannot be accepted; the message says why."""


def refuse_text(why: str, field: str = "body") -> Refusal:
    """The refusal of a text.

    Args:
        why: what it contains, repeating nothing of it.
        field: the name of the field, as :func:`vigil.web.refusal.safe_field` gives it.
    """
    return Refusal(
        422,
        "input.bad_text",
        f"It contains {why}.",
        field=field,
        how_to_fix="Remove it and send again.",
    )


def decode_percent(raw: bytes, *, plus: bool = False) -> str:
    """Decode percent-encoded UTF-8 strictly.

    Args:
        plus: a ``+`` is a space, as in a query and a form.

    Raises:
        ValueError: its message is what is wrong, repeating nothing of the text.
    """
    if _BAD_PERCENT.search(raw):
        raise _BadTextError("a % that no two hexadecimal digits follow")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ") if plus else raw).decode()
    except UnicodeDecodeError:
        raise _BadTextError("bytes that are not UTF-8") from None


def check_address(scope: Scope) -> Refusal | None:
    """What is wrong with the text of a request's path or query; None: nothing."""
    raw_path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    for raw, plus, place in (
        (raw_path, False, "path"),
        (scope.get("query_string", b""), True, "query"),
    ):
        try:
            why = text.find_flaw(decode_percent(raw, plus=plus))
        except _BadTextError as error:
            why = str(error)
        if why is not None:
            return refuse_text(why, place)
    return None


def check_headers(headers: Headers) -> Refusal | None:
    """What is wrong with the headers that describe a body; None: nothing."""
    kind, _, parameters = headers.get("content-type", "").lower().partition(";")
    coding = headers.get("content-encoding", "identity").strip().lower()
    charset = next(
        (
            value.strip(' "')
            for name, _, value in (one.strip().partition("=") for one in parameters.split(";"))
            if name.strip() == "charset"
        ),
        "",
    )
    if kind.strip().startswith("multipart/"):
        why, field = "Forms with files are not taken.", "Content-Type"
    elif coding not in {"identity", ""}:
        why, field = "Compressed bodies are not taken.", "Content-Encoding"
    elif charset not in _TAKEN_CHARSETS:
        why, field = "Only UTF-8 is taken.", "Content-Type"
    else:
        return None
    return Refusal(415, "input.wrong_content_type", why, field=field)


def check_content(body: bytes, kind: str) -> tuple[Refusal | None, Any]:
    """What is wrong with a body (None: nothing), and its decoded JSON.

    Args:
        kind: its content type. A body that is not declared to be a form is also read as JSON where
            it is valid JSON, because a route may read it so whatever its content type.
    """
    form = kind.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    if not form:
        try:
            value = load_json(body)
        except _BadTextError as error:
            return refuse_text(str(error)), None
        except ValueError:
            if kind.partition(";")[0].strip().lower().endswith("json"):
                return Refusal(
                    422, "input.broken_json", "It is not JSON.", how_to_fix="Send JSON."
                ), None
        else:
            return check_json(value), value
    return check_form(body), None


def load_json(raw: bytes | str) -> Any:
    """Decode JSON strictly: UTF-8, finite numbers, limited depth.

    Raises:
        ValueError: it is not such JSON.
    """
    if isinstance(raw, bytes):
        try:
            raw = raw.decode()
        except UnicodeDecodeError:
            raise _BadTextError("bytes that are not UTF-8") from None
    try:
        return json.loads(raw, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("too deep") from None


def _no_number(_name: str) -> NoReturn:
    raise ValueError("not a finite number")


def check_form(body: bytes) -> Refusal | None:
    """What is wrong with the text of a form; None: nothing."""
    pairs = body.split(b"&")
    if len(pairs) > MOST_FIELDS:
        return Refusal(422, "input.too_large", f"It has more than {MOST_FIELDS} fields.")
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        place = safe_field(name.decode("latin-1"))
        for raw in (name, value):
            try:
                why = text.find_flaw(decode_percent(raw, plus=True), lines=True)
            except _BadTextError as error:
                why = str(error)
            if why is not None:
                return refuse_text(why, place)
    return None


def check_json(value: Any) -> Refusal | None:
    """What is wrong with the texts in a JSON value, keys too; None: nothing."""
    for place, one in _texts(value):
        why = text.find_flaw(one, lines=True)
        if why is not None:
            return refuse_text(why, safe_field(place))
    return None


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Each text, with the first key on the path to it."""
    waiting = [("", value)]
    while waiting:
        place, one = waiting.pop()
        if isinstance(one, str):
            yield place, one
        elif isinstance(one, dict):
            waiting += [("", name) for name in one]
            waiting += [(place or name, inner) for name, inner in one.items()]
        elif isinstance(one, list):
            waiting += [(place, inner) for inner in one]


class CheckedBodies:
    """ASGI middleware: reads a body completely and passes it on if nothing is wrong with it.

    It runs after the limits of size (:mod:`vigil.web.gate`) and after authentication, so that no
    body of an unknown visitor is held in memory.

    Args:
        prefix: the paths that it checks.
        checks: path → a further check of the body's JSON.
    """

    def __init__(self, app: ASGIApp, prefix: str, checks: Mapping[str, Check]):
        self._app, self._prefix, self._checks = app, prefix, checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        check = self._checks.get(scope.get("path", "")) if scope.get("method") == "POST" else None
        below = scope.get("path", "").startswith(self._prefix)
        if not below or not (check or has_body(headers)):
            return await self._app(scope, receive, send)
        body = await read_body(receive)
        if body is None:
            return None
        refusal, value = check_content(body, headers.get("content-type", ""))
        if refusal is None and check is not None:
            refusal = check(value)
        if refusal is not None:
            return await respond(scope, refusal)(scope, receive, send)
        return await self._app(scope, replay_body(body, receive), send)


def has_body(headers: Headers) -> bool:
    """Whether the headers announce a body."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def read_body(receive: Receive) -> bytes | None:
    """The whole body, or None if the sender disconnected."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def replay_body(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that returns the body once more, then what follows it."""
    return partial(_next, [{"type": "http.request", "body": body, "more_body": False}], receive)


async def _next(first: list[Message], receive: Receive) -> Message:
    return first.pop() if first else await receive()
