"""The parts start, answer, keep what they promise to keep, and explain what is missing."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local import parts
from tests.support.processes import end, launch, open_folder, started, wait_ready
from vigil.kafka.provisioning import create_topics
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where PostgreSQL's own user may go."""
    with open_folder() as path:
        yield path


def test_a_free_port_is_none_that_the_system_gives_to_others() -> None:
    assert all(20_000 <= parts.free_port() < 32_768 for _ in range(100))


def test_a_free_port_is_looked_for_until_one_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((parts.HOST, parts.free_port())) as taken:
        port = taken.getsockname()[1]
        other = parts.free_port()
        draws = iter([port, port, other])
        monkeypatch.setattr("secrets.randbelow", lambda _: next(draws) - parts.LOWEST_PORT)
        assert parts.free_port() == other
        monkeypatch.setattr("secrets.randbelow", lambda _: port - parts.LOWEST_PORT)
        with pytest.raises(UnavailableError, match="No free TCP port"):
            parts.free_port()


def test_the_database_keeps_its_data_and_password_over_a_restart(folder: Path) -> None:
    data = folder / "pg"
    with (
        started(parts.postgres(data, durable=False)) as part,
        psycopg.connect(part.address, autocommit=True) as connection,
    ):
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    with (
        started(parts.postgres(data, durable=False)) as part,
        psycopg.connect(part.address) as connection,
    ):
        assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)


def test_the_database_refuses_a_wrong_password(folder: Path) -> None:
    with started(parts.postgres(folder / "pg", "right-one", durable=False)) as part:
        wrong = part.address.replace("right-one", "wrong")
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(wrong)


@pytest.mark.kafka
def test_a_broker_has_the_topics_once(broker: str) -> None:
    assert create_topics(Settings(kafka_bootstrap=broker)) == []


def test_the_broker_in_memory_names_each_log_anew() -> None:
    from vigil.kafka.clients import open_admin

    part, names = parts.tansu(), []
    for _ in range(2):
        process = launch(part)
        wait_ready(part, process)
        with open_admin(Settings(kafka_bootstrap=part.address)) as admin:
            names.append(admin.describe_cluster()["cluster_id"])
        end(process)
    assert names[0] != names[1]


def test_a_folder_without_kafka_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match=r"no libs/kafka_2\*\.jar.*KAFKA_HOME"):
        parts.kafka(tmp_path, tmp_path / "data")
