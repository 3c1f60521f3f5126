"""Checks of time zones: the version of each part's table, and where they differ."""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from cli.doctor.finding import Finding
from vigil.service.errors import VigilError
from vigil.values import time_zones as table

if TYPE_CHECKING:
    from store.database.connections import Connection
    from vigil.service.settings import Settings

SYSTEM = Path("/usr/share/zoneinfo/tzdata.zi")
"""The operating system's table; its first line is ``# version 2026f``."""
MONTHS_BACK, MONTHS_AHEAD = 24, 18
"""The months in which offsets are compared, at one moment in each."""
NAMED = 5
UPDATE = "pip install --upgrade tzdata, and restart; PostgreSQL comes with its own or its system's."
_ASK = """
    SELECT z.name, array_agg(extract(epoch FROM
        (m.moment AT TIME ZONE z.name) - (m.moment AT TIME ZONE 'UTC'))::int ORDER BY m.moment
    ) AS offsets
    FROM pg_timezone_names z CROSS JOIN unnest(%s::timestamptz[]) m (moment)
    WHERE z.name = ANY (%s)
    GROUP BY z.name
"""


def zones(settings: Settings) -> Iterator[Finding]:
    """Check Python's table, the database's, and what the pages use."""
    from store.database.connections import connect, translated

    yield _python()
    try:
        with connect(settings, autocommit=True, any_schema=True) as connection, translated():
            yield from [*_database(connection)]
    except VigilError:
        pass  # reported by the database's own check
    what = f"{table.VERSION}: the server sends them the offsets"
    yield Finding("zones of pages", "ok", what)


def _python() -> Finding:
    if zoneinfo.TZPATH:
        what = f"read from {zoneinfo.TZPATH[0]}, not from the package tzdata {table.VERSION}"
        return Finding(
            "zones", "wrong", what, how_to_fix="Something set zoneinfo's path after the start."
        )
    own = f"{table.VERSION}, of the package tzdata"
    system = _system()
    other = f"; the system's {system} is not used" if system not in {"", table.VERSION} else ""
    return Finding("zones", "ok", own + other)


def _system() -> str:
    """The version of the operating system's table; empty: unknown."""
    try:
        with SYSTEM.open(encoding="ascii", errors="replace") as file:
            first = file.readline()
    except OSError:
        return ""
    return first.removeprefix("# version").strip() if first.startswith("# version") else ""


def _database(connection: Connection) -> Iterator[Finding]:
    row = connection.execute("SHOW timezone").fetchone()
    if row is None or row["TimeZone"] != "UTC":
        named = row["TimeZone"] if row else "none"
        what = f"sessions are in {named}"
        yield Finding(
            "zones of the database",
            "wrong",
            what,
            how_to_fix="Let `options` through to PostgreSQL.",
        )
        return
    names, moments = sorted(zoneinfo.available_timezones()), _moments()
    found = connection.execute(_ASK, (moments, names)).fetchall()
    theirs = {row["name"]: row["offsets"] for row in found}
    differing = differences(theirs, names, moments)
    if not differing:
        what = f"as {table.VERSION} in all {len(names)} zones; sessions are in UTC"
        yield Finding("zones of the database", "ok", what)
        return
    more = f" and {len(differing) - NAMED} more" if len(differing) > NAMED else ""
    what = (
        f"another table than {table.VERSION}: it differs in {len(differing)} of {len(names)} zones"
        f" ({', '.join(differing[:NAMED])}{more}). Vigil computes none there: sessions are in UTC"
    )
    yield Finding("zones of the database", "note", what, how_to_fix=UPDATE)


def differences(
    theirs: Mapping[str, list[int]], names: list[str], moments: list[datetime]
) -> list[str]:
    """The zones that are missing there or have other offsets at these moments."""
    return [name for name in names if theirs.get(name) != _ours(name, moments)]


def _ours(name: str, moments: list[datetime]) -> list[int]:
    zone = zoneinfo.ZoneInfo(name)
    found = (moment.astimezone(zone).utcoffset() for moment in moments)
    return [int((offset or timedelta()).total_seconds()) for offset in found]


def _moments() -> list[datetime]:
    now = datetime.now(UTC)
    first = now.year * 12 + now.month - 1 - MONTHS_BACK
    return [
        datetime(month // 12, month % 12 + 1, 15, tzinfo=UTC)
        for month in range(first, first + MONTHS_BACK + MONTHS_AHEAD)
    ]
