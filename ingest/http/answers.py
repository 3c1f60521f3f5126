"""What the gateway answers: results for each reading, and errors in one shape."""

from __future__ import annotations

from typing import Literal

import msgspec
from fastapi.responses import Response
from msgspec import Struct

from vigil.service.errors import AccessError, UnavailableError, VigilError

Status = Literal["accepted", "duplicate", "rejected"]

HTTP_STATUS = {
    "input.broken_json": 400,
    "access.no_key": 401,
    "access.wrong_key": 401,
    "access.not_your_patient": 403,
    "input.unknown_path": 404,
    "input.wrong_method": 405,
    "input.too_large": 413,
    "input.wrong_content_type": 415,
}
"""By error code; any other error about input is 422."""
RETRY_AFTER_SECONDS = 2


class Fault(Struct, frozen=True, omit_defaults=True):
    """What is wrong, where, and how to mend it."""

    code: str
    """Stable: programs may act on it."""
    message: str
    how_to_fix: str
    field: str | None = None
    """Path of the field at fault, e.g. ``readings[3].values.systolic``."""


class Result(Struct, frozen=True, omit_defaults=True):
    """What became of one reading."""

    index: int
    """Its place in the request, from 0."""
    status: Status
    reading_id: str | None = None
    """Absent where it was rejected."""
    error: Fault | None = None


class Answer(Struct, frozen=True, omit_defaults=True):
    """What became of a request's readings."""

    accepted: int
    duplicates: int
    rejected: int
    results: list[Result]
    error: Fault | None = None
    """The first rejection, where nothing was accepted: every error is found in one place."""


class Problem(Struct, frozen=True):
    """The body of an answer that is an error."""

    error: Fault


def fault(error: VigilError) -> Fault:
    """An error as the sender reads it."""
    return Fault(error.code, error.message, error.how_to_fix, error.field)


def json(status: int, body: Struct, headers: dict[str, str] | None = None) -> Response:
    """A JSON response."""
    return Response(msgspec.json.encode(body), status, headers, "application/json")


def problem(error: VigilError) -> Response:
    """The response to a request that cannot be taken at all."""
    headers = {}
    if isinstance(error, UnavailableError):  # which part of ours is away is no sender's business
        error = UnavailableError(
            "Readings cannot be taken now; nothing of this request counts as taken.",
            code="unavailable.broker",
            how_to_fix="Send the whole request again after Retry-After seconds.",
        )
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
        return json(503, Problem(fault(error)), headers)
    if isinstance(error, AccessError):
        headers["WWW-Authenticate"] = "Bearer"
    return json(HTTP_STATUS.get(error.code, 422), Problem(fault(error)), headers)


def of_results(results: list[Result]) -> Response:
    """The response to a request whose readings were looked at one by one."""
    counts = {"accepted": 0, "duplicate": 0, "rejected": 0}
    for result in results:
        counts[result.status] += 1
    rejected = [result.error for result in results if result.error is not None]
    body = Answer(counts["accepted"], counts["duplicate"], counts["rejected"], results)
    if not rejected:
        return json(200, body)
    if len(rejected) < len(results):
        return json(207, body)
    foreign = all(error.code == "access.not_your_patient" for error in rejected)
    return json(403 if foreign else 422, msgspec.structs.replace(body, error=rejected[0]))
