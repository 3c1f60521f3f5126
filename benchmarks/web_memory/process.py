"""The web process, which says what its memory holds: ``-m benchmarks.web_memory.process``."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import uvicorn

from cli.services import web_app
from dashboard.board import snapshot
from dashboard.service import build
from ingest.service import build as build_door
from tests.support.processes import end
from vigil.service import logs
from vigil.service.settings import Settings
from vigil.values.clock import utc_now
from vigil.web.server import options

SHOWN = 12
"""Lines of code that are named."""


class Counted:
    """What the process answers about its memory."""

    def __init__(self) -> None:
        self._before: tracemalloc.Snapshot | None = None

    def take(self, keep: bool) -> dict[str, Any]:
        """Objects by type after a collection; ``keep``: later ones are compared with this one."""
        gc.collect()
        types = Counter(type(each).__qualname__ for each in gc.get_objects())
        grown: list[str] = []
        if tracemalloc.is_tracing():
            now = tracemalloc.take_snapshot()
            if keep:
                self._before = now
            elif self._before is not None:
                grown = [str(one) for one in now.compare_to(self._before, "lineno")[:SHOWN]]
        return {"types": types, "blocks": sys.getallocatedblocks(), "grown": grown}


def serve(trace: bool) -> None:
    """The web process: settings by the environment, a line of standard input a question."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is logged is no answer
    if trace:
        tracemalloc.start(1)
    settings = Settings()
    logs.configure(settings, "web")
    snapshot.SPARKS_EVERY_SECONDS = 5.0
    board, ahead, counted = build(settings), [timedelta()], Counted()
    board.context.clock = lambda: utc_now() + ahead[0]
    server = uvicorn.Server(
        uvicorn.Config(web_app([build_door(settings), board], settings), **options(settings))
    )

    def listen() -> None:
        for line in sys.stdin:
            match line.split():
                case ["clock", seconds]:
                    ahead[0] = timedelta(seconds=float(seconds))
                case ["count", keep]:
                    print(json.dumps(counted.take(keep == "keep")), file=answers, flush=True)
        server.should_exit = True

    threading.Thread(target=listen, daemon=True).start()
    server.run()


@contextmanager
def web_process(settings: Settings, trace: bool) -> Iterator[subprocess.Popen[str]]:
    """The process above, listening; ended afterwards."""
    given = {
        "VIGIL_DEMO": "true",
        "VIGIL_DATABASE_URL": settings.database(),
        "VIGIL_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "VIGIL_HTTP_PORT": str(settings.http_port),
        "VIGIL_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "benchmarks.web_memory.process"]
    process = subprocess.Popen(
        [*command, *(["--trace"] if trace else [])],
        env=os.environ | given,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        end(process)  # type: ignore[arg-type]


def ask(process: subprocess.Popen[str], question: str, *, answer: bool = False) -> Any:
    """Send a line; read one, where there is an answer."""
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(question + "\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline()) if answer else None


if __name__ == "__main__":
    serve("--trace" in sys.argv)
