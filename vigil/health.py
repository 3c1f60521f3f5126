"""How a process is doing: what supervisors, orchestrators and dashboards ask.

``/health/live`` says that the process turns (503 once its loop has stood still for minutes),
``/health/ready`` that it can do its work now (503 if not), ``/metrics`` gives its counters in the
Prometheus text form. No figure is about a patient.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from vigil.clock import Clock, utc_now
from vigil.errors import SettingsError
from vigil.ids import timestamp

STALLED_SECONDS = 180.0
"""A loop that has turned, and then not for so long, is taken to be stuck. Longer than any wait."""

ADVISORY = frozenset({"clock"})
"""Parts whose trouble is somebody else's: said wherever troubles are, and work goes on."""


class Health:
    """One process's state; written by its loop, read by the server thread."""

    def __init__(self, service: str, clock: Clock = utc_now):
        self.service = service
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._gauges: dict[str, float] = {}
        self._trouble: dict[str, str] = {"start": "starting"}
        self._since: dict[str, datetime] = {"start": clock()}
        self._clock = clock
        self._beat: float | None = None

    def beat(self) -> None:
        """The loop turned once more."""
        self._beat = time.monotonic()

    def seconds_since_beat(self) -> float:
        """How long ago the loop turned; 0 before its first turn."""
        return 0.0 if self._beat is None else time.monotonic() - self._beat

    def alive(self) -> bool:
        """Whether the loop turns."""
        return self.seconds_since_beat() < STALLED_SECONDS

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter, e.g. ``readings_stored``."""
        with self._lock:
            self._counters[name] += by

    def gauge(self, name: str, value: float) -> None:
        """Set a figure that goes up and down, e.g. ``lag_messages``."""
        with self._lock:
            self._gauges[name] = value

    def trouble(self, part: str, what: str | None) -> None:
        """Say what keeps ``part`` from working; None: it works."""
        with self._lock:
            if what is None:
                self._trouble.pop(part, None)
                self._since.pop(part, None)
            else:
                self._trouble[part] = what
                self._since.setdefault(part, self._clock())

    def ready(self) -> bool:
        """Whether nothing is in trouble that keeps it from its work."""
        return self._trouble.keys() <= ADVISORY

    def report(self) -> dict[str, object]:
        """Everything, as ``/health/ready`` answers it."""
        with self._lock:
            return {
                "service": self.service,
                "status": "ready" if self.ready() else "not ready",
                "trouble": dict(self._trouble),
                "since": {part: timestamp(moment) for part, moment in self._since.items()},
                "seconds_since_beat": round(self.seconds_since_beat(), 1),
                "counters": dict(self._counters),
                "gauges": dict(self._gauges),
            }

    def figures(self) -> tuple[dict[str, str], dict[str, int], dict[str, float]]:
        """Troubles, counters and gauges as they are now."""
        with self._lock:
            return dict(self._trouble), dict(self._counters), dict(self._gauges)

    def since(self) -> dict[str, datetime]:
        """Part → since when it has been in trouble."""
        with self._lock:
            return dict(self._since)

    def metrics(self) -> str:
        """The Prometheus text form."""
        with self._lock:
            rows = [
                *((f"vigil_{n}_total", "counter", v) for n, v in sorted(self._counters.items())),
                *((f"vigil_{n}", "gauge", v) for n, v in sorted(self._gauges.items())),
                ("vigil_ready", "gauge", int(self.ready())),
                ("vigil_seconds_since_beat", "gauge", round(self.seconds_since_beat(), 1)),
            ]
        return "".join(
            f'# TYPE {name} {kind}\n{name}{{service="{self.service}"}} {value}\n'
            for name, kind, value in rows
        )


def serve(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Answer health questions on a thread of its own until ``shutdown()`` and ``server_close()``.

    Raises:
        SettingsError: the port is taken, or not ours to take.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path:
                case "/health/live":
                    alive = health.alive()
                    answer = {"service": health.service, "status": "live" if alive else "stuck"}
                    self._answer(200 if alive else 503, json.dumps(answer))
                case "/health/ready":
                    status = 200 if health.ready() else 503
                    self._answer(status, json.dumps(health.report()))
                case "/metrics":
                    self._answer(200, health.metrics(), "text/plain; version=0.0.4")
                case _:
                    self._answer(404, json.dumps({"error": "not found"}))

        def _answer(self, status: int, body: str, kind: str = "application/json") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body.encode())))
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (theirs)
            """Health questions are not worth a line."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise SettingsError(
            f"Port {port} of {host} cannot be listened on: {error.strerror}.",
            code="settings.invalid",
            field="VIGIL_HEALTH_PORT",
            mend="Name a free one, or 0 for none.",
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
