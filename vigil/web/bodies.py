"""What stands in a body: text that every later stage can store, in a form that is read one way."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers

from vigil.values import text
from vigil.web.refusal import Refusal, answer, named

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_FIELDS = 200
_BAD_PERCENT = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_TAKEN_CHARSETS = frozenset({"", "utf-8", "utf8", "us-ascii"})
Check = Callable[[Any], Refusal | None]


class _BadTextError(ValueError):
    """What is wrong with a text."""


def unusable(why: str, field: str = "body") -> Refusal:
    """The refusal of a text."""
    return Refusal(
        422, "input.bad_text", f"It contains {why}.", field, how_to_fix="Remove it and send again."
    )


def decoded(raw: bytes, *, plus: bool = False) -> str:
    """Percent-encoded UTF-8, decoded without mercy.

    Args:
        plus: a ``+`` is a space, as in a query and a form.

    Raises:
        ValueError: what is wrong, repeating nothing of it.
    """
    if _BAD_PERCENT.search(raw):
        raise _BadTextError("a % that no two hexadecimal digits follow")
    try:
        return unquote_to_bytes(raw.replace(b"+", b" ") if plus else raw).decode()
    except UnicodeDecodeError:
        raise _BadTextError("bytes that are not UTF-8") from None


def address(scope: Scope) -> Refusal | None:
    """What is wrong with the text of a request's path or query; None: nothing."""
    raw_path = scope.get("raw_path") or scope["path"].encode("utf-8", "surrogatepass")
    for raw, plus, place in (
        (raw_path, False, "path"),
        (scope.get("query_string", b""), True, "query"),
    ):
        try:
            why = text.flaw(decoded(raw, plus=plus))
        except _BadTextError as error:
            why = str(error)
        if why is not None:
            return unusable(why, place)
    return None


def envelope(headers: Headers) -> Refusal | None:
    """What is wrong with the form that a body says it has; None: nothing."""
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


def content(body: bytes, kind: str) -> tuple[Refusal | None, Any]:
    """What is wrong with a body (None: nothing), and what its JSON says.

    Args:
        kind: its content type. A body that claims to be no form is read as JSON where it is some,
            because that is how a route may read it whatever it is called.
    """
    form = kind.partition(";")[0].strip().lower() == "application/x-www-form-urlencoded"
    if not form:
        try:
            value = loaded(body)
        except _BadTextError as error:
            return unusable(str(error)), None
        except ValueError:
            if kind.partition(";")[0].strip().lower().endswith("json"):
                return Refusal(
                    422, "input.broken_json", "It is not JSON.", how_to_fix="Send JSON."
                ), None
        else:
            return in_json(value), value
    return in_form(body), None


def loaded(raw: bytes | str) -> Any:
    """JSON of UTF-8 in the strict form: finite numbers, and not too deep.

    Raises:
        ValueError: it is none.
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


def in_form(body: bytes) -> Refusal | None:
    """What is wrong with the text of a form; None: nothing."""
    pairs = body.split(b"&")
    if len(pairs) > MOST_FIELDS:
        return Refusal(422, "input.too_large", f"It has more than {MOST_FIELDS} fields.")
    for pair in pairs:
        name, _, value = pair.partition(b"=")
        place = named(name.decode("latin-1"))
        for raw in (name, value):
            try:
                why = text.flaw(decoded(raw, plus=True), lines=True)
            except _BadTextError as error:
                why = str(error)
            if why is not None:
                return unusable(why, place)
    return None


def in_json(value: Any) -> Refusal | None:
    """What is wrong with the texts in a JSON value, keys too; None: nothing."""
    for place, one in _texts(value):
        why = text.flaw(one, lines=True)
        if why is not None:
            return unusable(why, named(place))
    return None


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Each text, with the first name on the way to it."""
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
    """ASGI middleware: reads a body whole and passes it on once nothing is wrong with it.

    It stands behind whatever bounds a body's size (:mod:`vigil.web.gate`) and lets strangers in or
    not: nobody's body is kept who may not send one.
    """

    def __init__(self, app: ASGIApp, prefix: str, checks: Mapping[str, Check]):
        """``checks`` says, by path, what more a body's JSON must be."""
        self._app, self._prefix, self._checks = app, prefix, checks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or refuse."""
        headers = Headers(scope=scope) if scope["type"] == "http" else Headers()
        check = self._checks.get(scope.get("path", "")) if scope.get("method") == "POST" else None
        below = scope.get("path", "").startswith(self._prefix)
        if not below or not (check or has_body(headers)):
            return await self._app(scope, receive, send)
        body = await whole(receive)
        if body is None:
            return None
        refusal, value = content(body, headers.get("content-type", ""))
        if refusal is None and check is not None:
            refusal = check(value)
        if refusal is not None:
            return await answer(scope, refusal)(scope, receive, send)
        return await self._app(scope, again(body, receive), send)


def has_body(headers: Headers) -> bool:
    """Whether a request says that a body follows."""
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def whole(receive: Receive) -> bytes | None:
    """The body, or None where its sender has gone."""
    parts = []
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def again(body: bytes, receive: Receive) -> Receive:
    """A ``receive`` that gives the body once more, and then what comes after it."""
    return partial(_next, [{"type": "http.request", "body": body, "more_body": False}], receive)


async def _next(first: list[Message], receive: Receive) -> Message:
    return first.pop() if first else await receive()
