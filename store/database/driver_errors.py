"""What an error of the database driver means, and how to fix it.

Errors are recognised by SQLSTATE (PostgreSQL's documentation, appendix A), which does not depend on
the server's language.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType

import psycopg

from vigil.service.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Problem:
    """A kind of problem that ends by waiting, or by an operator's action."""

    code: str
    what: str
    how_to_fix: str


UNREACHABLE = Problem(
    "unavailable.database",
    "The database does not answer",
    "Start it, or name another; `vigil doctor` shows what is reachable.",
)
RESTARTING = Problem(
    "unavailable.database",
    "The database is starting or stopping",
    "Wait; if it stays so, see its own log.",
)
ACCESS_DENIED = Problem(
    "unavailable.database_access",
    "The database does not let Vigil in, or not at what it needs",
    "Check user, password and name in VIGIL_DATABASE_URL, pg_hba.conf, and what the role may do.",
)
TOO_MANY_CONNECTIONS = Problem(
    "unavailable.database_connections",
    "The database takes no more connections",
    "End what else is connected, or raise max_connections and restart it.",
)
SLOW = Problem(
    "unavailable.database_slow",
    "The database did not finish a statement in time",
    "See pg_stat_activity for what blocks it, and whether its disk is busy.",
)
FULL = Problem(
    "unavailable.database_full",
    "The database's disk is full",
    "Free space there, or make it larger; new messages wait on the topics meanwhile.",
)
READ_ONLY = Problem(
    "unavailable.database_read_only",
    "The database takes no writes",
    "Name the primary and not a standby, or end its read-only mode.",
)
OTHER_SCHEMA = Problem(
    "unavailable.schema",
    "The database lacks what this version of Vigil expects",
    "Run `vigil migrate`, or wait where it is running.",
)
FAILING = Problem(
    "unavailable.database",
    "The database failed to run a statement",
    "It is retried; see the database's own log.",
)
LIBRARY = Problem(
    "unavailable.timescaledb",
    "The server's TimescaleDB is not the one that the database's tables need",
    "Run `ALTER EXTENSION timescaledb UPDATE` as the first statement of a new session (psql -X).",
)
EDITION = replace(
    LIBRARY,
    how_to_fix=(
        "Set timescaledb.license to 'timescale' and reload: they were made with that edition."
    ),
)

_BY_STATE: MappingProxyType[str, Problem] = MappingProxyType(
    {
        "53100": FULL,
        "53300": TOO_MANY_CONNECTIONS,
        "25006": READ_ONLY,
        "57014": SLOW,  # statement_timeout
        "55P03": SLOW,  # lock_timeout
        "57P01": RESTARTING,
        "57P02": RESTARTING,
        "57P03": RESTARTING,
        "28000": ACCESS_DENIED,
        "28P01": ACCESS_DENIED,
        "3D000": ACCESS_DENIED,
        "42501": ACCESS_DENIED,
        "42P01": OTHER_SCHEMA,  # no such table
        "42703": OTHER_SCHEMA,  # no such column
        "42883": OTHER_SCHEMA,  # no such function
        "42P10": OTHER_SCHEMA,  # no such key for ON CONFLICT
        "0A000": EDITION,  # nothing of ours asks PostgreSQL for what it lacks
        "58P01": LIBRARY,  # no such file: only extensions' libraries are opened by name
    }
)
_BY_MESSAGE = (
    ("too many clients", TOO_MANY_CONNECTIONS),
    ("connection slots are reserved", TOO_MANY_CONNECTIONS),
    ("too many connections", TOO_MANY_CONNECTIONS),
    ("password authentication failed", ACCESS_DENIED),
    ("no pg_hba.conf entry", ACCESS_DENIED),
    ("does not exist", ACCESS_DENIED),
    ("permission denied", ACCESS_DENIED),
    ("the database system is", RESTARTING),
    ("could not access file", LIBRARY),
)
"""For a refused connection libpq passes on the server's message without a SQLSTATE. A message in a
language other than English is reported as it is, with the code ``unavailable.database``."""

_LIMIT = "54"
"""The SQLSTATE class for values that are too long or too deep (a key that does not fit an index).
The driver classes it as operational, but it concerns one row: waiting does not end it."""


def translate_error(error: Exception) -> UnavailableError | None:
    """The error to raise instead; None: the cause is a bug of ours or the content of a row, not
    the state of the database."""
    state = getattr(error, "sqlstate", None)
    if state is not None and state.startswith(_LIMIT):
        return None
    if state is not None and state in _BY_STATE:
        return _error(_BY_STATE[state], error)
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    if state is not None:
        return _error(FAILING, error)
    message = str(error)
    found = (problem for part, problem in _BY_MESSAGE if part in message)
    return _error(next(found, UNREACHABLE), error)


def unreachable_error(why: object) -> UnavailableError:
    """The error to raise when the database does not answer."""
    return _error(UNREACHABLE, why)


def _error(problem: Problem, why: object) -> UnavailableError:
    first = str(why).strip().splitlines()
    return UnavailableError(
        f"{problem.what}: {first[0].rstrip('.') if first else type(why).__name__}.",
        code=problem.code,
        field="VIGIL_DATABASE_URL",
        how_to_fix=problem.how_to_fix,
    )
