"""What the web process makes of the workers' statuses: who works, who does not, and since when.

It is judged from ``vitals.status`` alone, so that a database or a ``store`` worker that is down
hides nothing. A worker says how it is doing every
:data:`vigil.composition.status_reporter.EVERY_SECONDS` and at once when that changes; a process
that was killed says nothing more, and is noticed by its silence.

Silence counts only while the log is read to its end. A broker, or a web process, that stands still
is therefore never taken for four workers that died.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from vigil.domain.status import Status
from vigil.service.health import ADVISORY

SERVICES = ("detectors", "explain", "notify", "store")
"""Those without which something that people rely on stands still, in the order of their worth."""
SILENT_SECONDS = 4.5
"""A process that said nothing for so long is taken to have died: two statuses in a row are missing
and half a pause besides. With what the page's stream takes, a kill is on every open board within
five seconds of the last status."""
UNANSWERED_SECONDS = 4.5
"""The same for the broker's answers, which are asked for every second."""
LATE_SECONDS = 60.0
"""Further behind than this is told. The shortest persistence delay of a limit is of this size, so
an alarm that comes a minute late is one that came at all; beyond it "no alert" may be wrong."""
SETTLE_SECONDS = 2.0
"""A trouble that passes within this is not told: a retry that worked."""
REBALANCE_SECONDS = 10.0
"""So long partitions may be without a worker before it is told: after a kill the group waits for
the session to end (6 s) and shares them out anew, and the workers measure what they own."""
STEP_SECONDS = 1.5
"""Between two looks at the log. Longer, and nobody looked meanwhile: who lived before is given the
whole time again, since a broker that stood still held their statuses up."""
FORGOTTEN = timedelta(days=1)
MANY = 64
"""With more processes than this, those that were not heard of for so long are forgotten."""

SHARING = "partitions"
"""The trouble of a worker whose partitions are being shared out
(:mod:`vigil.streaming.assignment`)."""
HARMLESS: Mapping[str, frozenset[str]] = {
    "store": frozenset(
        {"retention", "directory", "beside.retention", "beside.directory", "beside.phrases"}
    ),
    "explain": frozenset({"phrases", "beside.phrases", "beside.rewording"}),
}
"""Service → troubles that do not keep it from its work: readings are kept longer, a new enrolment
waits, alerts are worded from the reviewed tables."""

PARTIAL = frozenset({"stuck", "transaction", "stranger"})
"""Troubles that may be of some partitions only (:mod:`vigil.liveness.progress`,
`vigil.liveness.group_watch`)."""

Kind = Literal["checking", "down", "part", "late"]


class State(NamedTuple):
    """A service that does not do all its work."""

    service: str
    kind: Kind
    """``checking``: not judged yet; ``down``: nothing is done; ``part``: for some patients nothing
    is done; ``late``: done, but late."""
    since: datetime | None = None
    """Since when; None: since before anything that is known."""
    minutes: int = 0
    """How far behind, where ``late``."""


class Overview(NamedTuple):
    """Everything that does not work now; nothing: all does."""

    states: tuple[State, ...] = ()
    unanswered: bool = False
    """The broker does not answer, so that nothing is known."""
    since: datetime | None = None
    """Since when it does not."""

    def of(self, service: str) -> State | None:
        """What is wrong with a service; None: nothing."""
        return next((state for state in self.states if state.service == service), None)

    @property
    def judged(self) -> bool:
        """Whether "no active alert" can be said: somebody judges, and what is judged is stored."""
        return not self.unanswered and not (self.of("detectors") or self.of("store"))


class Process(NamedTuple):
    """One worker's process, by its last status."""

    status: Status
    heard: float
    """On the clock that only runs while the log is read to its end, seconds."""
    heard_at: datetime


class WorkerStates:
    """Remembers what was heard. Safe to be told by one thread and asked by another.

    Args:
        now: the monotonic clock's reading, seconds.
        at: the wall clock's.
    """

    def __init__(self, now: float, at: datetime):
        self._lock = threading.Lock()
        self._processes: dict[str, Process] = {}
        self._well: dict[str, datetime] = {}
        self._standing: dict[str, State] = {}
        self._short: dict[str, tuple[float, datetime]] = {}
        self._partitions: Mapping[str, int] = {}
        self._listened = 0.0
        self._since: float | None = None
        self._confirmed, self._confirmed_at = now, at

    def hear(self, status: Status, at: datetime, ago: float = 0.0) -> None:
        """A status was read.

        Args:
            at: when it came.
            ago: how many seconds ago that was, where it is read belatedly.
        """
        with self._lock:
            known, heard = self._processes.get(status.instance), self._listened - ago
            if known is not None and known.heard > heard:
                return
            self._processes[status.instance] = Process(status, heard, at)
            if not _troubles(status):
                self._well[status.service] = max(at, self._well.get(status.service, at))
            if len(self._processes) > MANY:
                self._forget(at)

    def _forget(self, at: datetime) -> None:
        for instance, process in list(self._processes.items()):
            if at - process.heard_at > FORGOTTEN:
                del self._processes[instance]

    def confirm(self, now: float, at: datetime) -> None:
        """The broker answered, and everything that the log holds was heard."""
        with self._lock:
            stood_still = now - self._confirmed > STEP_SECONDS
            lived = [process for process in self._processes.values() if self._runs(process)]
            self._listened += min(now - self._confirmed, STEP_SECONDS)
            self._since = self._listened if self._since is None else self._since
            for process in lived if stood_still else ():
                fresh = process._replace(heard=self._listened)
                self._processes[process.status.instance] = fresh
            self._confirmed, self._confirmed_at = now, at

    def expect(self, partitions: Mapping[str, int]) -> None:
        """How many partitions a service's workers have among them, where that is known."""
        with self._lock:
            self._partitions = dict(partitions)

    def processes(self) -> list[tuple[Process, bool]]:
        """Every process, by service, the newest word first; and whether it runs."""
        with self._lock:
            found = sorted(self._processes.values(), key=lambda p: (p.status.service, -p.heard))
            return [(process, self._runs(process)) for process in found]

    def _runs(self, process: Process) -> bool:
        return not process.status.ended and self._listened - process.heard < SILENT_SECONDS

    def overview(self, now: float, at: datetime) -> Overview:
        """How things are."""
        with self._lock:
            if now - self._confirmed >= UNANSWERED_SECONDS:
                return Overview((), unanswered=True, since=self._confirmed_at)
            running: dict[str, list[Process]] = defaultdict(list)
            for process in self._processes.values():
                if self._runs(process):
                    running[process.status.service].append(process)
            states = (self._lasting(service, running[service], at) for service in SERVICES)
            return Overview(tuple(state for state in states if state))

    def _lasting(self, service: str, running: list[Process], at: datetime) -> State | None:
        """Its state; a standstill that goes on, as through a restart, has one beginning."""
        before, state = self._standing.get(service), self._state(service, running, at)
        if state is None or state.kind not in {"down", "part"}:
            self._standing.pop(service, None)
            return state
        if before is not None and (before.kind, state.kind) != ("part", "down"):
            state = state._replace(since=before.since)
        self._standing[service] = state
        return state

    def _state(self, service: str, running: list[Process], at: datetime) -> State | None:
        if not running:
            self._short.pop(service, None)
            if self._since is None or self._listened - self._since < SILENT_SECONDS:
                return State(service, "checking")
            return State(service, "down", self._well.get(service))
        troubled = [process.status for process in running if self._troubled(process)]
        holding = [status for status in troubled if status.gauges.get("partitions", 1) > 0]
        if len(troubled) == len(running) and all(map(_whole, troubled)):
            return State(service, "down", self._last_well(service, troubled))
        if holding:
            return State(service, "part", _earliest(holding))
        if short := self._orphaned(service, running, at):
            return State(service, "part", short)
        lag = max(process.status.gauges.get("lag_seconds", 0.0) for process in running)
        return State(service, "late", minutes=int(lag // 60)) if lag > LATE_SECONDS else None

    def _troubled(self, process: Process) -> bool:
        """Whether one of its troubles has lasted long enough to be told: any, where the service is
        said to stand still."""
        if process.status.service in self._standing:
            return bool(_troubles(process.status))
        status, waited = process.status, self._listened - process.heard
        for part in _troubles(status):
            before = (status.time - status.since.get(part, status.time)).total_seconds()
            if before + waited >= (REBALANCE_SECONDS if part == SHARING else SETTLE_SECONDS):
                return True
        return False

    def _last_well(self, service: str, troubled: Iterable[Status]) -> datetime | None:
        """When it was last heard to be well; exactly, where the troubles began after that."""
        well, began = self._well.get(service), _earliest(troubled)
        return max(well, began) if well and began else began or well

    def _orphaned(self, service: str, running: Iterable[Process], at: datetime) -> datetime | None:
        """Since when some partitions have no worker, where that has lasted too long."""
        owned = [process.status.gauges.get("partitions") for process in running]
        expected = self._partitions.get(service)
        if expected is None or None in owned or sum(each or 0 for each in owned) >= expected:
            self._short.pop(service, None)
            return None
        began, began_at = self._short.setdefault(service, (self._listened, at))
        return began_at if self._listened - began > REBALANCE_SECONDS else None


def _troubles(status: Status) -> set[str]:
    """The troubles that keep it from its work."""
    return status.trouble.keys() - ADVISORY - HARMLESS.get(status.service, frozenset())


def _whole(status: Status) -> bool:
    """Whether its troubles keep it from all of its work, and not from some partitions only."""
    stuck, owned = (status.gauges.get(name, 0.0) for name in ("stuck_partitions", "partitions"))
    return not (
        _troubles(status) <= PARTIAL and (0 < stuck < owned or "stranger" in status.trouble)
    )


def _earliest(troubled: Iterable[Status]) -> datetime | None:
    found = [s.since[part] for s in troubled for part in _troubles(s) if part in s.since]
    return min(found, default=None)
