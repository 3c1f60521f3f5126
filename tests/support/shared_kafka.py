"""One Apache Kafka for a whole test process, emptied between its uses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

from kafka.errors import KafkaError

from local.parts import Part
from tests.support.processes import end, launch, wait_ready
from tests.support.running import eventually
from vigil.kafka.clients import open_admin
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings

SECONDS = 5.0
"""How long emptying may take; the group of a member that never left lasts longer."""


class SharedKafka:
    """Use it in a ``with``.

    Args:
        prepare: prepares a broker that has no log yet, in the given folder.
        folder: for the brokers' own folders.
    """

    def __init__(self, prepare: Callable[[Path], Part], folder: Path):
        self._prepare = prepare
        self._folder = folder
        self._started = 0
        self._part: Part | None = None
        self._process: Popen[bytes] | None = None

    def address_of_empty(self) -> str:
        """The address of a broker without a topic and without a group.

        A broker that has ended, or whose groups still have members, is replaced by a new one.
        """
        if self._part is None or not self._emptied():
            self.end()
            self._started += 1
            self._part = self._prepare(self._folder / str(self._started))
            self._process = launch(self._part)
            wait_ready(self._part, self._process)
        return self._part.address

    def end(self) -> None:
        """Stop the broker, if there is one."""
        if self._process is not None:
            end(self._process)
        self._process = None

    def _emptied(self) -> bool:
        if self._process is None or self._process.poll() is not None or self._part is None:
            return False
        settings = Settings(kafka_bootstrap=self._part.address, startup_timeout_seconds=SECONDS)
        try:
            with open_admin(settings) as admin:
                topics, groups = _topics(admin), _groups(admin)
                if topics:
                    admin.delete_topics(topics)
                if groups:
                    admin.delete_groups(groups)
                eventually(lambda: not _topics(admin) and not _groups(admin), SECONDS)
        except (KafkaError, UnavailableError, AssertionError):
            return False
        return True


def _topics(admin: Any) -> list[str]:
    """All but the broker's own."""
    return [name for name in admin.list_topics() if not name.startswith("__")]


def _groups(admin: Any) -> list[str]:
    return [group["group_id"] for group in admin.list_groups()]
