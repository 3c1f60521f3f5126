"""A finding of ``vigil doctor`` about one part."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from vigil.domain.ids import timestamp
from vigil.service.errors import VigilError

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check."""

    part: str
    state: State
    """``wrong``: Vigil cannot work like this. ``note``: it can, but see what was found."""
    what: str
    """What was found, as a phrase."""
    how_to_fix: str = ""
    """What the operator can do, or a command; empty where nothing is needed."""


def format_age(then: datetime, now: datetime) -> str:
    """Format a time with its age.

    >>> from datetime import UTC, timedelta
    >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> format_age(noon, noon + timedelta(seconds=95))
    '2026-11-21T12:00:00Z (2 min ago)'
    """
    seconds = max(0.0, (now - then).total_seconds())
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{timestamp(then.replace(microsecond=0))} ({seconds / size:.0f} {unit} ago)"
    return f"{timestamp(then.replace(microsecond=0))} ({seconds:.0f} s ago)"


def from_error(part: str, error: VigilError) -> Finding:
    """Make a finding of an error."""
    where = f"{error.field}: " if error.field else ""
    return Finding(part, "wrong", where + error.message, how_to_fix=error.how_to_fix)
