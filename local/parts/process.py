"""A process of the local runtime, its port, and how it ends with its parent."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from vigil.service.errors import UnavailableError

HOST = "127.0.0.1"
LOWEST_PORT = 20_000
GIVEN_OUT_FROM = 32_768
"""Linux gives clients ports from here (``ip_local_port_range``), other systems from further up."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the local runtime."""

    name: str
    command: tuple[str, ...]
    address: str
    """What clients connect to."""
    ready: Callable[[], bool]
    """Polled after the start until it returns True; must not raise."""
    user: str | None = None
    """Run as this system user; None: as the current one."""
    keeps_data: bool = True
    """False: its data are in memory and lost when it ends."""
    stop_signal: signal.Signals = signal.SIGTERM
    """The signal for an orderly and immediate end."""


def free_port() -> int:
    """Find a TCP port on which nothing listens now.

    Below the ports that the system gives out by itself: one of those may go to any program while
    its service is down for a moment, even to a client that asks for the service and so connects to
    itself, and then the service cannot come back.

    Raises:
        UnavailableError: a hundred ports were taken.
    """
    for _ in range(100):
        port = LOWEST_PORT + secrets.randbelow(GIVEN_OUT_FROM - LOWEST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise unavailable_part(
        f"No free TCP port was found between {LOWEST_PORT} and {GIVEN_OUT_FROM - 1}.",
        "End what listens on so many of them (ss -ltn).",
    )


def listening(port: int) -> bool:
    """Whether something accepts connections on a local port."""
    try:
        with socket.create_connection((HOST, port), timeout=0.3):
            return True
    except OSError:
        return False


def tethered(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command, ended by the kernel when its parent dies (Linux; elsewhere unchanged)."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return (setpriv, "--pdeathsig", "TERM", *command) if setpriv else command


def unavailable_part(what: str, how_to_fix: str) -> UnavailableError:
    """The error for a part that cannot be started."""
    return UnavailableError(what, code="unavailable.part", how_to_fix=how_to_fix)


def run_once(command: tuple[str, ...], failure: str, user: str | None = None) -> None:
    """Run a command that prepares a part.

    Args:
        failure: what has failed where its exit status is not 0, as the beginning of a sentence.

    Raises:
        UnavailableError: it failed; the error has the last line of its output.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False, user=user, cwd="/")
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        last = lines[-1] if lines else f"exit status {done.returncode}"
        raise unavailable_part(f"{failure}: {last}.", "See above.")
