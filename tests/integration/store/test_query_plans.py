"""No named query reads all of a table that grows, on either database.

Every file in ``store/queries`` must have its parameters here. PostgreSQL has enough rows for its
planner to mean what it says, and is asked for the first plan of a prepared statement and for the
one that it keeps. TimescaleDB in WASM has few; there it is forbidden to read
tables whole, and what it still reads so has no index to use.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from benchmarks.board_load import Ward, load
from store.database.connections import Connection
from store.database.migrate import migrate
from store.episodes import board
from store.queries import query, query_names
from store.readings import trends
from tests.support import timescale

SMALL: Mapping[str, str] = {
    "patients": "a row a person enrolled",
    "latest": "a row a patient and signal",
    "devices": "a row a device",
    "phones": "a row a phone",
    "users": "a row a member of staff",
    "sessions": "swept when they end",
    "phrases": "kinds times locales times sentences",
    "service_status": "a row a process, for a week",
    "help_wanted": "who waits for an answer now",
    "readings_gone": "one row at most",
    "withdrawals": "a person withdraws readings now and then",
}
"""Tables that may be read whole, and why they stay small. Every other one grows."""

END = datetime(2026, 11, 21, 12, tzinfo=UTC)
PATIENT, EVENT = "p00007", "e-p00007-4"
WHO: Mapping[str, Any] = {"patient": PATIENT}
IDS: Mapping[str, Any] = {"ids": [EVENT, "e-p00007-6", "e-p00007-8"]}
FILTER = {"audience": "", "kind": "", "status": "", "text": "beat", "like": "%beat%"}


def during(span: timedelta, width: timedelta) -> dict[str, Any]:
    return {
        "patient": PATIENT, "start": END - span, "end": END, "width": width,
        "origin": trends.ORIGIN,
    }  # fmt: skip


DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
PATIENTS = ["p00001", "p00002", "p00003"]
SHIFT = {
    "patient": "", "ward": "Ward A", "start": END - 12 * HOUR, "end": END, "waiting": ["e1"],
}  # fmt: skip
CASES: Mapping[str, Mapping[str, Any]] = {
    "board/patients": {},
    "board/latest": {},
    "board/latest_of_patient": WHO,
    "board/episodes": {"latched": board.LATCHED_FOR},
    "board/episodes_of_patient": {**WHO, "since": END - 30 * DAY, "limit": board.AT_MOST},
    "board/sparks": {"patients": PATIENTS, "starts": [END - 6 * HOUR] * 3, "ends": [END] * 3},
    "board/sparks_newest": {"patients": PATIENTS, "since": END - HOUR, "until": END},
    "board/withdrawn_since": {"since": END - HOUR},
    "burden/wards": {"days": 7},
    "deliveries/newest": {"limit": 20},
    "deliveries/newest_of_episode": {"episode": EVENT, "limit": 20},
    "evidence/bases": IDS,
    "evidence/actions": IDS,
    "phones/answers": {**WHO, **IDS},
    "phones/messages": {**WHO, "rows": 400, "limit": 50},
    "phrases/current": IDS,
    "phrases/history": {"phrase": "phrase-7"},
    "phrases/kinds": {},
    "phrases/lines": IDS,
    "phrases/page": {**FILTER, "size": 20, "skip": 40},
    "phrases/totals": {},
    "phrases/count": FILTER,
    "readings/chosen": {
        **WHO,
        "keys": None,
        "device": None,
        "since": END - DAY,
        "until": END,
        "limit": 100,
    },
    "readings/newest": {**WHO, "device": None, "since": None, "until": None, "limit": 100},
    "readings/remaining": {
        **WHO,
        "signals": ["heart_rate"],
        "keys": [7],
        "since": END - DAY,
        "until": END,
        "limit": 100,
    },
    "readings/rested_on": {**WHO, "first": END - DAY, "last": END, "limit": 100},
    "readings/withdrawn": {**WHO, "keys": [7], "since": END - DAY, "until": END},
    "roster/devices": {},
    "roster/patients": {},
    "roster/users": {},
    "shift/calls": SHIFT,
    "shift/episodes": SHIFT,
    "shift/readings": SHIFT,
    "shift/readings_of_patient": {**SHIFT, **WHO},
    "status/newest": {"since": END},
    "steps/announced": {**WHO, "episode": EVENT},
    "trends/days": during(4 * 365 * DAY, DAY),
    "trends/days_together": during(20 * 365 * DAY, 4 * DAY),
    "trends/hours": during(30 * DAY, HOUR),
    "trends/hours_together": during(365 * DAY, 12 * HOUR),
    "trends/minutes": during(DAY, MINUTE),
    "trends/moments": during(6 * HOUR, MINUTE / 4),
    "trends/quarters": during(7 * DAY, 15 * MINUTE),
}
TYPES = {
    datetime: "timestamptz",
    timedelta: "interval",
    int: "int",
    float: "float8",
    list: "text[]",
}


class Planned(NamedTuple):
    """A database that is filled, and which of its indexes hold few rows only."""

    connection: Connection
    partial: frozenset[str]


def filled(connection: Connection, ward: Ward) -> Planned:
    load(connection, ward)
    connection.autocommit = True
    connection.execute(
        "INSERT INTO phrase_history SELECT 'phrase-' || n / 3, n % 3, md5(n::text), 'draft', now(),"
        " 'kim', repeat('word ', 20) FROM generate_series(1, 3000) n"
    )
    connection.execute(
        "INSERT INTO withdrawals SELECT 'w-' || n, 'p' || lpad((n % 200)::text, 5, '0'),"
        " 'wrong_patient', 'kim', now() - n * interval '1 hour', '', 20"
        " FROM generate_series(1, 1000) n"
    )
    connection.execute(
        "INSERT INTO withdrawn_readings (patient_id, time, reading_key, withdrawal_id)"
        " SELECT 'p' || lpad((n % 200)::text, 5, '0'), now() - n * interval '1 minute', n,"
        " 'w-' || (1 + n % 1000) FROM generate_series(1, 20000) n"
    )
    kept = connection.execute("SELECT relname FROM pg_class WHERE relname ~ '^readings_1.*_kept$'")
    for row in kept.fetchall():  # on PostgreSQL: the averages of readings that are gone
        connection.execute(
            f"INSERT INTO {row['relname']} (patient_id, bucket)"
            " SELECT 'p' || lpad(n::text, 5, '0'), timestamptz '2020-01-01Z' + d * interval '1 d'"
            " FROM generate_series(1, 200) n, generate_series(1, 60) d"
        )
    connection.execute("ANALYZE")
    found = connection.execute(
        "SELECT indexrelid::regclass::text AS name FROM pg_index WHERE indpred IS NOT NULL"
    )
    return Planned(connection, frozenset(row["name"] for row in found))


@pytest.fixture(scope="module")
def postgresql(postgres_url: str) -> Iterator[Planned]:
    """240,000 readings, 10,000 episodes."""
    name = f"plans_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name} TEMPLATE template")
        url = postgres_url.replace("/postgres", f"/{name}")
        with psycopg.connect(url, row_factory=dict_row) as connection:
            yield filled(connection, Ward(200, 100, 7200, END))
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def timescaledb(timescale_url: str) -> Iterator[Planned]:
    """Few patients' forty days, the older ones packed."""
    timescale.emptied(timescale_url)
    migrate(timescale_url)
    with psycopg.connect(timescale_url, row_factory=dict_row, prepare_threshold=None) as connection:
        planned = filled(connection, Ward(8, 40, 7200, datetime.now(UTC)))
        connection.execute("SET enable_seqscan = off")
        yield planned


def nodes(
    plan: Mapping[str, Any], limited: bool = False
) -> Iterator[tuple[Mapping[str, Any], bool]]:
    """Every node, and whether something above it takes a few of its rows and stops."""
    yield plan, limited
    for child in plan.get("Plans", ()):
        yield from nodes(child, limited or plan["Node Type"] == "Limit")


def read_whole(plan: Mapping[str, Any], partial: frozenset[str]) -> list[str]:
    """What the plan reads all of: a table in its order, or an index without a condition."""
    found = []
    for node, limited in nodes(plan):
        kind, relation = node["Node Type"], node.get("Relation Name", "")
        if relation in SMALL or node.get("Index Name") in partial:
            continue
        if kind in {"Seq Scan", "Sample Scan"}:
            found.append(f"{kind} of {relation}")
        elif "Index" in kind and "Index Cond" not in node and not limited:
            found += [f"{kind} of all of {node['Index Name']}"]
    return found


def explained(connection: Connection, name: str, *, times: int = 1) -> Mapping[str, Any]:
    """The plan of a prepared query, as it is when it is asked for so many times.

    From the sixth time on PostgreSQL may keep a plan that suits any values.
    """
    values, text = CASES[name], query(name).decode().replace("%%", "%")
    order = parameters(name)
    for number, parameter in enumerate(order, 1):
        text = text.replace(f"%({parameter})s", f"${number}")
    types = [TYPES.get(type(values[parameter]), "unknown") for parameter in order]
    declared = f"({', '.join(types)})" if types else ""
    given = sql.SQL(", ").join(sql.Literal(values[parameter]) for parameter in order)
    call = sql.SQL("asked ({})").format(given) if order else sql.SQL("asked")
    connection.execute(f"PREPARE asked {declared} AS {text}".encode())
    try:
        for _ in range(times):
            row = connection.execute(
                sql.SQL("EXPLAIN (FORMAT JSON) EXECUTE {}").format(call)
            ).fetchone()
    finally:
        connection.execute("DEALLOCATE asked")
    assert row is not None
    plan: Mapping[str, Any] = row["QUERY PLAN"][0]["Plan"]
    return plan


def parameters(name: str) -> list[str]:
    """What a query asks for, each once."""
    return list(dict.fromkeys(re.findall(r"%\((\w+)\)s", query(name).decode())))


def test_every_query_has_its_parameters_here() -> None:
    assert query_names() == sorted(CASES)
    for name in query_names():
        assert set(parameters(name)) <= CASES[name].keys(), name


def test_every_query_documents_its_result_and_its_indexes() -> None:
    for name in query_names():
        head = re.match(r"(--[^\n]*\n)+", query(name).decode())
        assert head is not None, name
        assert "-- Uses: " in head[0], name
        assert ("-- Parameters: " in head[0]) == (b"%(" in query(name)), name


@pytest.mark.parametrize("times", [1, 7], ids=["once", "often"])
@pytest.mark.parametrize("name", CASES)
@pytest.mark.xdist_group("plans")
def test_no_growing_table_is_read_whole(postgresql: Planned, name: str, times: int) -> None:
    plan = explained(postgresql.connection, name, times=times)
    assert read_whole(plan, postgresql.partial) == []


@pytest.mark.parametrize("name", CASES)
@pytest.mark.xdist_group("plans on timescaledb")
def test_on_timescaledb_an_index_serves(timescaledb: Planned, name: str) -> None:
    plan = explained(timescaledb.connection, name)
    assert read_whole(plan, timescaledb.partial) == []


@pytest.mark.xdist_group("plans")
def test_the_check_sees_what_is_read_whole(postgresql: Planned) -> None:
    for statement in (
        "SELECT count(*) FROM readings WHERE heart_rate > 100",
        "SELECT event_id FROM episodes ORDER BY event_id",
        "SELECT patient_id FROM events WHERE kind = 'no_data'",
    ):
        row = postgresql.connection.execute(f"EXPLAIN (FORMAT JSON) {statement}").fetchone()
        assert row is not None
        assert read_whole(row["QUERY PLAN"][0]["Plan"], postgresql.partial)
