"""Errors of the devices' API as problem details (RFC 9457, ``application/problem+json``).

Beside the standard's members a problem has ``code``, ``field`` and ``how_to_fix``. For one release
it also has the member ``error`` of the releases before, and ``error`` has ``mend``, the name that
``how_to_fix`` had in them.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from fastapi.responses import Response
from msgspec import Struct

from vigil.service.errors import CODES, VigilError

CONTENT_TYPE = "application/problem+json"
TYPES = "https://vigil.invalid/problems/"
"""Before the code, in ``type``: an identifier that names no address (RFC 9457 §3.1.1)."""


class Fault(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What is wrong, where, and what to do about it."""

    code: str
    """Stable: programs may act on it."""
    message: str
    how_to_fix: str
    mend: str
    """The same as ``how_to_fix``; deprecated, for one release."""
    field: str | None = None
    """Path of the field at fault, e.g. ``readings[3].values.systolic``."""


class Problem(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The body of an answer whose status is 400 or above."""

    type: str
    """Identifies the kind of problem: ``https://vigil.invalid/problems/`` and the code."""
    title: str
    """What the code means; the same for every problem of the code."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong with this request."""
    code: str
    """Stable: programs may act on it."""
    how_to_fix: str
    field: str | None = None
    """Path of the field at fault, e.g. ``readings[3].values.systolic``."""
    error: Fault
    """The same in the form of earlier releases; deprecated, for one release."""


def fault_of(error: VigilError) -> Fault:
    """An error as the sender reads it."""
    return Fault(
        code=error.code,
        message=error.message,
        how_to_fix=error.how_to_fix,
        mend=error.how_to_fix,
        field=error.field or None,
    )


def problem_of(status: int, fault: Fault) -> Problem:
    """The body of the answer with this status.

    Args:
        fault: its ``code`` is one of :data:`vigil.service.errors.CODES`.
    """
    return Problem(
        type=TYPES + fault.code,
        title=CODES[fault.code],
        status=status,
        detail=fault.message,
        code=fault.code,
        how_to_fix=fault.how_to_fix,
        field=fault.field,
        error=fault,
    )


def response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """The answer with this body."""
    body = msgspec.json.encode(problem)
    return Response(body, problem.status, headers=headers, media_type=CONTENT_TYPE)
