"""The broker with the topic filled, and the database, for the length of a block."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

import psycopg

from benchmarks.stream.content import uploads
from local import parts
from store.database.migrate import migrate
from tests.support.processes import open_folder, started
from vigil.contracts import topics, wire
from vigil.kafka.clients import Publisher
from vigil.kafka.provisioning import create_topics
from vigil.service.settings import Settings

PARTITIONS = 6
TOPIC = topics.READINGS.name
TEMPLATE = "template"
TEMPLATE_BEFORE = "template_before"


@contextmanager
def filled(kafka_home: Path, readings: int, per_upload: int) -> Iterator[tuple[str, int]]:
    """Apache Kafka with the readings on the topic: its address, and how many messages it holds."""
    with open_folder() as folder, started(parts.kafka(kafka_home, folder / "kafka")) as part:
        settings = Settings(kafka_bootstrap=part.address, partitions=PARTITIONS)
        create_topics(settings)
        publisher = Publisher(settings, "benchmark")
        source = (wire.to_message(upload, "ingest") for upload in uploads(readings, per_upload))
        messages = 0
        while chunk := list(islice(source, 5000)):
            messages += publisher.publish(chunk)
        publisher.close()
        yield part.address, messages


@contextmanager
def database(before: Path | None = None) -> Iterator[str]:
    """PostgreSQL that waits for its disk, with a migrated database; the server's address.

    Args:
        before: the checkout of an earlier build, which migrates a database of its own.
    """
    with open_folder() as folder, started(parts.postgres(folder / "data")) as part:
        _execute(part.address, f"CREATE DATABASE {TEMPLATE}")
        migrate(part.address.replace("/postgres", f"/{TEMPLATE}"))
        if before is not None:
            _execute(part.address, f"CREATE DATABASE {TEMPLATE_BEFORE}")
            _migrate_by(before, part.address.replace("/postgres", f"/{TEMPLATE_BEFORE}"))
        yield part.address


def _migrate_by(checkout: Path, url: str) -> None:
    command = (
        sys.executable,
        "-c",
        "import sys, store.database.migrate as m; m.migrate(sys.argv[1])",
        url,
    )
    subprocess.run(command, cwd=checkout, env=environment(checkout), check=True)


def environment(root: Path) -> dict[str, str]:
    """Where a process imports from: this checkout, whatever is installed."""
    return {**os.environ, "PYTHONPATH": str(root)}


@contextmanager
def fresh(server: str, template: str = TEMPLATE) -> Iterator[str]:
    """A copy of a migrated database for one run."""
    name = f"run_{secrets.token_hex(4)}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    try:
        yield server.replace("/postgres", f"/{name}")
    finally:
        _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def _execute(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())
