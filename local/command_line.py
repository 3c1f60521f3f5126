"""Runs everything on this machine from the command line: ``vigil up`` and ``vigil demo``."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import typer

from local import running
from local.data_folder import claim_folder
from local.demo_remains import refuse_demo_access
from local.restarter import wait_for_room
from local.runtime import Runtime, exclusive, kafka_home
from store.database.migrate import migrate
from vigil.kafka.provisioning import create_topics, find_differences
from vigil.service.settings import Settings


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C, SIGTERM or a closed terminal sets; repeats change nothing."""
    stop = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def data_folder(named: Path | None) -> Iterator[Path]:
    """Yield the data folder of a run.

    Without a name it is the demo's own where Apache Kafka is used, whose log is kept on disk, and a
    temporary one otherwise; never the one in which ``vigil up`` keeps its data.
    """
    if named is not None:
        yield named
    elif kafka_home() is not None:
        yield Path(".vigil") / "demo"
    else:
        temporary = Path(tempfile.mkdtemp(prefix="vigil-data-"))
        try:
            yield temporary
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def prepare_database_and_topics(settings: Settings) -> None:
    """Migrate the database and create missing topics, as at every start. Safe to repeat."""
    migrate(settings.database())
    create_topics(settings)
    for found in find_differences(settings):
        print_line(f"{found.topic} {found.what}. {found.how_to_fix}")


def prepare_real_system(settings: Settings) -> None:
    """Prepare database and topics, and refuse those in which a demonstration left access.

    Raises:
        SettingsError: the demonstration's administrator or hub is active there.
    """
    prepare_database_and_topics(settings)
    refuse_demo_access(settings)


def print_line(line: str) -> None:
    """Print a line to the terminal, or to a file whose disk may be full: then it is dropped."""
    with suppress(OSError):
        typer.echo(line)


def run_locally(
    settings: Settings,
    data: Path | None,
    prepare_all: Callable[[Settings], None],
    when_up: Callable[[Settings, threading.Event], None],
) -> None:
    """Start everything, and stop it on a signal.

    Args:
        data: the data folder; None: see :func:`data_folder`.
        prepare_all: called once broker and database answer; must be safe to repeat.
        when_up: called once every service is ready.
    """
    with stop_on_signal() as stop, data_folder(data) as folder:
        wait_for_room(folder, print_line, stop)
        if stop.is_set():
            return
        with exclusive(folder):  # first: a folder in use by another process is not marked
            claim_folder(folder, demo=settings.demo)
            runtime = Runtime(
                data=folder, settings=settings, kafka_home=kafka_home(), print_line=print_line
            )
            with running.published_addresses(runtime.settings):
                runtime.run(prepare_all, stop, lambda: when_up(runtime.settings, stop))
    print_line("stopped; nothing is left running")
