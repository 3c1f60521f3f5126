"""Everything on one machine: start in order, watch, and stop so that nothing stays behind.

1. the broker and the database, side by side; wait until both answer
2. ``prepare``: migrate, create topics, enrol (given by the command line; the kernel knows no
   stage)
3. the services, side by side; wait until each says it is ready
4. watch: supervisord restarts what dies, and each restart is told; what it gives up is started
   again later (:mod:`local.revival`). A broker that keeps nothing comes back with another
   log: the services are stopped first, so that none brings it what it remembers of the old one (a
   membership, a topic's name); then 1 to 3 are done again
"""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

from pydantic import SecretStr

from local import parts
from local.revival import PAUSE, Revival
from local.supervisor import ENDED, GIVEN_UP, RUNNING, Program, Supervisor
from vigil.service.errors import UnavailableError, VigilError
from vigil.service.settings import Settings

Say = Callable[[str], None]
"""Tells the person at the terminal one thing."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service process: ``vigil run`` with these names."""

    name: str
    runs: tuple[str, ...]
    health_port: int
    """Where it answers ``/health/ready``."""

    def ready(self) -> bool:
        """Whether it says that it can work."""
        try:
            with urlopen(
                f"http://{parts.HOST}:{self.health_port}/health/ready", timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except (HTTPError, URLError, OSError):
            return False


@contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Hold the data folder, so that no second runtime works in it.

    Raises:
        UnavailableError: another one does.
    """
    data.mkdir(parents=True, exist_ok=True)
    with (data / "lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UnavailableError(
                f"Another Vigil runs on {data}.",
                code="unavailable.part",
                how_to_fix="Stop it first, or name another folder with --data.",
            ) from None
        yield


class Runtime:
    """Runs Vigil on this machine; see the module's text for the order."""

    def __init__(self, data: Path, settings: Settings, kafka_home: Path | None, say: Say):
        self._data = data.resolve()
        self._say = say
        self._started = time.monotonic()
        self._parts = _needed_parts(self._data, settings, kafka_home)
        self.settings = _connected(self._data, settings, self._parts)
        self.services = _services(self.settings.http_port)
        self._pids: dict[str, int] = {}

    def run(
        self,
        prepare: Callable[[Settings], None],
        stop: threading.Event,
        when_up: Callable[[], None] = lambda: None,
    ) -> None:
        """Start everything, call ``when_up``, and keep it up until ``stop``.

        The caller holds the data folder (:func:`exclusive`).

        Once it is up it does not end by itself: what a broker in memory has acknowledged would be
        gone.

        Raises:
            UnavailableError: a part or a service did not come up, or the supervisor died.
        """
        logs = self._data / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with Supervisor(self._programs(), logs, self._environment()) as supervisor:
            revival = Revival(supervisor, self._data, self._say)
            self._start_parts(supervisor, self._parts, stop)
            self._prepare_and_serve(supervisor, prepare, stop)
            if not stop.is_set():
                when_up()
            while not stop.wait(0.5):
                self._watch(supervisor, revival, prepare, stop)
            self._say("stopping")

    def _start_parts(
        self, supervisor: Supervisor, needed: Sequence[parts.Part], stop: threading.Event
    ) -> None:
        supervisor.start(part.name for part in needed)
        for part in needed:
            self._await(supervisor, part.name, part.ready, stop)

    def _prepare_and_serve(
        self, supervisor: Supervisor, prepare: Callable[[Settings], None], stop: threading.Event
    ) -> None:
        if stop.is_set():
            return
        prepare(self.settings)
        self._say_done("database and topics prepared")
        supervisor.start(service.name for service in self.services)
        for service in self.services:
            self._await(supervisor, service.name, service.ready, stop)

    def _await(
        self, supervisor: Supervisor, name: str, ready: Callable[[], bool], stop: threading.Event
    ) -> None:
        deadline = time.monotonic() + 120
        while not ready():
            if stop.wait(0.05):
                return
            state = supervisor.states()[name].state
            if state == GIVEN_UP or time.monotonic() > deadline:
                raise UnavailableError(
                    f"{name} does not come up ({state.lower()}).",
                    code="unavailable.part",
                    how_to_fix=f"Its log ends with: {supervisor.last_words(name)}",
                )
        self._pids[name] = supervisor.states()[name].pid
        self._say_done(name)

    def _watch(
        self,
        supervisor: Supervisor,
        revival: Revival,
        prepare: Callable[[Settings], None],
        stop: threading.Event,
    ) -> None:
        if not supervisor.alive():
            raise UnavailableError(
                "The process supervisor died, and every process with it.",
                code="unavailable.part",
                how_to_fix="Start again; what was stored is kept.",
            )
        states = supervisor.states()
        for name, state in states.items():
            if state.state == RUNNING and state.pid != self._pids.get(name):
                self._pids[name] = state.pid
                self._say(f"{name} died and was started again")
        revival.see(states)
        for part in self._parts:  # whatever is restarted has ended, too, for a moment
            if not part.keeps_data and states[part.name].state == ENDED:
                self._lost_log(supervisor, revival, part, prepare, stop)

    def _lost_log(
        self,
        supervisor: Supervisor,
        revival: Revival,
        part: parts.Part,
        prepare: Callable[[Settings], None],
        stop: threading.Event,
    ) -> None:
        self._say(
            f"{part.name} died, and what it held in memory with it; set KAFKA_HOME for one that"
            " keeps it. Starting again"
        )
        while not stop.is_set():
            supervisor.stop([service.name for service in self.services])
            try:
                self._start_parts(supervisor, [part], stop)
                self._prepare_and_serve(supervisor, prepare, stop)
            except VigilError as error:  # the database is away, too, or its disk is full
                self._say(f"{error.message} {error.how_to_fix} Trying again")
                revival.see(supervisor.states())
                stop.wait(PAUSE)
            else:
                return

    def _say_done(self, what: str) -> None:
        self._say(f"{time.monotonic() - self._started:5.1f} s  {what}")

    def _programs(self) -> Sequence[Program]:
        vigil = (sys.executable, "-m", "cli.main")
        return [
            *(
                Program(p.name, p.command, p.user, stop_signal=p.stop_signal, restarts=p.keeps_data)
                for p in self._parts
            ),
            *(
                Program(
                    s.name,
                    parts.tethered((*vigil, "run", *s.runs)),
                    environment=(("VIGIL_HEALTH_PORT", str(s.health_port)),),
                )
                for s in self.services
            ),
        ]

    def _environment(self) -> dict[str, str]:
        given = {
            f"VIGIL_{name.upper()}": _as_text(getattr(self.settings, name))
            for name in self.settings.model_fields_set
        }
        return {**given, "PYTHONUNBUFFERED": "1"}


def _as_text(value: object) -> str:
    """A setting's value as the environment spells it."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case tuple():
            return " ".join(value)
        case Path():
            return str(value.resolve())
        case _:
            return str(value)


def _needed_parts(data: Path, settings: Settings, kafka_home: Path | None) -> list[parts.Part]:
    """The parts to start: those that no setting names as running elsewhere."""
    needed = []
    if "kafka_bootstrap" not in settings.model_fields_set:
        needed.append(parts.broker(data, kafka_home))
    if "database_url" not in settings.model_fields_set:
        needed.append(parts.postgres(data / "postgres"))
    return needed


def _connected(data: Path, settings: Settings, running: Sequence[parts.Part]) -> Settings:
    """The settings with the addresses of what we start, and a free port for the web."""
    changes: dict[str, object] = {}
    if "deadletter_dir" not in settings.model_fields_set:
        changes["deadletter_dir"] = data / "deadletters"
    for part in running:
        field = "kafka_bootstrap" if part.name == "broker" else "database_url"
        changes[field] = part.address
    port = settings.http_port
    if port == 0 or parts.listening(port):
        port = parts.free_port()
    changes["http_port"] = port
    if "public_url" not in settings.model_fields_set:
        changes["public_url"] = f"http://{parts.HOST}:{port}"
    explicit = {name: getattr(settings, name) for name in settings.model_fields_set}
    return Settings(**{**explicit, **changes})


def _services(http_port: int) -> list[Service]:
    workers: Mapping[str, int] = {
        name: parts.free_port() for name in ("store", "detectors", "explain", "notify")
    }
    return [
        *(Service(name, (name,), port) for name, port in workers.items()),
        Service("web", ("ingest", "dashboard"), http_port),
    ]


def kafka_home() -> Path | None:
    """The Apache Kafka distribution that the environment names, if any."""
    home = os.environ.get("KAFKA_HOME")
    return Path(home) if home else None
