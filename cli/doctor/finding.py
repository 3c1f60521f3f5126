"""What ``vigil doctor`` found of one part."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from vigil.domain.ids import timestamp
from vigil.service.errors import VigilError

State = Literal["ok", "note", "wrong"]


class Finding(NamedTuple):
    """One thing that was looked at."""

    part: str
    state: State
    """``wrong``: Vigil cannot work like this. ``note``: something is off that it can do without."""
    what: str
    how_to_fix: str = ""


def ago(then: datetime, now: datetime) -> str:
    """A moment with its age, as it stands beside a finding.

    >>> from datetime import UTC, timedelta
    >>> noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    >>> ago(noon, noon + timedelta(seconds=95))
    '2026-11-21T12:00:00Z (2 min ago)'
    """
    seconds = max(0.0, (now - then).total_seconds())
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 1.5 * size:
            return f"{timestamp(then.replace(microsecond=0))} ({seconds / size:.0f} {unit} ago)"
    return f"{timestamp(then.replace(microsecond=0))} ({seconds:.0f} s ago)"


def wrong(part: str, error: VigilError) -> Finding:
    """What an error of ours says."""
    where = f"{error.field}: " if error.field else ""
    return Finding(part, "wrong", where + error.message, error.how_to_fix)
