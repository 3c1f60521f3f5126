"""One broken patient never breaks a page about others.

Rows of one patient are spoilt, each column of each table by what its type can hold and no page can
mean; then every named query, every page and everything that is drawn is asked for. Tables, columns,
queries and routes are found, not listed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
import psycopg
import pytest
from fastapi.routing import APIRoute
from psycopg import sql

from cli.services import web_app
from dashboard.live.views import Views
from dashboard.patient import chart, chart_theme, chart_words
from dashboard.patient.trend import SPANS
from dashboard.phone import view
from dashboard.service import build
from dashboard.shell.context import WebContext
from store.database import extreme_times
from store.database.connections import async_pool, connect, notify_board
from store.episodes import board as board_queries
from store.episodes import burden
from store.episodes.feed import BoardFeed
from store.people import phones
from store.queries import query, query_names
from store.readings import trends
from tests.integration.dashboard.conftest import Board
from tests.support.running import eventually
from tests.support.seed import steady
from tests.support.timeouts import TIMEOUT
from vigil.domain.episode import Event
from vigil.service import isolation
from vigil.service.settings import Settings

GOOD, BAD, DEVICE = "good", "bad", "poison-device"
POISON: Mapping[str, tuple[str, ...]] = {
    "double precision": ("'1e308'", "'-1e308'", "'NaN'", "'Infinity'", "'-Infinity'"),
    "timestamp with time zone": (
        "'infinity'", "'-infinity'", "'0001-01-01 00:00:00+00 BC'", "'9000-1-1Z'", "'20000-1-1Z'",
    ),
    "jsonb": (
        "'[]'", "'{}'", "'null'", "'7'", """'"x"'""", "'{\"value\": 1e308, \"limit\": 1e400}'",
        "'{\"care_team\": {\"en\": {\"title\": 7}}, \"patient\": {\"en\": {}}}'",
    ),
    "text": ("'strange'", "''", "repeat('x', 2000)"),
    "text[]": ("'{strange}'", "'{}'"),
    "integer": ("2147483647", "-1"),
}  # fmt: skip
"""Type → what is put into every column of it, as SQL."""
OF_A_PATIENT = "patient_id"
KEPT = {
    OF_A_PATIENT,
    "event_id",
    "alert_id",
    "action_id",
    "delivery_id",
    "reading_id",
    "device_id",
}
"""Columns by which a row is found as that patient's."""


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is there: a connection to it is waited for, however busy the machine is."""
    monkeypatch.setattr("dashboard.shell.context.UNAVAILABLE_TIMEOUT_SECONDS", TIMEOUT)


@pytest.fixture(scope="module")
def announced(board: Board) -> dict[str, Event]:
    """A good and a bad patient, with everything that a page shows of each."""
    found = {}
    with board.seed() as seed:
        for patient in (GOOD, BAD):
            seed.patient(patient, patient.title())
            seed.readings(patient, steady(72, Random(7)))  # noqa: S311
            event = seed.episode(patient, "heart_rate_high", onset=timedelta(minutes=40))
            seed.episode(patient, "no_data", onset=timedelta(minutes=90))
            seed.action(event, "comment", "kim", comment="seen")
            seed.action(event, "need_help", "patient")
            found[patient] = event
            seed.connection.execute(
                "INSERT INTO deliveries (delivery_id, alert_id, event_id, patient_id, sequence,"
                " channel, recipient, priority, state, next_try_at, reason, made_at, expires_at)"
                " VALUES (%s, 'a', %s, %s, 0, 'on_call', 'x', 'high', 'sent', now(), 'opened',"
                " now(), now())", (f"d-{patient}", event.episode_id, patient),
            )  # fmt: skip
        seed.connection.execute("CREATE SCHEMA aside")
        for table in tables(seed.connection):
            copy = sql.SQL("CREATE TABLE aside.{0} AS TABLE public.{0}")
            seed.connection.execute(copy.format(sql.Identifier(table)))
    return found


def tables(connection: Any) -> list[str]:
    """Those with a column of patients, and what processes say of themselves."""
    return [
        row["name"]
        for row in connection.execute(
            "SELECT c.relname::text AS name FROM pg_class c JOIN pg_attribute a"
            " ON a.attrelid = c.oid AND a.attname = 'patient_id' AND NOT a.attisdropped"
            " WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace"
            " AND c.relname NOT IN ('patients', 'devices', 'phones', 'enrolments',"
            " 'detector_states', 'states_set_aside', 'values_set_aside') ORDER BY 1"
        )
    ]


def spoil(board: Board, kind: str, poison: str) -> int:
    """Spoil the bad patient's rows; how many columns took it."""
    spoilt = 0
    with connect(board.settings) as connection:
        for table in tables(connection):
            columns = connection.execute(
                "SELECT attname::text AS name FROM pg_attribute WHERE attrelid = %s::regclass"
                " AND attnum > 0 AND NOT attisdropped AND format_type(atttypid, NULL) = %s",
                (f"public.{table}", kind),
            ).fetchall()
            for column in columns:
                if column["name"] in KEPT:
                    continue
                change = f'UPDATE {table} SET "{column["name"]}" = {poison} WHERE patient_id = %s'
                try:
                    with connection.transaction():
                        spoilt += connection.execute(change.encode(), (BAD,)).rowcount
                except psycopg.Error:
                    pass  # a constraint keeps it out
        notify_board(connection, "spoilt")
    return spoilt


def repair(board: Board) -> None:
    with connect(board.settings) as connection:
        names = [sql.Identifier("public", table) for table in tables(connection)]
        connection.execute(sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(names)))
        for table in tables(connection):
            name = sql.Identifier(table)
            connection.execute(sql.SQL("ALTER TABLE public.{} DISABLE TRIGGER USER").format(name))
            connection.execute(sql.SQL("INSERT INTO public.{0} TABLE aside.{0}").format(name))
            connection.execute(sql.SQL("ALTER TABLE public.{} ENABLE TRIGGER USER").format(name))
        notify_board(connection, "mended")


def pages(announced: Mapping[str, Event]) -> list[str]:
    """Every page's address, with what it is about filled in: both patients' in turn."""
    app = web_app([build(Settings(demo=True))], Settings(demo=True))
    found = []
    for route in app.routes:
        if not isinstance(route, APIRoute) or "GET" not in (route.methods or ()):
            continue
        if not route.path.startswith(("/board", "/phone")) or "/_dash" in route.path:
            continue
        for patient, event in announced.items():
            path = route.path.replace("{patient_id}", patient)
            path = path.replace("{episode_id}", event.episode_id)
            path = re.sub(r"\{[^}]*\}", "x", path)
            found += [path, f"{path}?patient={patient}", f"{path}?intent=why", f"{path}?hours=12"]
    return sorted(set(found))


def parameters(name: str, patient: str, event: Event) -> dict[str, Any]:
    """Something for each parameter of a named query."""
    now = datetime.now(UTC)
    known: dict[str, Any] = {
        "patient": patient, "episode": event.episode_id, "ids": [event.episode_id], "ward": "",
        "since": now - timedelta(days=30), "start": now - timedelta(hours=12),
        "end": now + timedelta(hours=1), "latched": board_queries.LATCHED_FOR, "limit": 50,
        "rows": 400, "patients": [patient], "starts": [now - timedelta(hours=6)],
        "ends": [now + timedelta(hours=1)], "days": burden.DAYS,
        "origin": trends.ORIGIN, "width": timedelta(minutes=15), "phrase": "x", "size": 20,
        "skip": 0, "audience": "", "kind": "", "status": "", "text": "", "like": "%",
        "until": now + timedelta(hours=1), "keys": None, "device": None,
        "first": now - timedelta(hours=12), "last": now, "signals": ["heart_rate"],
        "waiting": ["e1"],
    }  # fmt: skip
    wanted = set(re.findall(r"%\((\w+)\)s", query(name).decode()))
    assert wanted <= known.keys(), (name, wanted - known.keys())
    return {key: known[key] for key in wanted}


async def everything(settings: Settings, announced: Mapping[str, Event]) -> None:
    """Every named query, and everything that is drawn of it beside the pages."""
    async with async_pool(settings) as pool:
        context = WebContext(settings=settings, pool=pool, feed=BoardFeed(settings))
        views = Views(context)
        async with pool.connection() as connection:
            for patient, event in announced.items():
                for name in query_names():
                    async with connection.cursor() as cursor:
                        given = parameters(name, patient, event)
                        await extreme_times.fetch_all(cursor, query(name), given)
        content = await views.board("")
        rows = {piece.key: piece for piece in content.fragments}
        assert rows.keys() == {GOOD, BAD}
        assert "placeholder" not in rows[GOOD].css
        assert "Heart rate has" in (await views.patient(GOOD)).fragments[0].html
        for patient in announced:
            await views.patient(patient)
            for span in SPANS:
                trend = await views.trend(patient, span)
                look = chart_theme.theme_for("light", "UTC")
                figure = chart.build_figure(trend, look)
                assert patient == BAD or len(figure["layout"]["shapes"]) >= 4
                chart_words.describe_chart(trend)
            async with pool.connection() as connection:
                found = await phones.messages(connection, patient, 20)
                assert view.list_messages(found, [], "en") or patient == BAD


CASES = [(kind, poison) for kind, poisons in POISON.items() for poison in poisons]


@pytest.mark.parametrize(("kind", "poison"), CASES)
@pytest.mark.xdist_group("poisoned")
def test_one_broken_patient_breaks_no_page(
    board: Board, announced: dict[str, Event], kind: str, poison: str
) -> None:
    assert spoil(board, kind, poison)
    try:
        asyncio.run(everything(board.settings, announced))
        with board.sign_in("ada") as client:
            for path in pages(announced):
                answer: httpx.Response = client.get(path)
                assert answer.status_code < 500, (path, answer.status_code)
            assert ">Good</a>" in client.get("/board/").text
    finally:
        repair(board)


@pytest.mark.xdist_group("poisoned")
def test_what_cannot_be_shown_is_said_and_counted(
    board: Board, announced: dict[str, Event]
) -> None:
    before = sum(isolation.counts().values())
    spoil(board, "text", "'strange'")
    try:
        with board.sign_in("ada") as client:
            # The page is of the newest snapshot, which follows a notification of the database.
            eventually(lambda: "1 patient cannot be shown" in client.get("/board/").text)
            assert "Could not be shown" in client.get("/board/system").text
    finally:
        repair(board)
    assert sum(isolation.counts().values()) > before
