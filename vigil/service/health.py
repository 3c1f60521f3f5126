"""How a process is doing: what supervisors, orchestrators and dashboards ask.

``/health/live`` answers whether the loop turns (503 once it has not for minutes),
``/health/ready`` whether the process can do its work now (503 if not), ``/metrics`` gives its
counters in the Prometheus text format (:mod:`vigil.service.metrics`). Nothing here is about a
patient.

A part reports its own troubles (:meth:`Health.trouble`). A part that hangs reports nothing: what
must be noticed then is *watched* (:meth:`Health.watch`), by a check that runs on the thread of
whoever asks for the health.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from vigil.domain.ids import timestamp
from vigil.service.errors import SettingsError
from vigil.service.metrics import CONTENT_TYPE, Metrics
from vigil.values.clock import Clock, utc_now

STALLED_SECONDS = 180.0
"""A loop that has turned, and then not for so long, counts as stuck. Longer than any wait."""

ADVISORY = frozenset({"clock", "directory_conflicts"})
"""Parts whose trouble has its cause elsewhere: it is reported, and the process stays ready."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What keeps a part from working."""

    what: str
    """An English sentence for the operator; nothing of any patient."""
    since: datetime | None = None
    """Since when; None: since it was seen first."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a check of something that is watched found."""

    troubles: Mapping[str, Trouble]
    """By part; empty: all is well."""
    gauges: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state of a process at one moment."""

    troubles: dict[str, str]
    since: dict[str, datetime]
    """Part → since when; the keys of ``troubles``."""
    counters: dict[str, int]
    gauges: dict[str, float]


def is_ready(troubles: Iterable[str]) -> bool:
    """Whether a process with troubles of these parts can do its work."""
    return ADVISORY.issuperset(troubles)


class Health:
    """One process's state; written by its loop and background threads, read by any thread.

    Args:
        service: the name of the service, such as ``store``.
        clock: the clock of ``since``.
    """

    def __init__(self, service: str, clock: Clock = utc_now):
        self.service = service
        self._lock = threading.Lock()
        self._metrics = Metrics(service)
        self._trouble: dict[str, str] = {"start": "starting"}
        self._since: dict[str, datetime] = {"start": clock()}
        self._watches: dict[str, Callable[[], Look]] = {}
        self._seen: dict[str, tuple[str, datetime]] = {}
        """Part → what the last check of the watches found, and since when."""
        self._clock = clock
        self._beat: float | None = None

    def beat(self) -> None:
        """Signal one more turn of the loop."""
        self._beat = time.monotonic()

    def seconds_since_beat(self) -> float:
        """How long ago the loop turned; 0 before its first turn."""
        return 0.0 if self._beat is None else time.monotonic() - self._beat

    def alive(self) -> bool:
        """Whether the loop turns."""
        return self.seconds_since_beat() < STALLED_SECONDS

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter, e.g. ``readings_stored``."""
        self._metrics.count(name, by)

    def declare(self, names: Iterable[str]) -> None:
        """Let counters that end in a reason code exist from now on, at 0."""
        self._metrics.declare(names)

    def gauge(self, name: str, value: float) -> None:
        """Set a value that goes up and down, e.g. ``lag_messages``."""
        self._metrics.gauge(name, value)

    def trouble(self, part: str, what: str | None) -> None:
        """Report what keeps ``part`` from working; None: it works."""
        with self._lock:
            if what is None:
                self._trouble.pop(part, None)
                self._since.pop(part, None)
            else:
                self._trouble[part] = what
                self._since.setdefault(part, self._clock())

    def waits_for(self) -> str:
        """The first trouble that reports something unavailable; empty: there is none."""
        with self._lock:
            waits = sorted(part for part in self._trouble if part.startswith("unavailable."))
            return self._trouble[waits[0]] if waits else ""

    def watch(self, name: str, look: Callable[[], Look] | None) -> None:
        """Check something whenever somebody asks for the health of the process.

        Args:
            name: what is watched; a later watch of that name replaces it.
            look: the check: quick, safe on any thread, never raises; its gauges join the others.
                None: the watch ends.
        """
        with self._lock:
            if look is None:
                self._watches.pop(name, None)
            else:
                self._watches[name] = look

    def snapshot(self) -> Snapshot:
        """Check everything that is watched and return the whole state as of one moment."""
        with self._lock:
            watches = list(self._watches.values())
        looks = [look() for look in watches]  # without the lock: a check may count or report
        with self._lock:
            seen, moment = self._seen, self._clock()
            self._seen = {
                part: (
                    trouble.what,
                    trouble.since or (seen[part][1] if part in seen else moment),
                )
                for look in looks
                for part, trouble in look.troubles.items()
            }
            for look in looks:
                for name, value in look.gauges.items():
                    self._metrics.gauge(name, value)
            troubles = {part: what for part, (what, _) in self._seen.items()} | self._trouble
            since = {part: since for part, (_, since) in self._seen.items()}
            for part, reported in self._since.items():
                since[part] = min(reported, since.get(part, reported))
            return Snapshot(
                troubles=troubles,
                since=since,
                counters=self._metrics.counters(),
                gauges=self._metrics.gauges(),
            )

    def ready(self) -> bool:
        """Whether no trouble keeps the process from its work."""
        return is_ready(self.snapshot().troubles)

    def report(self) -> dict[str, object]:
        """Everything, as ``/health/ready`` answers it."""
        found = self.snapshot()
        return {
            "service": self.service,
            "status": "ready" if is_ready(found.troubles) else "not ready",
            "trouble": found.troubles,
            "since": {part: timestamp(moment) for part, moment in found.since.items()},
            "seconds_since_beat": round(self.seconds_since_beat(), 1),
            "counters": found.counters,
            "gauges": found.gauges,
        }

    def metrics(self) -> str:
        """The Prometheus text format."""
        return self._metrics.text(
            ready=is_ready(self.snapshot().troubles), seconds_since_beat=self.seconds_since_beat()
        )


def serve(health: Health, host: str, port: int) -> ThreadingHTTPServer:
    """Answer health requests on a thread of its own until ``shutdown()`` and ``server_close()``.

    Raises:
        SettingsError: the port is taken, or this process may not listen on it.
    """
    try:
        server = ThreadingHTTPServer((host, port), partial(_Handler, health))
    except OSError as error:
        raise SettingsError(
            f"Port {port} of {host} cannot be listened on: {error.strerror}.",
            code="settings.invalid",
            field="VIGIL_HEALTH_PORT",
            how_to_fix="Name a free one, or 0 for none.",
        ) from error
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name="health", daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    """Answers one connection."""

    def __init__(self, health: Health, *connection: Any):
        self._health = health
        super().__init__(*connection)  # handles the request before it returns

    def do_GET(self) -> None:
        health = self._health
        match self.path:
            case "/health/live":
                alive = health.alive()
                answer = {"service": health.service, "status": "live" if alive else "stuck"}
                self._answer(200 if alive else 503, json.dumps(answer))
            case "/health/ready":
                report = health.report()
                self._answer(200 if report["status"] == "ready" else 503, json.dumps(report))
            case "/metrics":
                self._answer(200, health.metrics(), CONTENT_TYPE)
            case _:
                self._answer(404, json.dumps({"error": "not found"}))

    def _answer(self, status: int, body: str, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body.encode())))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, *_: object) -> None:
        """Health requests are not logged."""
