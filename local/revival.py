"""Starts again what supervisord has given up, for as long as Vigil runs.

Supervisord gives up a program that dies at once a few times. A database whose disk is full does
so, and is well again once there is room. Were everything ended then, readings that a broker in
memory has acknowledged would be lost; so the rest goes on and waits.
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
"""Seconds from one try to the next."""
REMINDER = 300.0
"""Seconds after which what still holds is said once more."""
ROOM = 64 << 20
"""Bytes without which nothing is started: PostgreSQL begins its log in pieces of 16 MB."""
KEPT = "Leave Vigil running: what the broker has acknowledged is stored once there is room."


class Revival:
    """Looks at disk and programs, says what keeps them down, and brings back what was given up.

    Args:
        data: the folder whose disk must have room.
        say: tells the person at the terminal one thing.
    """

    def __init__(self, supervisor: Supervisor, data: Path, say: Callable[[str], None]):
        self._supervisor = supervisor
        self._data = data
        self._say = say
        self._next_try: dict[str, float] = {}
        self._said: dict[str, float] = {}

    def see(self, states: Mapping[str, State]) -> None:
        """Start what was given up, once in :data:`PAUSE` and not while the disk is full."""
        now = time.monotonic()
        full = _full(self._data)
        if full:
            self._say_once("the disk", f"{full} {KEPT}")
        else:
            self._said.pop("the disk", None)
        for name, state in states.items():
            if state.state == GIVEN_UP and now >= self._next_try.get(name, 0.0):
                self._next_try[name] = now + PAUSE
                self._revive(name, full=bool(full))
            elif state.state == RUNNING and now >= self._next_try.get(name, math.inf):
                del self._next_try[name]
                del self._said[name]

    def _revive(self, name: str, *, full: bool) -> None:
        if full:
            self._say_once(name, f"{name} ended, and is started again once there is room")
            return
        last = self._supervisor.last_words(name)
        self._say_once(name, f"{name} keeps dying, and is tried again. Its log ends with: {last}")
        with suppress(Fault):  # it died again at once
            self._supervisor.start([name])

    def _say_once(self, name: str, what: str) -> None:
        now = time.monotonic()
        if now >= self._said.get(name, 0.0):
            self._said[name] = now + REMINDER
            self._say(what)


def wait_for_room(data: Path, say: Callable[[str], None], stop: threading.Event) -> None:
    """Return once there is room to start in a folder, which need not be there yet, or at ``stop``.

    On a full disk nothing may be begun: a file half written is found at the next start.
    """
    there = next(folder for folder in (data, *data.absolute().parents) if folder.exists())
    if full := _full(there):
        say(full)
        while _full(there) and not stop.wait(1):
            pass


def _full(folder: Path) -> str:
    free = shutil.disk_usage(folder).free
    if free >= ROOM:
        return ""
    return (
        f"The disk of {folder} is full ({free >> 20} MB free): nothing is started before"
        f" there are {ROOM >> 20} MB."
    )
