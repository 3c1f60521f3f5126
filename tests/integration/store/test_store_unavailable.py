"""A database that freezes or crashes under the store: the same batch again, and all is once."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from local import parts
from store.database.migrate import migrate
from store.database.timeouts import TimeoutConnection
from store.service import Store
from tests.support.messages import measurement, received, upload
from tests.support.processes import open_folder, started
from tests.support.running import eventually
from vigil.service.errors import UnavailableError
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Received

BATCHES = [
    [received(upload(*(measurement(100 * b + i) for i in range(20))), b)] * 2 for b in range(9)
]


@pytest.fixture(scope="module")
def server() -> Iterator[tuple[str, Path]]:
    """A PostgreSQL of these tests' own, and its data. It does not wait for the disk, and left to
    itself its last transactions would not outlive a crash."""
    with open_folder() as folder, started(parts.postgres(folder / "data", durable=False)) as part:
        migrate(part.address)
        yield part.address, folder / "data"


@pytest.fixture
def store(server: tuple[str, Path]) -> Iterator[Store]:
    """A store on empty tables that has written one batch."""
    url, _ = server
    with psycopg.connect(url) as connection:
        connection.execute("TRUNCATE readings, latest")
    made = Store(Settings(demo=True, database_url=url), Health("store"))
    assert not made.handle(BATCHES[0]).rejected
    yield made
    made.close()


def in_the_end(store: Store, batch: list[Received]) -> bool:
    """One try of a worker's."""
    try:
        return not store.handle(batch).rejected
    except UnavailableError:
        return False


def everything_once(server: tuple[str, Path], store: Store) -> None:
    with psycopg.connect(server[0]) as connection:
        count = connection.execute("SELECT count(*), count(DISTINCT time) FROM readings").fetchone()
    assert count == (20 * len(BATCHES), 20 * len(BATCHES))
    counters: Any = store._health.report()["counters"]
    assert counters["readings_stored"] <= 20 * len(BATCHES)


def processes(server: tuple[str, Path]) -> list[int]:
    """The server's, the postmaster first."""
    url, data = server
    with psycopg.connect(url) as connection:
        rows = connection.execute(
            "SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        ).fetchall()
    return [int((data / "postmaster.pid").read_text().split()[0]), *(pid for (pid,) in rows)]


def signalled(pids: list[int], by: signal.Signals) -> None:
    for pid in pids:
        os.kill(pid, by)


def backend(store: Store) -> int:
    assert store._connection is not None
    return store._connection.info.backend_pid


def freeze(server: tuple[str, Path], store: Store) -> Callable[[], None]:
    """The whole server, as with its virtual machine or its disk; returns what ends it."""
    del store
    pids = processes(server)
    signalled(pids, signal.SIGSTOP)
    return lambda: signalled(pids, signal.SIGCONT)


def freeze_session(server: tuple[str, Path], store: Store) -> Callable[[], None]:
    """The store's own session alone, with whatever it has locked."""
    del server
    pid = backend(store)
    signalled([pid], signal.SIGSTOP)
    return lambda: signalled([pid], signal.SIGCONT)


def kill(server: tuple[str, Path], store: Store) -> Callable[[], None]:
    """A crash: every session ends, and the server recovers from its log."""
    del server
    signalled([backend(store)], signal.SIGKILL)
    return lambda: None


@pytest.mark.parametrize("breaks", [freeze, freeze_session, kill])
def test_the_same_batch_again_and_all_is_there_once(
    server: tuple[str, Path], store: Store, breaks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(TimeoutConnection, "answer_seconds", 0.5)
        heal = breaks(server, store)
        try:
            with pytest.raises(UnavailableError) as raised:
                store.handle(BATCHES[1])
        finally:
            heal()
    assert raised.value.how_to_fix
    for batch in BATCHES[1:]:
        eventually(partial(in_the_end, store, batch))
    everything_once(server, store)
