"""What ``vigil doctor`` found of one part."""

from __future__ import annotations

from typing import Literal, NamedTuple

from vigil.errors import VigilError

State = Literal["ok", "note", "wrong"]


class Finding(NamedTuple):
    """One thing that was looked at."""

    part: str
    state: State
    """``wrong``: Vigil cannot work like this. ``note``: something is off that it can do without."""
    what: str
    mend: str = ""


def wrong(part: str, error: VigilError) -> Finding:
    """What an error of ours says."""
    where = f"{error.field}: " if error.field else ""
    return Finding(part, "wrong", where + error.message, error.mend)
