"""A second terminal finds the running Vigil, and only a running one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from local import running
from vigil.service.settings import Settings


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_addresses_are_taken_over_while_it_runs() -> None:
    settings = Settings(kafka_bootstrap="127.0.0.1:7", demo=True)
    with running.published_addresses(settings):
        assert running.FILE.stat().st_mode & 0o077 == 0
        found: dict[str, str] = {}
        assert running.adopt_addresses(found)
    assert Settings(**{k.removeprefix("VIGIL_").lower(): v for k, v in found.items()}) == Settings(
        **{
            name: getattr(settings, name)
            for name in ("kafka_bootstrap", "database_url", "public_url", "http_port", "demo")
        }
    )
    assert not running.adopt_addresses({})


def test_an_environment_that_names_its_own_is_left_alone() -> None:
    with running.published_addresses(Settings()):
        named = {"VIGIL_KAFKA_BOOTSTRAP": "elsewhere:9092"}
        assert not running.adopt_addresses(named)
        assert named == {"VIGIL_KAFKA_BOOTSTRAP": "elsewhere:9092"}


def test_the_file_of_a_killed_process_is_not_believed() -> None:
    with running.published_addresses(Settings()):
        text = running.FILE.read_text().replace(f"PID={os.getpid()}", "PID=999999999")
        running.FILE.write_text(text)
        assert not running.adopt_addresses({})
