"""What an error of the database driver means, and what can be done about it.

By SQLSTATE (PostgreSQL's documentation, appendix A), which no language of the server changes.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

import psycopg

from vigil.service.errors import UnavailableError


class Trouble(NamedTuple):
    """A kind of trouble that waiting, and somebody's hands, can end."""

    code: str
    what: str
    how_to_fix: str


AWAY = Trouble(
    "unavailable.database",
    "The database does not answer",
    "Start it, or name another; `vigil doctor` tells what is reachable.",
)
RESTARTING = Trouble(
    "unavailable.database",
    "The database is starting or stopping",
    "Wait; where it stays so, its own log says why.",
)
NO_ENTRY = Trouble(
    "unavailable.database_access",
    "The database does not let Vigil in, or not at what it needs",
    "Check user, password and name in VIGIL_DATABASE_URL, pg_hba.conf, and what the role may do.",
)
CROWDED = Trouble(
    "unavailable.database_connections",
    "The database takes no more connections",
    "End what else is connected, or raise max_connections and restart it.",
)
SLOW = Trouble(
    "unavailable.database_slow",
    "The database was asked something and did not finish in time",
    "See pg_stat_activity for what holds it up, and whether its disk is busy.",
)
FULL = Trouble(
    "unavailable.database_full",
    "The database's disk is full",
    "Free space there, or make it larger; what arrives meanwhile waits on the topics.",
)
READ_ONLY = Trouble(
    "unavailable.database_read_only",
    "The database takes no writes",
    "Name the primary and not a standby, or end its read-only mode.",
)
OTHER_SCHEMA = Trouble(
    "unavailable.schema",
    "The database lacks what this version of Vigil expects",
    "Run `vigil migrate`, or wait where it is running.",
)
FAILING = Trouble(
    "unavailable.database",
    "The database could not do it",
    "It is tried again; the database's own log says more.",
)
LIBRARY = Trouble(
    "unavailable.timescaledb",
    "The server's TimescaleDB is not the one that the database's tables need",
    "Run `ALTER EXTENSION timescaledb UPDATE` as the first statement of a new session (psql -X).",
)
EDITION = LIBRARY._replace(
    how_to_fix=(
        "Set timescaledb.license to 'timescale' and reload: they were made with that edition."
    ),
)

_BY_STATE: MappingProxyType[str, Trouble] = MappingProxyType(
    {
        "53100": FULL,
        "53300": CROWDED,
        "25006": READ_ONLY,
        "57014": SLOW,  # statement_timeout
        "55P03": SLOW,  # lock_timeout
        "57P01": RESTARTING,
        "57P02": RESTARTING,
        "57P03": RESTARTING,
        "28000": NO_ENTRY,
        "28P01": NO_ENTRY,
        "3D000": NO_ENTRY,
        "42501": NO_ENTRY,
        "42P01": OTHER_SCHEMA,  # no such table
        "42703": OTHER_SCHEMA,  # no such column
        "42883": OTHER_SCHEMA,  # no such function
        "42P10": OTHER_SCHEMA,  # no such key for ON CONFLICT
        "0A000": EDITION,  # nothing of ours asks PostgreSQL for what it lacks
        "58P01": LIBRARY,  # no such file: only extensions' libraries are opened by name
    }
)
_BY_WORDS = (
    ("too many clients", CROWDED),
    ("connection slots are reserved", CROWDED),
    ("too many connections", CROWDED),
    ("password authentication failed", NO_ENTRY),
    ("no pg_hba.conf entry", NO_ENTRY),
    ("does not exist", NO_ENTRY),
    ("permission denied", NO_ENTRY),
    ("the database system is", RESTARTING),
    ("could not access file", LIBRARY),
)
"""Of a refused connection libpq passes on the server's words and no SQLSTATE. In a language other
than English they are said as they are, under ``unavailable.database``."""


_LIMIT = "54"
"""The class of SQLSTATE for what is too long or too deep (a key that no index takes). It is
operational by the driver's classes, but of one row: no waiting ends it."""


def read(error: Exception) -> UnavailableError | None:
    """The error to raise instead; None: it is no trouble of the database's, but a slip of ours, or
    a row's content."""
    state = getattr(error, "sqlstate", None)
    if state is not None and state.startswith(_LIMIT):
        return None
    if state is not None and state in _BY_STATE:
        return _told(_BY_STATE[state], error)
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    if state is not None:
        return _told(FAILING, error)
    words = str(error)
    return _told(next((trouble for part, trouble in _BY_WORDS if part in words), AWAY), error)


def unavailable(why: object) -> UnavailableError:
    """The error to raise when the database does not answer."""
    return _told(AWAY, why)


def _told(trouble: Trouble, why: object) -> UnavailableError:
    first = str(why).strip().splitlines()
    return UnavailableError(
        f"{trouble.what}: {first[0].rstrip('.') if first else type(why).__name__}.",
        code=trouble.code,
        field="VIGIL_DATABASE_URL",
        how_to_fix=trouble.how_to_fix,
    )
