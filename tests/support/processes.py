"""Starts a part of the local runtime as a plain child process, for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from local.parts import Part
from tests.support.timeouts import TIMEOUT


def launch(part: Part, log: Path | None = None) -> subprocess.Popen[bytes]:
    """Start a part; returns at once.

    Args:
        log: what it says is added to this file; None: it is not kept.
    """
    with Path(os.devnull if log is None else log).open("ab") as output:
        return subprocess.Popen(
            part.command, stdout=output, stderr=output, user=part.user, cwd="/",
            start_new_session=True,
        )  # fmt: skip


def wait_ready(part: Part, process: subprocess.Popen[bytes], seconds: float = TIMEOUT) -> None:
    """Return when the part answers; fail when it ends or stays mute."""
    deadline = time.monotonic() + seconds
    while not part.ready():
        if process.poll() is not None:
            raise RuntimeError(f"{part.name} ended with {process.returncode}")
        if time.monotonic() > deadline:
            raise TimeoutError(f"{part.name} did not answer in {seconds} s")
        time.sleep(0.05)


def end(
    process: subprocess.Popen[bytes], seconds: float = TIMEOUT, by: signal.Signals = signal.SIGTERM
) -> None:
    """The signal, then SIGKILL for it and everything below it, which would write on."""
    process.send_signal(by)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        below = psutil.Process(process.pid).children(recursive=True)
        process.kill()
        process.wait()
        for one in below:
            with suppress(psutil.NoSuchProcess):
                one.kill()
        psutil.wait_procs(below, timeout=seconds)


@contextmanager
def started(part: Part, log: Path | None = None) -> Iterator[Part]:
    """A part that answers, for the length of the block."""
    process = launch(part, log)
    try:
        wait_ready(part, process)
        yield part
    finally:
        end(process, by=part.stop_signal)


@contextmanager
def open_folder() -> Iterator[Path]:
    """A folder for PostgreSQL's data, which its own user can reach.

    pytest's folders are none: each pytest that starts closes them to other users, and the database
    of one that is running beside it dies.
    """
    with tempfile.TemporaryDirectory(prefix="vigil-tests-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)
