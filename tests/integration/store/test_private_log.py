"""No log contains a patient's id: writes that fail, with marked ids, and then a search."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from msgspec import structs
from psycopg import sql

from cli.doctor.database import database
from local import parts
from store.database import guard
from store.database.connections import Connection, connect
from store.database.migrate import migrate
from store.notifications import deliveries
from store.people import patients
from store.workers import checkpoints
from store.writing.writer import Writer
from tests.support import oracle
from tests.support.messages import NOON, action, alert, event, measurement, phrase, received, upload
from tests.support.processes import open_folder, started
from vigil.domain.reading import Measurement
from vigil.service import logs
from vigil.service.errors import InputError
from vigil.service.settings import Settings

MARK = "marked-patient-7f3a"


class Server(NamedTuple):
    """A server, its log, and what Vigil is to connect with."""

    settings: Settings
    log: Path
    private: bool
    """Whether it was configured as ours are."""


@pytest.fixture(params=["ours", "another's"], scope="module")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """PostgreSQL as the local runtime starts it; and one as it comes, which Vigil's role may not
    configure."""
    private = request.param == "ours"
    with open_folder() as folder:
        part = parts.postgres(folder / "data", durable=False)
        log = folder / "postgres.log"
        if not private:
            part = replace(part, command=as_it_comes(part.command))
        with started(part, log):
            url = part.address
            if not private:
                with psycopg.connect(url, autocommit=True) as admin:
                    admin.execute("CREATE ROLE plain LOGIN PASSWORD 'plain'")
                    admin.execute("GRANT pg_read_all_settings TO plain")  # migrations ask
                    admin.execute("CREATE DATABASE ward OWNER plain")
                where = url.rpartition("@")[2].replace("/postgres", "/ward")
                url = f"postgresql://plain:plain@{where}"
            migrate(url)
            yield Server(Settings(demo=True, database_url=url), log, private)


def as_it_comes(command: Sequence[str]) -> tuple[str, ...]:
    """Without what keeps ids out of the log."""
    kept: list[str] = []
    for word in command:
        if word in parts.PRIVATE_LOG:
            kept.pop()  # its -c
        else:
            kept.append(word)
    return tuple(kept)


def fail(connection: Connection) -> None:
    """Every write that can meet a key, a row or a text that the database refuses."""
    again = received(upload(measurement(0), measurement(1), patient=MARK))
    for _ in range(3):
        Writer(connection).write([again])
    nul = Measurement("a\x00b", NOON, {"heart_rate": 70.0})
    Writer(connection).write([
        received(upload(nul, patient=MARK), 1),
        received(event(MARK, evidence={"note": "a\x00b"}), 2),
        received(structs.replace(event(MARK), sequence=10**12), 3),
        received(alert(event(MARK), slots={"x": "\x00"}), 4),
        received(action(event(MARK), comment="\x00"), 5),
        received(phrase("\x00"), 6),
    ])  # fmt: skip
    place = checkpoints.GroupPartition("g", "t", 0)
    checkpoints.claim(connection, place, "log")
    for _ in range(2):
        patients.enrol(connection, patients.Patient(MARK, "w1"))
        with suppress(InputError):
            patients.add_device(connection, patients.Device(MARK, patient_id="nobody"))
        for anew in (False, True):
            with suppress(InputError):
                device = patients.Device(MARK, patient_id=MARK)
                patients.add_device(connection, device, replace=anew)
    assert deliveries.newest(connection) == []
    connection.commit()


def test_no_log_names_a_patient(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    reported = io.StringIO()
    monkeypatch.setattr(sys, "stderr", reported)
    logs.configure(server.settings, "test")
    with connect(server.settings) as connection:
        fail(connection)
        try:  # a slip of ours, logged as each is
            if server.private:
                slip = (
                    "INSERT INTO phones (phone_id, token_sha256, patient_id) VALUES ('x', 'x', %s)"
                )
                connection.execute(slip, (f"nobody-{MARK}",))
        except psycopg.Error:
            logs.get("test").exception("a slip")
    text = server.log.read_text()
    assert server.private == ("duplicate key value" in text)  # it did fail where it may
    assert oracle.named([MARK, "nobody-" + MARK], [server.log]) == {}
    assert MARK not in reported.getvalue()


def test_a_server_that_is_not_configured_quotes_what_vigil_does_not_ask(server: Server) -> None:
    """The guard of the test above: where a key fails there, the log has it."""
    if server.private:
        pytest.skip("this one does not")
    with psycopg.connect(server.settings.database()) as plain:
        for _ in range(2):
            with suppress(psycopg.errors.UniqueViolation), plain.transaction():
                plain.execute("INSERT INTO patients (patient_id, ward) VALUES ('seen-in-log', 'w')")
    assert oracle.named(["seen-in-log"], [server.log])


def test_doctor_reports_where_the_log_may_quote_rows(server: Server) -> None:
    reported = [finding for finding in database(server.settings) if finding.part == "database log"]
    assert len(reported) == (not server.private)


def test_a_role_that_was_granted_it_is_enough(server: Server) -> None:
    if server.private:
        pytest.skip("a superuser needs no grant")
    where = server.settings.database().rpartition("@")[2]
    password = (server.log.parent / "data.password").read_text()
    with psycopg.connect(f"postgresql://vigil:{password}@{where}", autocommit=True) as opened:
        grant = sql.SQL("{} SET ON PARAMETER log_error_verbosity {} plain")
        opened.execute(grant.format(sql.SQL("GRANT"), sql.SQL("TO")))
        try:
            with connect(server.settings) as connection:
                row = connection.execute("SHOW log_error_verbosity").fetchone()
                assert row == {"log_error_verbosity": guard.TERSE}
        finally:
            opened.execute(grant.format(sql.SQL("REVOKE"), sql.SQL("FROM")))
