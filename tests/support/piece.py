"""A broker or a database that a test may kill, stop for a while and start again."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from local.parts import Part
from tests.support.processes import end, launch, wait_ready


class Piece:
    """A :class:`~local.parts.Part` with the processes below it, on the same port always."""

    def __init__(self, part: Part, log: Path | None = None):
        self.part = part
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, seconds: float = 90) -> None:
        """Start it, and return once it answers."""
        self._process = launch(self.part, self.log)
        wait_ready(self.part, self._process, seconds)

    def start_again_if_ended(self) -> None:
        """Start it where it ended by itself; what runs is left alone."""
        if self._process is not None and self._process.poll() is not None:
            self.start()

    def kill(self) -> None:
        """``kill -9`` of it and of every process below it: a crash, or the power gone."""
        for process in self._tree():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self._process is not None:
            self._process.wait()

    def pause(self, seconds: float) -> None:
        """Hold everything still for so long, as a disk does that hangs, then go on."""
        held = self._tree()
        self._signal(held, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            self._signal(held, signal.SIGCONT)

    def stop(self) -> None:
        """End it in order, if it runs."""
        if self._process is not None and self._process.poll() is None:
            end(self._process, by=self.part.stop_signal)

    def _tree(self) -> list[psutil.Process]:
        if self._process is None or self._process.poll() is not None:
            return []
        root = psutil.Process(self._process.pid)
        return [root, *root.children(recursive=True)]

    def _signal(self, processes: list[psutil.Process], number: signal.Signals) -> None:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)


@contextmanager
def standing(part: Part, log: Path | None = None) -> Iterator[Piece]:
    """A piece that answers, until the block ends."""
    piece = Piece(part, log)
    try:
        piece.start()
        yield piece
    finally:
        piece.stop()
