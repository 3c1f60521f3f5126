"""Everything on one machine: start in order, watch, and stop without leaving processes behind.

1. start the broker and the database in parallel; wait until both answer
2. ``prepare``: migrate, create topics, enrol (passed in by the command line)
3. start the services in parallel; wait until each reports that it is ready
4. watch: supervisord restarts what dies, and each restart is printed; what supervisord gives up is
   restarted later (:mod:`local.restarter`). A broker with its log in memory comes back with a new
   log: the services are stopped first, so that none uses what it remembers of the old log (a group
   membership, a topic's id); then steps 1 to 3 are repeated
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
from local.restarter import PAUSE, Restarter
from local.supervisor import ENDED, GIVEN_UP, RUNNING, Program, Supervisor
from vigil.service.errors import UnavailableError, VigilError
from vigil.service.settings import Settings

PrintLine = Callable[[str], None]
"""Prints a line to the terminal."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service process: ``vigil run`` with these names."""

    name: str
    runs: tuple[str, ...]
    health_port: int
    """Where it answers ``/health/ready``."""

    def ready(self) -> bool:
        """Whether it reports that it can work."""
        try:
            with urlopen(
                f"http://{parts.HOST}:{self.health_port}/health/ready", timeout=2
            ) as answer:
                return bool(answer.status == 200)
        except (HTTPError, URLError, OSError):
            return False


@contextmanager
def exclusive(data: Path) -> Iterator[None]:
    """Lock the data folder, so that no second runtime uses it.

    Raises:
        UnavailableError: another runtime uses it.
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
    """Runs Vigil on this machine; see the module's docstring for the order.

    Args:
        data: the data folder, locked by the caller (:func:`exclusive`).
        kafka_home: an Apache Kafka distribution; None: the broker in memory.
    """

    def __init__(
        self, *, data: Path, settings: Settings, kafka_home: Path | None, print_line: PrintLine
    ):
        self._data = data.resolve()
        self._print_line = print_line
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
        """Start everything, call ``when_up``, and keep it running until ``stop``.

        Once everything runs it does not end by itself: what a broker in memory has acknowledged
        would be lost.

        Raises:
            UnavailableError: a part or a service did not come up, or the supervisor died.
        """
        logs = self._data / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        with Supervisor(self._programs(), logs, self._environment()) as supervisor:
            restarter = Restarter(supervisor, self._data, self._print_line)
            self._start_parts(supervisor, self._parts, stop)
            self._prepare_and_serve(supervisor, prepare, stop)
            if not stop.is_set():
                when_up()
            while not stop.wait(0.5):
                self._watch(supervisor, restarter, prepare=prepare, stop=stop)
            self._print_line("stopping")

    def _start_parts(
        self, supervisor: Supervisor, needed: Sequence[parts.Part], stop: threading.Event
    ) -> None:
        supervisor.start(part.name for part in needed)
        for part in needed:
            self._wait_until_ready(supervisor, part.name, ready=part.ready, stop=stop)

    def _prepare_and_serve(
        self, supervisor: Supervisor, prepare: Callable[[Settings], None], stop: threading.Event
    ) -> None:
        if stop.is_set():
            return
        prepare(self.settings)
        self._print_step("database and topics prepared")
        supervisor.start(service.name for service in self.services)
        for service in self.services:
            self._wait_until_ready(supervisor, service.name, ready=service.ready, stop=stop)

    def _wait_until_ready(
        self,
        supervisor: Supervisor,
        name: str,
        *,
        ready: Callable[[], bool],
        stop: threading.Event,
    ) -> None:
        deadline = time.monotonic() + 120
        while not ready():
            if stop.wait(0.05):
                return
            state = supervisor.states()[name].state
            if state == GIVEN_UP or time.monotonic() > deadline:
                raise UnavailableError(
                    f"{name} does not start ({state.lower()}).",
                    code="unavailable.part",
                    how_to_fix=f"Its log ends with: {supervisor.last_log_line(name)}",
                )
        self._pids[name] = supervisor.states()[name].pid
        self._print_step(name)

    def _watch(
        self,
        supervisor: Supervisor,
        restarter: Restarter,
        *,
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
                self._print_line(f"{name} died and was started again")
        restarter.check_programs(states)
        for part in self._parts:  # a part that is restarted is ENDED for a moment, too
            if not part.keeps_data and states[part.name].state == ENDED:
                self._restart_with_new_log(supervisor, restarter, part, prepare=prepare, stop=stop)

    def _restart_with_new_log(
        self,
        supervisor: Supervisor,
        restarter: Restarter,
        part: parts.Part,
        *,
        prepare: Callable[[Settings], None],
        stop: threading.Event,
    ) -> None:
        self._print_line(
            f"{part.name} died, and its data in memory are lost; set KAFKA_HOME for a broker that"
            " keeps them on disk. Starting again"
        )
        while not stop.is_set():
            supervisor.stop([service.name for service in self.services])
            try:
                self._start_parts(supervisor, [part], stop)
                self._prepare_and_serve(supervisor, prepare, stop)
            except VigilError as error:  # the database is unavailable, too, or its disk is full
                self._print_line(f"{error.message} {error.how_to_fix} Trying again")
                restarter.check_programs(supervisor.states())
                stop.wait(PAUSE)
            else:
                return

    def _print_step(self, what: str) -> None:
        self._print_line(f"{time.monotonic() - self._started:5.1f} s  {what}")

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
    """A setting's value as it is written in an environment variable."""
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
    """The parts to start: those whose address no setting gives."""
    needed = []
    if "kafka_bootstrap" not in settings.model_fields_set:
        needed.append(parts.broker(data, kafka_home))
    if "database_url" not in settings.model_fields_set:
        needed.append(parts.postgres(data / "postgres"))
    return needed


def _connected(data: Path, settings: Settings, running: Sequence[parts.Part]) -> Settings:
    """The settings with the addresses of the parts that are started, and a free HTTP port."""
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
