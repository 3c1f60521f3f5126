"""Whether a worker's last process on this machine ended in order, or was killed in its work.

A message can kill a process where no ``except`` helps: by its memory, or in a compiled library. A
worker that finds that the one before it did not end in order begins with a single message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vigil.dead_letters.local_folder import folder_of

if TYPE_CHECKING:
    from vigil.service.settings import Settings


class Lives:
    """A file beside the dead letters of this machine, for as long as the worker runs.

    Where it cannot be written nothing is known, and every end counts as one in order. Copies of a
    worker that share the folder share the file: that one of them runs looks like a death, too.
    """

    def __init__(self, settings: Settings, service: str):
        self._file = folder_of(settings) / f".{service}.running"

    def begin(self) -> bool:
        """A worker begins. Whether the one before did not end in order."""
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            killed = self._file.exists()
            self._file.touch()
        except OSError:
            return False
        return killed

    def end(self) -> None:
        """It ends in order."""
        try:
            self._file.unlink(missing_ok=True)
        except OSError:
            return
