"""Restarts programs that supervisord has given up, for as long as Vigil runs.

Supervisord gives up a program that exits at once several times. A database whose disk is full does
that, and works again once there is room. If Vigil ended then, readings that a broker in memory has
acknowledged would be lost, so the other programs keep running and wait.
"""

from __future__ import annotations

import math
import shutil
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from xmlrpc.client import Fault

from local.supervisor import GIVEN_UP, RUNNING, State, Supervisor

PAUSE = 5.0
"""Seconds between two attempts."""
REMINDER = 300.0
"""Seconds after which a problem that persists is printed again."""
ROOM = 64 << 20
"""Free bytes below which nothing is started: PostgreSQL allocates its log in pieces of 16 MB."""
KEEP_RUNNING = "Leave Vigil running: what the broker has acknowledged is stored once there is room."


class Restarter:
    """Watches disk and programs, reports why programs are down, and restarts them.

    Args:
        data: the folder whose disk must have room.
        print_line: prints a line to the terminal.
    """

    def __init__(self, supervisor: Supervisor, data: Path, print_line: Callable[[str], None]):
        self._supervisor = supervisor
        self._data = data
        self._print_line = print_line
        self._next_try: dict[str, float] = {}
        self._next_report: dict[str, float] = {}

    def check_programs(self, states: Mapping[str, State]) -> None:
        """Restart what was given up, every :data:`PAUSE` seconds while the disk is not full."""
        now = time.monotonic()
        full = _describe_full_disk(self._data)
        if full:
            self._print_rate_limited("the disk", f"{full} {KEEP_RUNNING}")
        else:
            self._next_report.pop("the disk", None)
        for name, state in states.items():
            if state.state == GIVEN_UP and now >= self._next_try.get(name, 0.0):
                self._next_try[name] = now + PAUSE
                self._restart(name, full=bool(full))
            elif state.state == RUNNING and now >= self._next_try.get(name, math.inf):
                del self._next_try[name]
                del self._next_report[name]

    def _restart(self, name: str, *, full: bool) -> None:
        if full:
            self._print_rate_limited(name, f"{name} ended and is started again once there is room")
            return
        last = self._supervisor.last_log_line(name)
        self._print_rate_limited(
            name, f"{name} keeps dying and is retried. Its log ends with: {last}"
        )
        with suppress(Fault):  # it exited again at once
            self._supervisor.start([name])

    def _print_rate_limited(self, name: str, what: str) -> None:
        now = time.monotonic()
        if now >= self._next_report.get(name, 0.0):
            self._next_report[name] = now + REMINDER
            self._print_line(what)


def wait_for_room(data: Path, print_line: Callable[[str], None], stop: threading.Event) -> None:
    """Return once the disk of a folder has room, or at ``stop``; the folder need not exist yet.

    Nothing may be started on a full disk: a half-written file would be found at the next start.
    """
    existing = next(folder for folder in (data, *data.absolute().parents) if folder.exists())
    if full := _describe_full_disk(existing):
        print_line(full)
        while _describe_full_disk(existing) and not stop.wait(1):
            pass


def _describe_full_disk(folder: Path) -> str:
    """The message about a full disk; empty where there is room."""
    free = shutil.disk_usage(folder).free
    if free >= ROOM:
        return ""
    return (
        f"The disk of {folder} is full ({free >> 20} MB free): nothing is started before"
        f" there are {ROOM >> 20} MB."
    )
