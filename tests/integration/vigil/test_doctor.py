"""``vigil doctor`` and ``vigil health``, where all is well and where it is not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cli.doctor import database as examining_database
from cli.doctor import examination as examining
from cli.doctor.database import database
from cli.main import app
from local.parts import HOST, free_port
from store.database import guard
from store.database.guard import Extension
from vigil.contracts.topics import TOPICS
from vigil.service.health import Health, serve
from vigil.service.settings import Settings
from vigil.web import web_push

ROOT = Path(__file__).parents[3]


def doctor() -> tuple[int, dict[str, Any]]:
    """The exit status, and the findings by part."""
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.output
    return result.exit_code, {found["part"]: found for found in json.loads(result.output)}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.kafka
@pytest.mark.xdist_group("doctor")
def test_all_is_well(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    own = settings.database_url.get_secret_value()
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("VIGIL_DATABASE_URL", own)
    monkeypatch.setenv("VIGIL_PUBLIC_URL", "https://vigil.example.org")
    monkeypatch.setenv("VIGIL_VAPID_PRIVATE_KEY", web_push.new_private_key())
    status, found = doctor()
    assert status == 0, [x for x in found.values() if x["state"] == "wrong"]
    for part in ("Python", "secrets", "broker", "topics", "database", "migrations", "Web Push"):
        assert found[part]["state"] == "ok", found[part]
    assert found["topics"]["what"] == f"all {len(TOPICS)}; readings on 3 partitions"
    assert found["on-call"]["state"] == "note"
    assert own not in json.dumps(found)
    readable = CliRunner().invoke(app, ["doctor"])
    assert readable.exit_code == 0
    assert "PostgreSQL 18" in readable.output


@pytest.mark.kafka
@pytest.mark.xdist_group("doctor")
def test_an_empty_database_and_lacking_topics_are_said(
    broker: str, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from vigil.contracts import topics

    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", broker)
    monkeypatch.setenv("VIGIL_DATABASE_URL", postgres_url)
    another = {**topics.TOPICS, "vitals.another": topics.Topic("vitals.another", (), "None.", 1)}
    monkeypatch.setattr(topics, "TOPICS", another)
    status, found = doctor()
    assert status == 1
    assert found["topics"]["what"] == "missing: vitals.another"
    assert found["topics"]["how_to_fix"] == "vigil topics --create"
    assert "0001_core" in found["migrations"]["what"]
    assert found["migrations"]["how_to_fix"] == "vigil migrate"


def test_nothing_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", f"{HOST}:{free_port()}")
    monkeypatch.setenv("VIGIL_DATABASE_URL", f"postgresql://u:own@{HOST}:{free_port()}/d")
    monkeypatch.setenv("VIGIL_PUBLIC_URL", "http://vigil.example.org")
    monkeypatch.setenv("VIGIL_LLM", "1")
    monkeypatch.setenv("VIGIL_MODEL_DIR", str(tmp_path))
    monkeypatch.setenv("VIGIL_VAPID_PRIVATE_KEY", "not a key")
    monkeypatch.setenv("KAFKA_HOME", str(tmp_path))
    status, found = doctor()
    assert status == 1
    for part in (
        "broker", "database", "public address", "language model", "Web Push", "KAFKA_HOME",
    ):  # fmt: skip
        assert found[part]["state"] == "wrong", found[part]
        assert found[part]["how_to_fix"], found[part]


def test_default_secrets_and_unreadable_settings_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", f"{HOST}:{free_port()}")
    status, found = doctor()
    assert (status, found["secrets"]["state"]) == (1, "wrong")
    monkeypatch.setenv("VIGIL_PARTITIONS", "many")
    status, found = doctor()
    assert status == 1
    assert found["settings"]["what"].startswith("VIGIL_PARTITIONS: ")


def test_the_version_of_java_is_read_from_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert examining.java_version() is None
    java = tmp_path / "java"
    java.touch(mode=0o755)
    for reported, version in (('openjdk version "17.0.15"', 17), ('java version "1.8.0_402"', 8)):
        java.write_text(f"#!/bin/sh\necho '{reported}' >&2\n")
        assert examining.java_version() == version


def test_health_asks_the_service() -> None:
    health = Health("store")
    server = serve(health, HOST, 0)
    ask = ["health", "--port", str(server.server_address[1])]
    try:
        assert CliRunner().invoke(app, ask).exit_code == 1
        health.trouble("start", None)
        result = CliRunner().invoke(app, ask)
        assert (result.exit_code, json.loads(result.output)["status"]) == (0, "ready")
    finally:
        server.shutdown()
        server.server_close()
    assert CliRunner().invoke(app, ask).exit_code == 1


def test_an_error_of_ours_is_one_line_and_no_traceback(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cli.main", "migrate"],
        capture_output=True, text=True, check=False, cwd=tmp_path,
        env={"VIGIL_PARTITIONS": "many", "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("vigil: VIGIL_PARTITIONS: ")
    assert "Traceback" not in done.stderr


def database_findings(url: str) -> list[tuple[str, str, str, str]]:
    """What is said of a database."""
    found = database(Settings(demo=True, database_url=url))
    return [(f.part, f.state, f.what, f.how_to_fix) for f in found]


def test_states_set_aside_are_counted(database_url: str) -> None:
    assert "states" not in {part for part, *_ in database_findings(database_url)}
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "INSERT INTO states_set_aside (worker_group, partition, patient_id, state, why)"
            " VALUES ('detectors', 0, 'ida', '\\x01', ''), ('detectors', 0, 'ida', '\\x02', '')"
        )
    *_, (part, state, what, how_to_fix) = database_findings(database_url)
    assert (part, state, what.split(" ")[:4]) == ("states", "note", ["2", "of", "1", "patients"])
    assert how_to_fix


@pytest.mark.parametrize(
    ("statement", "part", "reported"),
    [
        ("INSERT INTO _yoyo_migrations (migration_hash, migration_id) VALUES ('x', '9999_next')",
         "migrations", "9999_next"),
        ("UPDATE _yoyo_migrations SET migration_id = 'shop' || migration_id",
         "migrations", "another application"),
        ("DELETE FROM _yoyo_migrations", "database", "not Vigil's"),
        ("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = on',"
         " current_database()); END $$", "database", "is read-only"),
    ],
)  # fmt: skip
def test_a_database_that_is_not_as_it_must_be(
    database_url: str, statement: str, part: str, reported: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(statement)
    found = [f for f in database_findings(database_url) if f[1] == "wrong"]
    assert found[0][0] == part
    assert reported in found[0][2]
    assert found[0][3]


@pytest.mark.parametrize(
    ("found", "kept", "state", "reported"),
    [
        (Extension(None, None, None), "table", "note", "not in this database"),
        (Extension("2.29.2", "2.29.2", "timescale"), "hypertable", "ok", "2.29.2"),
        (Extension("2.29.2", "2.29.2", "timescale"), None, "ok", "2.29.2"),
        (Extension("2.29.2", "2.29.2", "timescale"), "table", "note", "plain table"),
        (Extension("2.29.2", "2.29.2", "apache"), "table", "note", "Apache edition"),
        (Extension("2.29.2", "2.29.2", "apache"), "hypertable", "wrong", "the other"),
        (Extension("2.28.0", "2.29.2", "timescale"), "hypertable", "note", "the server has 2.29.2"),
        (Extension("2.19.3", "2.29.2", "timescale"), "hypertable", "wrong", "2.20 or newer"),
    ],
)
def test_what_is_said_of_timescaledb(
    monkeypatch: pytest.MonkeyPatch, found: Extension, kept: str | None, state: str, reported: str
) -> None:
    monkeypatch.setattr(guard, "read_extension", lambda _connection: found)
    monkeypatch.setattr(examining_database, "_readings", lambda _connection: kept)
    (finding,) = examining_database._timescale(None)  # type: ignore[arg-type]
    assert (finding.part, finding.state) == ("TimescaleDB", state)
    assert reported in finding.what
