"""What a stage offers the composition root: a worker on the stream, or a part of the web process.

A stage's package has one ``service.py`` with ``build(settings)`` that returns one of these; nothing
connects, loads or reads the environment before ``build`` is called.
"""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import TYPE_CHECKING, Protocol

from vigil.composition.status_reporter import StatusReporter
from vigil.service import health as health_module
from vigil.service import logs
from vigil.service.health import Health

if TYPE_CHECKING:
    from fastapi import FastAPI

    from vigil.service.settings import Settings

log = logs.get("service")

YOUNG_OBJECTS = 50_000
"""How many new objects start a garbage collection of the youngest generation. A batch, or an answer
of the board, allocates about that many and frees nearly all of them by reference counting: Python's
own threshold of 700 would collect in the middle of each."""


class Worker(Protocol):
    """A stage that runs as a process of its own (``detectors``, ``explain``, …)."""

    name: str

    def run(self, stop: threading.Event, health: Health) -> None:
        """Work until ``stop`` is set; return once everything received is done or given back."""


class WebPart(Protocol):
    """A stage that lives in the web process (``ingest``, ``dashboard``)."""

    name: str

    def install(self, api: FastAPI) -> None:
        """Add routes and error handlers. Called once, before the server starts."""

    def lifespan(self) -> AbstractAsyncContextManager[None]:
        """Entered when the server starts, left when it stops: connections live here."""

    def trouble(self) -> Mapping[str, str]:
        """What keeps it from working now, by part; empty when ready."""


def tune_garbage_collection() -> None:
    """Collect garbage rarely, and only among new objects: call it once a process has loaded its
    code."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS)


@contextmanager
def filling_memory() -> Iterator[None]:
    """While many long-lived objects are loaded: no garbage collection, and none of them later."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if searching:
            gc.enable()


def run_worker(worker: Worker, settings: Settings) -> None:
    """Run a worker until SIGTERM or Ctrl-C, with its health served where a port is set."""
    logs.configure(settings, worker.name)
    stop = threading.Event()
    health = Health(worker.name)

    def ask_to_stop(signum: int, _frame: object) -> None:
        log.info("stopping", signal=signal.Signals(signum).name)
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    signal.signal(signal.SIGINT, ask_to_stop)
    server = None
    if settings.health_port:
        server = health_module.serve(health, settings.http_host, settings.health_port)
    reporter = StatusReporter(settings, health)
    reporter.start()
    tune_garbage_collection()
    log.info("started")
    failure = ""
    try:
        worker.run(stop, health)
    except BaseException as error:
        failure = type(error).__name__
        raise
    finally:
        reporter.close(failure)
        if server is not None:
            server.shutdown()
            server.server_close()
        log.info("stopped")
