"""Running everything here, from the command line: what ``vigil up`` and ``vigil demo`` share."""

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
from local.demo_remains import refuse_remains
from local.purpose import settle
from local.revival import wait_for_room
from local.runtime import Runtime, exclusive, kafka_home
from store.database.migrate import migrate
from vigil.kafka.provisioning import create_topics, find_differences
from vigil.service.settings import Settings


@contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C, SIGTERM or a closed terminal sets; asking twice changes nothing."""
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
    """The named folder, or one of the demo's own where Kafka keeps its log, or a passing one.

    Never the one that ``vigil up`` keeps its data in.
    """
    if named is not None:
        yield named
    elif kafka_home() is not None:
        yield Path(".vigil") / "demo"
    else:
        passing = Path(tempfile.mkdtemp(prefix="vigil-data-"))
        try:
            yield passing
        finally:
            shutil.rmtree(passing, ignore_errors=True)


def prepare(settings: Settings) -> None:
    """Schema and topics: what every start makes sure of. Safe to repeat."""

    migrate(settings.database())
    create_topics(settings)
    for found in find_differences(settings):
        say(f"{found.topic} {found.what}. {found.how_to_fix}")


def prepare_real(settings: Settings) -> None:
    """The same, where nothing of a demonstration may be left."""

    prepare(settings)
    refuse_remains(settings)


def say(line: str) -> None:
    """One line to the person at the terminal, or to a file, whose disk may be full."""
    with suppress(OSError):
        typer.echo(line)


def run(
    settings: Settings,
    data: Path | None,
    prepare_all: Callable[[Settings], None],
    when_up: Callable[[Settings, threading.Event], None],
) -> None:
    """Start everything, call ``when_up`` once it is ready, and stop on a signal."""
    with stop_on_signal() as stop, data_folder(data) as folder:
        wait_for_room(folder, say, stop)
        if stop.is_set():
            return
        with exclusive(folder):  # first: nobody marks a folder that another one works in
            settle(folder, demo=settings.demo)
            runtime = Runtime(folder, settings, kafka_home(), say)
            with running.announced(runtime.settings):
                runtime.run(prepare_all, stop, lambda: when_up(runtime.settings, stop))
    say("stopped; nothing is left running")
