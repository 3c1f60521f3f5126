"""Which services work, which do not, and since when, by the statuses of their workers.

Judged from ``vitals.status`` alone, so that a database or a ``store`` worker that is down hides
nothing. A worker reports its status every
:data:`vigil.composition.status_reporter.EVERY_SECONDS` and at once when it changes; a process that
was killed reports nothing more, and is noticed by its silence.

Silence counts only while the log is read to its end. A broker, or a web process, that stalls is
therefore never taken for four workers that died.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from vigil.domain.status import Status
from vigil.service.health import ADVISORY

SERVICES = ("detectors", "explain", "notify", "store")
"""The services that people depend on, the most important first."""
SILENT_SECONDS = 4.5
"""A process without a status for so long is taken to have died: two statuses in a row and half an
interval are missing. Including the delay of the page's stream, every open board shows a kill within
five seconds of the last status."""
UNANSWERED_SECONDS = 4.5
"""The same for answers of the broker, which is asked every second."""
LATE_SECONDS = 60.0
"""A longer lag is shown. The shortest persistence delay of a limit is of this size; with a longer
lag "no alert" may be wrong."""
SETTLE_SECONDS = 2.0
"""A shorter trouble is not shown: a retry that succeeded."""
REBALANCE_SECONDS = 10.0
"""How long partitions may have no worker before it is shown: after a kill the consumer group waits
for the session timeout (6 s) and reassigns them, and the workers measure what they own."""
STEP_SECONDS = 1.5
"""The longest interval between two checks of the log that counts. After a longer one, processes
that ran before it get the whole :data:`SILENT_SECONDS` again, since a broker that stalled delayed
their statuses."""
FORGOTTEN_AFTER = timedelta(days=1)
MANY = 64
"""With more processes than this, those without a status for :data:`FORGOTTEN_AFTER` are removed."""

REBALANCING = "partitions"
"""The trouble of a worker whose partitions are being reassigned
(:mod:`vigil.streaming.assignment`)."""
HARMLESS: Mapping[str, frozenset[str]] = {
    "store": frozenset(
        {"retention", "directory", "beside.retention", "beside.directory", "beside.phrases"}
    ),
    "explain": frozenset({"phrases", "beside.phrases", "beside.rewording"}),
}
"""Service → troubles that do not stop its work: readings are kept longer, a new enrolment
waits, alerts are worded from the reviewed tables."""

PARTIAL = frozenset({"stuck", "transaction", "stranger"})
"""Troubles that may concern some partitions only (:mod:`vigil.liveness.progress`,
`vigil.liveness.group_watch`)."""

StateKind = Literal["checking", "down", "part", "late"]


@dataclass(frozen=True, slots=True)
class ServiceState:
    """A service that does not do all its work."""

    service: str
    kind: StateKind
    """``checking``: not known yet; ``down``: nothing is done; ``part``: for some patients nothing
    is done; ``late``: done, but late."""
    since: datetime | None = None
    """None: since before the first status that is known."""
    minutes: int = 0
    """The lag, where ``late``."""


@dataclass(frozen=True, slots=True)
class Overview:
    """The services that do not work now; empty: all work."""

    states: tuple[ServiceState, ...] = ()
    unanswered: bool = False
    """The broker does not answer, so that nothing is known."""
    since: datetime | None = None
    """Since when it does not answer."""

    def state_of(self, service: str) -> ServiceState | None:
        """The state of a service that does not work; None: it works."""
        return next((state for state in self.states if state.service == service), None)

    @property
    def judged(self) -> bool:
        """Whether "no active alert" is known to be true: detection runs, and events are stored."""
        return not self.unanswered and not (self.state_of("detectors") or self.state_of("store"))


@dataclass(frozen=True, slots=True)
class WorkerProcess:
    """A worker's process and its last status."""

    status: Status
    last_seen: float
    """Seconds on the clock that runs only while the log is read to its end."""
    last_seen_at: datetime


@dataclass(frozen=True, slots=True)
class ObservedProcess:
    """A process, and whether it runs."""

    process: WorkerProcess
    running: bool


class WorkerStates:
    """Remembers statuses. Thread-safe: one thread records, another asks.

    Args:
        now: the time of the monotonic clock, seconds.
        at: the time of the wall clock.
    """

    def __init__(self, now: float, at: datetime):
        self._lock = threading.Lock()
        self._processes: dict[str, WorkerProcess] = {}
        self._last_healthy: dict[str, datetime] = {}
        self._ongoing: dict[str, ServiceState] = {}
        self._unowned_since: dict[str, tuple[float, datetime]] = {}
        self._partitions: Mapping[str, int] = {}
        self._read_clock = 0.0
        self._read_began: float | None = None
        self._confirmed, self._confirmed_at = now, at

    def record_status(self, status: Status, at: datetime, ago: float = 0.0) -> None:
        """Record a status.

        Args:
            at: when it was received.
            ago: how many seconds ago that was, where it is read late.
        """
        with self._lock:
            known, seen = self._processes.get(status.instance), self._read_clock - ago
            if known is not None and known.last_seen > seen:
                return
            self._processes[status.instance] = WorkerProcess(status, seen, at)
            if not _troubles(status):
                self._last_healthy[status.service] = max(
                    at, self._last_healthy.get(status.service, at)
                )
            if len(self._processes) > MANY:
                self._forget(at)

    def _forget(self, at: datetime) -> None:
        for instance, process in list(self._processes.items()):
            if at - process.last_seen_at > FORGOTTEN_AFTER:
                del self._processes[instance]

    def confirm_read(self, now: float, at: datetime) -> None:
        """Record that the broker answered and that the log was read to its end."""
        with self._lock:
            stalled = now - self._confirmed > STEP_SECONDS
            running = [process for process in self._processes.values() if self._runs(process)]
            self._read_clock += min(now - self._confirmed, STEP_SECONDS)
            self._read_began = self._read_clock if self._read_began is None else self._read_began
            for process in running if stalled else ():
                self._processes[process.status.instance] = replace(
                    process, last_seen=self._read_clock
                )
            self._confirmed, self._confirmed_at = now, at

    def expect_partitions(self, partitions: Mapping[str, int]) -> None:
        """Set how many partitions the workers of each service own together."""
        with self._lock:
            self._partitions = dict(partitions)

    def processes(self) -> list[ObservedProcess]:
        """Every process by service, the newest status first."""
        with self._lock:
            found = sorted(self._processes.values(), key=lambda p: (p.status.service, -p.last_seen))
            return [ObservedProcess(process, self._runs(process)) for process in found]

    def _runs(self, process: WorkerProcess) -> bool:
        return not process.status.ended and self._read_clock - process.last_seen < SILENT_SECONDS

    def overview(self, now: float, at: datetime) -> Overview:
        """The services that do not work now.

        Args:
            now: the time of the monotonic clock, seconds.
            at: the time of the wall clock.
        """
        with self._lock:
            if now - self._confirmed >= UNANSWERED_SECONDS:
                return Overview((), unanswered=True, since=self._confirmed_at)
            running: dict[str, list[WorkerProcess]] = defaultdict(list)
            for process in self._processes.values():
                if self._runs(process):
                    running[process.status.service].append(process)
            states = (self._continued_state(service, running[service], at) for service in SERVICES)
            return Overview(tuple(state for state in states if state))

    def _continued_state(
        self, service: str, running: list[WorkerProcess], at: datetime
    ) -> ServiceState | None:
        """The state of a service; one that continues through a restart keeps its beginning."""
        before, state = self._ongoing.get(service), self._state(service, running, at)
        if state is None or state.kind not in {"down", "part"}:
            self._ongoing.pop(service, None)
            return state
        if before is not None and (before.kind, state.kind) != ("part", "down"):
            state = replace(state, since=before.since)
        self._ongoing[service] = state
        return state

    def _state(
        self, service: str, running: list[WorkerProcess], at: datetime
    ) -> ServiceState | None:
        if not running:
            self._unowned_since.pop(service, None)
            if self._read_began is None or self._read_clock - self._read_began < SILENT_SECONDS:
                return ServiceState(service, "checking")
            return ServiceState(service, "down", self._last_healthy.get(service))
        troubled = [process.status for process in running if self._troubled(process)]
        holding = [status for status in troubled if status.gauges.get("partitions", 1) > 0]
        if len(troubled) == len(running) and all(map(_stops_all_work, troubled)):
            return ServiceState(service, "down", self._healthy_until(service, troubled))
        if holding:
            return ServiceState(service, "part", _earliest(holding))
        if unowned_since := self._partitions_unowned_since(service, running, at):
            return ServiceState(service, "part", unowned_since)
        lag = max(process.status.gauges.get("lag_seconds", 0.0) for process in running)
        return ServiceState(service, "late", minutes=int(lag // 60)) if lag > LATE_SECONDS else None

    def _troubled(self, process: WorkerProcess) -> bool:
        """Whether one of its troubles has lasted long enough to be shown; any, where the service is
        already shown as not working."""
        if process.status.service in self._ongoing:
            return bool(_troubles(process.status))
        status, waited = process.status, self._read_clock - process.last_seen
        for part in _troubles(status):
            before = (status.time - status.since.get(part, status.time)).total_seconds()
            if before + waited >= (REBALANCE_SECONDS if part == REBALANCING else SETTLE_SECONDS):
                return True
        return False

    def _healthy_until(self, service: str, troubled: Iterable[Status]) -> datetime | None:
        """The time of its last status without trouble, or when the troubles began, if later."""
        healthy, began = self._last_healthy.get(service), _earliest(troubled)
        return max(healthy, began) if healthy and began else began or healthy

    def _partitions_unowned_since(
        self, service: str, running: Iterable[WorkerProcess], at: datetime
    ) -> datetime | None:
        """Since when some partitions have no worker; None where that is not or too short."""
        owned = [process.status.gauges.get("partitions") for process in running]
        expected = self._partitions.get(service)
        if expected is None or None in owned or sum(each or 0 for each in owned) >= expected:
            self._unowned_since.pop(service, None)
            return None
        began, began_at = self._unowned_since.setdefault(service, (self._read_clock, at))
        return began_at if self._read_clock - began > REBALANCE_SECONDS else None


def _troubles(status: Status) -> set[str]:
    """The troubles that stop its work."""
    return status.trouble.keys() - ADVISORY - HARMLESS.get(status.service, frozenset())


def _stops_all_work(status: Status) -> bool:
    """Whether its troubles stop all of its work, and not only some partitions."""
    stuck, owned = (status.gauges.get(name, 0.0) for name in ("stuck_partitions", "partitions"))
    return not (
        _troubles(status) <= PARTIAL and (0 < stuck < owned or "stranger" in status.trouble)
    )


def _earliest(troubled: Iterable[Status]) -> datetime | None:
    found = [s.since[part] for s in troubled for part in _troubles(s) if part in s.since]
    return min(found, default=None)
