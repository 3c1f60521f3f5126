"""Supervisord, with a generated configuration, as the parent of every process.

It restarts programs that die (unless configured not to), keeps their logs, and stops them all when
it ends. It is controlled over a Unix socket in a private folder; if this process is killed, the
kernel stops it.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from supervisor.xmlrpc import Faults, SupervisorTransport

from local.parts import tethered
from vigil.service.errors import UnavailableError

RUNNING = "RUNNING"
GIVEN_UP = "FATAL"
ENDED = "EXITED"
"""For a moment where a program is restarted, permanently where it is not."""
LOG_BYTES = 5 << 20
"""Size at which a program's log is rotated; one older file is kept."""
LAST_BYTES = 4096
OUTPUT_LINES = 20
"""Lines of supervisord's own output that are kept in memory."""
MOVING = {"STARTING", RUNNING, "BACKOFF", "STOPPING"}
"""States in which there is a process, or will be one."""


@dataclass(frozen=True, slots=True)
class Program:
    """A process to run."""

    name: str
    command: tuple[str, ...]
    user: str | None = None
    environment: tuple[tuple[str, str], ...] = ()
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: int = 15
    """Seconds from the stop signal to SIGKILL."""
    restarts: bool = True
    """False: once it has ended, it is not restarted by itself."""


@dataclass(frozen=True, slots=True)
class State:
    """What supervisord reports about a process."""

    name: str
    state: str
    pid: int


class Supervisor:
    """Runs programs under a supervisord; a context manager."""

    def __init__(self, programs: Sequence[Program], logs: Path, environment: dict[str, str]):
        self._programs = programs
        self._logs = logs
        self._environment = environment
        self._folder = tempfile.TemporaryDirectory(prefix="vigil-", ignore_cleanup_errors=True)
        self._socket = Path(self._folder.name) / "supervisor.sock"
        self._process: subprocess.Popen[bytes] | None = None
        self._output: deque[str] = deque(maxlen=OUTPUT_LINES)

    def __enter__(self) -> Supervisor:
        """Start supervisord, and no program yet."""
        config = Path(self._folder.name) / "supervisord.conf"
        config.touch(mode=0o600)
        config.write_text(self._configuration())
        command = (sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(config))
        self._process = subprocess.Popen(
            tethered(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self._environment},
            start_new_session=True,  # Ctrl-C does not reach it: it is stopped in order
        )
        threading.Thread(
            target=self._collect_output, args=(self._process,), name="supervisord", daemon=True
        ).start()
        deadline = time.monotonic() + 20
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self._end(self._process)
                raise UnavailableError(
                    "The process supervisor did not start.",
                    code="unavailable.part",
                    how_to_fix=" ".join(self._output) or f"Read {self._logs / 'supervisord.log'}.",
                )
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop every program, the last first, then supervisord."""
        if self._process is not None:
            self._end(self._process)

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        process.terminate()
        try:
            process.wait(max(p.stop_seconds for p in self._programs) * 2 + 5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._folder.cleanup()

    def _collect_output(self, process: subprocess.Popen[bytes]) -> None:
        """Read its output into memory, which works on a full disk, too.

        It prints there what it cannot write to a log, and would die if it could not print.
        """
        assert process.stdout is not None  # noqa: S101  (a pipe, by its start)
        with process.stdout as output:
            for line in output:
                self._output.append(line.decode(errors="replace").strip())

    def _answers(self) -> bool:
        """Whether it answers: its socket exists for a moment before it listens."""
        try:
            self._call("getState")
        except OSError:
            return False
        return True

    def alive(self) -> bool:
        """Whether supervisord itself runs."""
        return self._process is not None and self._process.poll() is None

    def start(self, names: Iterable[str]) -> None:
        """Start those programs that do not run, without waiting until they are ready."""
        for name in names:
            try:
                self._call("startProcess", name, False)
            except Fault as fault:
                if fault.faultCode != Faults.ALREADY_STARTED:
                    raise

    def stop(self, names: Collection[str]) -> None:
        """Stop programs in parallel, and return when they have ended and are not restarted.

        One that is between its death and its restart is stopped after the restart.
        """
        restarted = {program.name for program in self._programs if program.restarts}
        while moving := [
            state
            for state in self.states().values()
            if state.name in names
            and (state.state in MOVING or (state.state == ENDED and state.name in restarted))
        ]:
            for state in moving:
                with suppress(Fault):  # it has ended, or is stopping, by now
                    self._call("stopProcess", state.name, False)
            time.sleep(0.05)

    def states(self) -> dict[str, State]:
        """Every program's state."""
        infos: Any = self._call("getAllProcessInfo")
        return {i["name"]: State(i["name"], i["statename"], i["pid"]) for i in infos}

    def log_of(self, name: str) -> Path:
        """Where a program's output goes."""
        return self._logs / f"{name}.log"

    def last_log_line(self, name: str) -> str:
        """The last line of a program's log, and where the log is."""
        log = self.log_of(name)
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - LAST_BYTES))
                lines = file.read().decode(errors="replace").strip().splitlines()
        except OSError:
            lines = []
        return f"{lines[-1] if lines else 'nothing'} ({log})"

    def _call(self, method: str, *arguments: object) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
            return getattr(proxy.supervisor, method)(*arguments)

    def _configuration(self) -> str:
        as_root = "user=root\n" if os.geteuid() == 0 else ""
        lines = [
            f"[supervisord]\nnodaemon=true\n{as_root}loglevel=info\n"
            f"logfile={_escaped(str(self._logs / 'supervisord.log'))}\n"
            f"logfile_maxbytes={LOG_BYTES}\nlogfile_backups=1\n"
            f"childlogdir={_escaped(str(self._logs))}\n"
            f"pidfile={self._folder.name}/supervisord.pid\n",
            f"[unix_http_server]\nfile={self._socket}\nchmod=0700\n",
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory="
            "supervisor.rpcinterface:make_main_rpcinterface\n",
        ]
        for priority, program in enumerate(self._programs, start=1):
            lines.append(self._section(program, priority))
        return "\n".join(lines)

    def _section(self, program: Program, priority: int) -> str:
        user = f"user={program.user}\n" if program.user else ""
        settings = ",".join(f'{k}="{_escaped(v)}"' for k, v in program.environment)
        environment = f"environment={settings}\n" if settings else ""
        return (
            f"[program:{program.name}]\n"
            f"command={_escaped(shlex.join(program.command))}\n"
            f"{user}{environment}priority={priority}\ndirectory=/\n"
            f"autostart=false\nautorestart={str(program.restarts).lower()}\n"
            "startsecs=1\nstartretries=4\n"
            f"stopsignal={program.stop_signal.name.removeprefix('SIG')}\n"
            f"stopwaitsecs={program.stop_seconds}\nstopasgroup=false\nkillasgroup=true\n"
            f"redirect_stderr=true\nstdout_logfile={_escaped(str(self.log_of(program.name)))}\n"
            f"stdout_logfile_maxbytes={LOG_BYTES}\nstdout_logfile_backups=1\n"
        )


def _escaped(text: str) -> str:
    """Escape ``%``, which supervisord expands."""
    return text.replace("%", "%%")
