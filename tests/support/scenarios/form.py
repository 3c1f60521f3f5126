"""The form of a scenario file: what is sent, how it arrives, and what must come of it.

A file is TOML. ``README.md`` beside the library describes it; an unknown key is refused.
"""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec import Struct, convert

from vigil.values import timestamps

LIBRARY = Path(__file__).parents[2] / "unit" / "detectors" / "scenarios"
COLUMNS = "patient_id,time,heart_rate,systolic,diastolic"
_NO_TIME = datetime.min.replace(tzinfo=UTC)
_UNITS = {"s": 1, "min": 60, "h": 3600, "d": 86400}
_REPEATED = re.compile(r"(?P<start>\S+) for (?P<span>.+) every (?P<every>.+)")


class Delivery(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Readings, and how they arrive."""

    readings: str
    columns: str = COLUMNS
    upload: int = 1
    """Rows an upload; 0: all in one."""
    order: str = "oldest first"
    """Or ``newest first``, ``shuffled``, ``as written``."""
    received: str = "1 s"
    """How long after its newest row an upload is received; or the time of the first one, and then
    one a second."""
    copies: int = 1
    """How often each upload is sent, a second after each other."""
    sent: str = ""
    """How long after its newest row the sender says, by its own clock, that it sent it."""


class Withdrawn(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Readings that a person withdraws."""

    at: str
    first: str
    last: str
    """The first and the last that is withdrawn."""
    reason: str = "wrong_patient"


class Scenario(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A scenario file."""

    title: str
    reason: str
    """Why this, in one sentence."""
    announced: str
    """A line a step: time, kind, step, priority, and what else must be so."""
    readings: str = ""
    columns: str = COLUMNS
    upload: int = 1
    order: str = "oldest first"
    received: str = "1 s"
    copies: int = 1
    sent: str = ""
    then: tuple[Delivery, ...] = ()
    """Further deliveries."""
    door: str = "device"
    """Or ``file``: a CSV file that is replayed."""
    profile: str = ""
    age_band: str = ""
    configuration: dict[str, Any] = {}
    """Of this patient, over the defaults."""
    besides: tuple[str, ...] = ()
    """Kinds that this scenario is not about."""
    watched: str = "2 h"
    """How long time goes on after the last reading."""
    published: str = ""
    """When everything is put on the topics, if not at once."""
    acknowledged: tuple[str, ...] = ()
    """When staff acknowledge what is open."""
    withdrawn: Withdrawn | None = None
    assigned: str = ""
    """When the device was given to its wearer."""
    taken: int | None = None
    """How many rows are taken; any, unless stated."""
    refused: dict[str, int] = {}
    """Code → how many rows or values are refused. Nothing else may be."""
    words: tuple[str, ...] = ()
    """What the English texts of the alerts hold."""
    not_words: tuple[str, ...] = ()
    """What no text holds."""
    fault: str = ""
    """A known fault of Vigil, by which this scenario fails."""
    name: str = ""
    """Folder and file; filled in."""

    def deliveries(self) -> tuple[Delivery, ...]:
        """All of them; the first stands at the top of the file."""
        names = Delivery.__struct_fields__
        return (Delivery(**{name: getattr(self, name) for name in names}), *self.then)

    def tables(self) -> dict[str, Any]:
        """The detection configuration of its patient."""
        named = {"profile": self.profile, "age_band": self.age_band}
        return {**{key: name for key, name in named.items() if name}, **self.configuration}


class Row(Struct, frozen=True):
    """A row of a recording, as text."""

    time: datetime
    """Of one whose time cannot be read: that of the row before."""
    cells: tuple[str, ...]
    """In the order of the columns."""


def load(path: Path) -> Scenario:
    """Read a scenario file."""
    found = tomllib.loads(path.read_text(encoding="utf-8"))
    return convert({**found, "name": f"{path.parent.name}/{path.stem}"}, Scenario)


def library() -> list[Scenario]:
    """All scenarios, in order of their names."""
    return [load(path) for path in sorted(LIBRARY.glob("*/*.toml"))]


def duration(words: str) -> timedelta:
    """``90 s``, ``5 min``, ``2 h``, ``3 d``, or several of them.

    >>> duration("1 h 30 min")
    datetime.timedelta(seconds=5400)
    """
    parts = words.split()
    pairs = zip(parts[::2], parts[1::2], strict=True)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in pairs))


def rows(delivery: Delivery) -> list[Row]:
    """The rows of a delivery, repeated lines written out."""
    found: list[Row] = []
    columns = delivery.columns.split(",")
    for line in delivery.readings.strip().splitlines():
        if line.strip() and not line.startswith("#"):
            before = found[-1].time if found else _NO_TIME
            found += _rows_of(line, columns.index("time"), before)
    return found


def _rows_of(line: str, place: int, before: datetime) -> list[Row]:
    """``158~2`` varies by 2 about 158; ``60..100`` goes from 60 to 100."""
    cells = [cell.strip() for cell in line.split(",")]
    repeated = _REPEATED.fullmatch(cells[place])
    if repeated is None:
        try:
            time = timestamps.parse(cells[place])
        except timestamps.NotATimeError:
            time = before
        return [Row(time, tuple(cells))]
    start, every = timestamps.parse(repeated["start"]), duration(repeated["every"])
    count = max(1, round(duration(repeated["span"]) / every))
    made = []
    for i in range(count):
        time = start + i * every
        values = [_value(cell, i, count) for cell in cells]
        values[place] = time.isoformat()
        made.append(Row(time, tuple(values)))
    return made


def _value(cell: str, i: int, count: int) -> str:
    middle, varies, reach = cell.partition("~")
    if varies:
        n = int(reach)
        return f"{float(middle) + (i * (n + 1)) % (2 * n + 1) - n:g}"
    first, ramp, last = cell.partition("..")
    if ramp:
        return f"{float(first) + (float(last) - float(first)) * i / max(1, count - 1):.0f}"
    return cell
