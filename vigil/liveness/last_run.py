"""Whether a worker's last run on this machine ended normally, or its process was killed.

A message can kill a process where no ``except`` helps: by exhausting its memory, or in a compiled
library. A worker whose last run did not end normally begins with a single message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vigil.dead_letters.local_folder import broker_folder

if TYPE_CHECKING:
    from vigil.service.settings import Settings


class LastRun:
    """A file in this machine's folder of dead letters, which exists while the worker runs.

    If it cannot be written nothing is known, and every run counts as ended normally. Copies of a
    worker that share the folder share the file: one of them that is running looks like a killed
    one, too.
    """

    def __init__(self, settings: Settings, service: str):
        self._file = broker_folder(settings) / f".{service}.running"

    def record_start(self) -> bool:
        """Record that a worker starts; True if the last run did not end normally."""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            killed = self._file.exists()
            self._file.touch()
        except OSError:
            return False
        return killed

    def record_end(self) -> None:
        """Record that the worker ends normally."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError:
            return
