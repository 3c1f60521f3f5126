"""How a process is doing: what supervisors, orchestrators and dashboards ask.

``/health/live`` says that the process turns, ``/health/ready`` that it can do its work now (503 if
not), ``/metrics`` gives its counters in the Prometheus text form. No figure is about a patient.
"""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Health:
    """One process's state; written by its loop, read by the server thread."""

    def __init__(self, service: str):
        self.service = service
        self._lock = threading.Lock()
        self._counters: Counter[str] = Counter()
        self._gauges: dict[str, float] = {}
        self._trouble: dict[str, str] = {"start": "starting"}
        self._beat = time.monotonic()

    def beat(self) -> None:
        """The loop turned once more."""
        self._beat = time.monotonic()

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
            else:
                self._trouble[part] = what

    def ready(self) -> bool:
        """Whether nothing is in trouble."""
        return not self._trouble

    def report(self) -> dict[str, object]:
        """Everything, as ``/health/ready`` answers it."""
        with self._lock:
            return {
                "service": self.service,
                "status": "ready" if not self._trouble else "not ready",
                "trouble": dict(self._trouble),
                "seconds_since_beat": round(time.monotonic() - self._beat, 1),
                "counters": dict(self._counters),
                "gauges": dict(self._gauges),
            }

    def metrics(self) -> str:
        """The Prometheus text form."""
        with self._lock:
            rows = [
                *((f"vigil_{n}_total", "counter", v) for n, v in sorted(self._counters.items())),
                *((f"vigil_{n}", "gauge", v) for n, v in sorted(self._gauges.items())),
                ("vigil_ready", "gauge", float(not self._trouble)),
            ]
        return "".join(
            f'# TYPE {name} {kind}\n{name}{{service="{self.service}"}} {value:g}\n'
            for name, kind, value in rows
        )


def serve(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Answer health questions on a thread of its own until ``shutdown()``."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            match self.path:
                case "/health/live":
                    self._answer(200, json.dumps({"service": health.service, "status": "live"}))
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

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server
