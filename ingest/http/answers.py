"""What the gateway answers: a result for each reading, and problem details (RFC 9457)."""

from __future__ import annotations

from typing import Literal

import msgspec
from fastapi.responses import Response
from msgspec import Struct

from vigil.service.errors import AccessError, UnavailableError, VigilError
from vigil.web import problems
from vigil.web.problems import Fault, Problem, fault_of, problem_of

Status = Literal["accepted", "duplicate", "rejected"]

HTTP_STATUS = {
    "input.broken_json": 400,
    "access.no_key": 401,
    "access.wrong_key": 401,
    "access.before_assignment": 403,
    "access.not_your_patient": 403,
    "input.unknown_path": 404,
    "input.wrong_method": 405,
    "input.too_large": 413,
    "input.wrong_content_type": 415,
}
"""By error code; any other error about input is 422."""
RETRY_AFTER_SECONDS = 2
UNAVAILABLE = UnavailableError(
    "Readings cannot be taken now; nothing of this request counts as taken.",
    code="unavailable.broker",
    how_to_fix="Send the whole request again after Retry-After seconds.",
)
"""The answer to a sender, whichever part of ours is unavailable."""


class Result(Struct, frozen=True, omit_defaults=True):
    """What became of one reading."""

    index: int
    """Its place in the request, from 0."""
    status: Status
    reading_id: str | None = None
    """Absent where it was rejected."""
    error: Fault | None = None
    note: Fault | None = None
    """Why the values of an accepted reading are not judged: its contact flag cannot be read."""


class Answer(Struct, frozen=True, omit_defaults=True):
    """What became of a request's readings."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[Result]


class Rejected(Problem, frozen=True, kw_only=True):
    """The problem that none of a request's readings was accepted, with what became of each."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[Result]


def problem(error: VigilError) -> Response:
    """The response to a request that is refused as a whole."""
    headers = {}
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return problems.response(problem_of(503, fault_of(UNAVAILABLE)), headers)
    if isinstance(error, AccessError):
        headers["WWW-Authenticate"] = "Bearer"
    return problems.response(problem_of(HTTP_STATUS.get(error.code, 422), fault_of(error)), headers)


def answer(results: list[Result]) -> Response:
    """The response to a request whose readings were checked one by one."""
    counts = {"accepted": 0, "duplicate": 0, "rejected": 0}
    for result in results:
        counts[result.status] += 1
    body = Answer(
        accepted=counts["accepted"],
        duplicates=counts["duplicate"],
        rejected=counts["rejected"],
        results=results,
    )
    faults = [result.error for result in results if result.error is not None]
    if len(faults) < len(results):
        status = 207 if faults else 200
        return Response(
            msgspec.json.encode(body), status, headers=None, media_type="application/json"
        )
    foreign = all(HTTP_STATUS.get(fault.code) == 403 for fault in faults)
    return problems.response(rejected(403 if foreign else 422, faults[0], body))


def rejected(status: int, first: Fault, body: Answer) -> Rejected:
    """The problem of a request of which nothing was accepted: that of its first reading."""
    return Rejected(
        **msgspec.structs.asdict(problem_of(status, first)), **msgspec.structs.asdict(body)
    )
