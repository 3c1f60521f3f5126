"""A demonstration's data and a real system's stay apart, in a folder and in a database."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from cli.doctor.database import database
from dashboard.auth.passwords import hash_password
from local import command_line, demo_remains
from local.data_folder import MARK, claim_folder
from local.demo import Demo, Plan
from local.runtime import exclusive
from store.database.connections import connect
from store.people import patients, users
from tests.support.processes import open_folder
from tests.support.whole import VIGIL, whole
from vigil.service.errors import SettingsError, UnavailableError
from vigil.service.settings import Settings


def held(folder: Path) -> Path:
    """A folder in which PostgreSQL kept a database."""
    (folder / "postgres").mkdir(parents=True)
    (folder / "postgres" / "PG_VERSION").write_text("18\n")
    return folder


def test_up_refuses_a_demonstrations_folder_and_says_how_to_go_on(tmp_path: Path) -> None:
    claim_folder(tmp_path / "data", demo=True)
    held(tmp_path / "data")
    claim_folder(tmp_path / "data", demo=True)  # again, as often as wanted
    with pytest.raises(SettingsError) as raised:
        claim_folder(tmp_path / "data", demo=False)
    assert raised.value.code == "settings.demo_data"
    assert f"rm -r {tmp_path / 'data'}" in raised.value.how_to_fix


def test_a_demonstration_refuses_a_folder_that_up_kept(tmp_path: Path) -> None:
    folder = held(tmp_path / "data")
    claim_folder(folder, demo=False)
    with pytest.raises(SettingsError) as raised:
        claim_folder(folder, demo=True)
    assert raised.value.code == "settings.real_data"
    assert not (folder / MARK).exists()


def test_a_demonstration_refuses_the_folder_of_a_system_on_a_servers_database(
    tmp_path: Path,
) -> None:
    (tmp_path / "deadletters").mkdir()
    with pytest.raises(SettingsError):
        claim_folder(tmp_path, demo=True)
    assert not (tmp_path / MARK).exists()


def test_a_demonstration_does_not_mark_a_folder_in_which_another_vigil_begins(
    tmp_path: Path,
) -> None:
    with exclusive(tmp_path), pytest.raises(UnavailableError, match="Another Vigil runs"):
        command_line.run_locally(Settings(demo=True), tmp_path, lambda _: None, lambda *_: None)
    claim_folder(tmp_path, demo=False)
    assert not (tmp_path / MARK).exists()


def test_a_new_folder_is_anybodys(tmp_path: Path) -> None:
    claim_folder(tmp_path / "one", demo=True)
    claim_folder(tmp_path / "two", demo=False)
    assert (tmp_path / "one" / MARK).exists()
    assert not (tmp_path / "two").exists()


def test_the_demonstrations_own_folder_is_not_the_one_of_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KAFKA_HOME", "somewhere")
    with command_line.data_folder(None) as folder:
        assert folder != Path(".vigil")


def test_what_a_demonstration_left_in_a_database_is_refused_and_found(settings: Settings) -> None:
    demo_settings = settings.model_copy(update={"demo": True})
    Demo(Plan(patients=2, seed=7, speed=120)).prepare(demo_settings)
    with pytest.raises(SettingsError) as raised:
        command_line.prepare_real_system(settings)
    assert raised.value.code == "settings.demo_data"
    assert "user nurse, device demo-hub" in raised.value.message
    url = settings.database_url.get_secret_value()
    real = Settings(database_url=url, demo=False)
    assert "demonstration" in {finding.part for finding in database(real)}

    with connect(settings) as connection:
        users.disable(connection, demo_remains.USER)
        patients.revoke_device(connection, demo_remains.HUB)
    command_line.prepare_real_system(settings)
    assert "demonstration" not in {finding.part for finding in database(real)}


def test_a_user_of_the_same_name_with_a_password_of_their_own_is_nobody_of_ours(
    database_url: str,
) -> None:
    with connect(Settings(demo=True, database_url=database_url)) as connection:
        users.add(connection, demo_remains.USER, hash_password("a long sentence"), "care_team")
        assert demo_remains.find_demo_access(connection) == ()


def test_a_demonstration_refuses_a_database_with_real_people(database_url: str) -> None:
    settings = Settings(demo=True, database_url=database_url)
    demo_remains.refuse_real_data(settings)
    with connect(settings) as connection:
        patients.enrol(connection, patients.Patient("p1", "ward-1", "Avery Example"))
    with pytest.raises(SettingsError) as raised:
        Demo(Plan(2, 7, 120), own_database=False).prepare(settings)
    assert raised.value.code == "settings.real_data"
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        row = connection.execute("SELECT count(*) AS users FROM users").fetchone()
    assert row == {"users": 0}


def test_an_empty_database_is_anybodys(postgres_url: str) -> None:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute("CREATE DATABASE without_tables")
    try:
        url = postgres_url.replace("/postgres", "/without_tables")
        demo_remains.refuse_real_data(Settings(demo=True, database_url=url))
    finally:
        with psycopg.connect(postgres_url, autocommit=True) as connection:
            connection.execute("DROP DATABASE without_tables WITH (FORCE)")


@pytest.mark.kafka
def test_the_commands_refuse_before_anything_starts() -> None:
    with open_folder() as folder:
        with whole(folder, None, "demo", "--data", "kept", "--patients", "1"):
            pass
        before = set((folder / "kept").rglob("*"))
        done = subprocess.run(
            [*VIGIL, "up", "--data", "kept"], cwd=folder, capture_output=True, text=True,
            check=False, timeout=240, env=dict(os.environ),
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith("vigil: --data: kept holds a demonstration's data")
        assert "Traceback" not in done.stderr
        assert set((folder / "kept").rglob("*")) == before
        shutil.rmtree(folder / "kept")
