"""Runs workers and web parts inside a test, on real threads and a real port."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import uvicorn

from cli.services import web_app
from local.parts import HOST, free_port, listening
from tests.support.timeouts import TIMEOUT
from vigil.composition.stage import WebPart, Worker
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.web.server import options

T = TypeVar("T")
SHORTEST_PAUSE, LONGEST_PAUSE = 0.02, 0.2
"""Seconds between two questions of :func:`eventually`."""
PAUSE_SHARE = 0.05
"""Share of the time waited so far that the next pause takes in addition."""


def eventually(check: Callable[[], T], seconds: float = TIMEOUT) -> T:
    """Ask until the answer is truthy, and return it; fail with the last answer or error.

    What is not there yet, such as a counter of nothing so far, is asked for again, and less often
    the longer it takes: others need the processor to get there.

    Args:
        seconds: longer where more than one step is waited for; shorter only where a later answer
            would be another behaviour.
    """
    began = time.monotonic()
    deadline = began + seconds
    while True:
        try:
            answer = check()
            if answer:
                return answer
            problem = f"last answer: {answer!r}"
        except (AssertionError, LookupError) as error:
            problem = repr(error)
        now = time.monotonic()
        if now > deadline:
            raise AssertionError(f"not within {seconds} s; {problem}")
        time.sleep(min(SHORTEST_PAUSE + (now - began) * PAUSE_SHARE, LONGEST_PAUSE))


@contextmanager
def running(worker: Worker, settings: Settings) -> Iterator[Health]:
    """A worker in a thread, ready; stopped and joined at the end. Its errors are raised."""
    del settings  # the worker was built with them
    stop, health, failed = threading.Event(), Health(worker.name), []

    def work() -> None:
        try:
            worker.run(stop, health)
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=work, name=f"test-{worker.name}")
    thread.start()
    try:
        eventually(lambda: health.ready() or failed)
        yield health
    finally:
        stop.set()
        thread.join(TIMEOUT)
    if failed:
        raise failed[0]
    assert not thread.is_alive(), f"{worker.name} did not stop"


@contextmanager
def serving(parts: Sequence[WebPart], settings: Settings) -> Iterator[str]:
    """Web parts on a real port; yields the base URL.

    Where a test needs ``settings.public_url`` to be the address, it makes settings with a port of
    its own first (``settings.http_port`` is used when it is not the default).
    """
    port = settings.http_port if settings.http_port not in {0, 8000} else free_port()
    given = {**options(settings), "host": HOST, "port": port, "timeout_graceful_shutdown": 2}
    config = uvicorn.Config(web_app(parts, settings), **given)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="test-web")
    thread.start()
    try:
        eventually(lambda: server.started and listening(port))
        yield f"http://{HOST}:{port}"
    finally:
        server.should_exit = True
        thread.join(TIMEOUT)
