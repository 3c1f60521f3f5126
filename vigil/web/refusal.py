"""Responses that refuse a request, in the format asked for; they repeat nothing of what was sent.

A request can hold a password or data of a patient, and responses end up in logs, screenshots and
bug reports. So a refusal names a field of ours and a reason, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.datastructures import Headers

from vigil.web import problems

if TYPE_CHECKING:
    from starlette.types import Scope

DEVICES = "/v1"
FIELDS = frozenset(
    {
        "at",
        "auth",
        "back",
        "comment",
        "csrf",
        "endpoint",
        "episode_id",
        "event_id",
        "everything",
        "intent",
        "keys",
        "next",
        "nonce",
        "p256dh",
        "password",
        "phrase",
        "question",
        "reading",
        "reason",
        "revision",
        "shown",
        "text",
        "user",
        "verb",
        "action_id",
        "actor",
        "patient_id",
        "time",
        "until",
    }
)
"""Names that a refusal may repeat. No other name is: a password sent in the wrong place could be
one."""
_ELSEWHERE = "body"


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not accepted."""

    status: int
    code: str
    """Of :data:`vigil.service.errors.CODES`."""
    message: str
    field: str = _ELSEWHERE
    how_to_fix: str = ""
    retry_after: int = 0
    """Seconds; 0: a retry does not help."""

    def sentence(self) -> str:
        """The refusal as one sentence for a person."""
        where = f"{self.field}: " if self.field else ""
        return f"{where}{self.message} {self.how_to_fix}".strip()


def host_of(origin: str) -> str:
    """The host and port of an ``Origin``; empty where it names none.

    >>> host_of("https://vigil.example:8443"), host_of("null"), host_of("http://[")
    ('vigil.example:8443', '', '')
    """
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""


def safe_field(field: object) -> str:
    """The name of a field where it is one of ours, else ``body``."""
    return str(field) if field in FIELDS else _ELSEWHERE


def respond(scope: Scope, refusal: Refusal) -> Response:
    """The refusal as a response: a problem (RFC 9457) below ``/v1``, a page for a browser that
    accepts HTML, JSON otherwise.

    A part of the web process that has pages sets ``app.state.refusal_page``, which renders one.
    """
    path = scope.get("path", "")
    headers = {"Cache-Control": "no-store"}
    if refusal.retry_after:
        headers["Retry-After"] = str(refusal.retry_after)
    if refusal.status == 408:
        headers["Connection"] = "close"
    if path == DEVICES or path.startswith(DEVICES + "/"):
        fault = problems.Fault(
            code=refusal.code,
            message=refusal.message,
            how_to_fix=refusal.how_to_fix,
            mend=refusal.how_to_fix,
            field=refusal.field or None,
        )
        return problems.response(problems.problem_of(refusal.status, fault), headers)
    page = getattr(scope["app"].state, "refusal_page", None) if "app" in scope else None
    if page is not None and "text/html" in Headers(scope=scope).get("accept", ""):
        response: Response = page(Request(scope), refusal)
        response.headers.update(headers)
        return response
    return JSONResponse({"error": refusal.sentence()}, refusal.status, headers)


async def refuse_invalid(request: Request, error: Exception) -> Response:
    """FastAPI's handler for invalid parameters; its own would repeat what was sent."""
    assert isinstance(error, RequestValidationError)  # noqa: S101  (what it is registered for)
    return respond(request.scope, refusal_of(error.errors()))


def refusal_of(errors: Sequence[Mapping[str, Any]]) -> Refusal:
    """The first of pydantic's errors as a refusal."""
    first: Mapping[str, Any] = errors[0] if errors else {"type": "", "loc": ()}
    place = [part for part in first.get("loc", ())[1:] if isinstance(part, str)]
    field = safe_field(place[0] if place else "")
    return Refusal(422, "input.wrong_type", f"{_reason(first)}.", field=field)


def _reason(error: Mapping[str, Any]) -> str:
    context = error.get("ctx") or {}
    why: str = {
        "missing": "It is not given",
        "string_too_long": f"It is longer than {context.get('max_length')}",
        "too_long": f"It is longer than {context.get('max_length')}",
        "string_too_short": f"It is shorter than {context.get('min_length')}",
        "literal_error": f"It is not one of: {context.get('expected')}",
        "int_parsing": "It is not a whole number",
        "extra_forbidden": "It is a field that is not known here",
        "json_invalid": "It is not JSON",
        "value_error": str(context.get("error", "")),  # of vigil.values.text, which repeats nothing
    }.get(error["type"], "It does not have the form that is asked for")
    return why[:1].upper() + why[1:]
