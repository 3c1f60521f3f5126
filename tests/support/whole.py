"""A whole Vigil as a person starts it: ``vigil up`` in a folder, with all its processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from local import running
from tests.support.running import eventually

BACKGROUND_OUTPUT = "beside.txt"
"""What commands that were started beside it wrote."""
VIGIL = (sys.executable, "-m", "cli.main")


class Whole:
    """A running ``vigil up`` (or ``demo``), and commands typed beside it."""

    def __init__(self, folder: Path, process: subprocess.Popen[bytes], given: Mapping[str, str]):
        self.folder = folder
        self._process = process
        self._given = given

    def environment(self) -> dict[str, str]:
        """The addresses that a second terminal finds."""
        lines = (self.folder / running.FILE).read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def command(self, *arguments: str, seconds: float = 120) -> str:
        """Run ``vigil ARGUMENTS`` in the same folder; its output."""
        done = subprocess.run(
            (*VIGIL, *arguments), cwd=self.folder, env=_environment(self._given), timeout=seconds,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start(
        self, *arguments: str, given: Mapping[str, str] | None = None,
        program: Sequence[str] = VIGIL,
    ) -> subprocess.Popen[bytes]:  # fmt: skip
        """Start ``vigil ARGUMENTS`` in the same folder and go on; what it says joins a file there.

        Args:
            given: more of its environment.
            program: what to start in the place of ``vigil``.
        """
        environment = _environment({**self._given, **(given or {})})
        with (self.folder / BACKGROUND_OUTPUT).open("ab") as terminal:
            return subprocess.Popen(
                (*program, *arguments), cwd=self.folder, env=environment,
                stdout=terminal, stderr=subprocess.STDOUT,
            )  # fmt: skip

    def processes(self) -> list[psutil.Process]:
        """Everything that runs below."""
        return psutil.Process(self._process.pid).children(recursive=True)

    def pid_of(self, service: str) -> int | None:
        """The process of ``vigil run SERVICE``; of the web process: ``ingest dashboard``."""
        words = ["run", *service.split()]
        for process in self.processes():
            try:
                if process.cmdline()[-len(words) :] == words:
                    return process.pid
            except psutil.Error:
                continue
        return None

    def kill(self, service: str) -> None:
        """``kill -9`` one service, and return once it is back with a new pid."""
        before = eventually(lambda: self.pid_of(service)) or 0
        os.kill(before, signal.SIGKILL)
        eventually(lambda: self.pid_of(service) not in {None, before}, 180)


def _environment(given: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("VIGIL_")}
    return {**kept, "VIGIL_HTTP_PORT": "0", "VIGIL_LOG_FORMAT": "console", **given}


@contextmanager
def whole(
    folder: Path, kafka_home: str | None, *command: str, given: Mapping[str, str] | None = None
) -> Iterator[Whole]:
    """``vigil up`` in ``folder`` until the block ends; then Ctrl-C, and nothing may be left.

    Args:
        given: more of its environment, and of every command beside it.
    """
    given = given or {}
    environment = _environment(given)
    environment.pop("KAFKA_HOME", None)
    if kafka_home:
        environment["KAFKA_HOME"] = kafka_home
    out = folder / "terminal.txt"
    with out.open("wb") as terminal:
        process = subprocess.Popen(
            (*VIGIL, *(command or ("up",))), cwd=folder, env=environment,
            stdout=terminal, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
    system = Whole(folder, process, given)
    try:
        eventually(lambda: _up(process, out), 180)
        yield system
    finally:
        below = system.processes() if process.poll() is None else []
        process.send_signal(signal.SIGINT)
        try:
            process.wait(120)
        except subprocess.TimeoutExpired:
            process.kill()
    _, alive = psutil.wait_procs(below, timeout=30)
    assert alive == [], f"left running: {alive}"
    assert process.returncode == 0, out.read_text()


def _up(process: subprocess.Popen[bytes], out: Path) -> bool:
    text = out.read_text()
    if process.poll() is not None:
        raise RuntimeError(f"vigil ended with {process.returncode}:\n{text}")
    return "The board:" in text
