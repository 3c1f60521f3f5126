"""Detects foreign members in a worker's consumer group.

Kafka assigns partitions to any client that joins under the group's name and does not tell the
others: what a program other than Vigil's consumes is committed as if Vigil had handled it. So each
worker asks every few seconds who is in its group, on a thread of its own, never the loop's.

A worker of Vigil's, of any version, is recognized by its client id, which is the group's name.

- A broker reports each member's client id, address and partitions, or, if its protocol support is
  partial, the members' ids alone, which begin with the client id.
- A client of the newer protocol (KIP-848) turns the whole group into another type, of which
  kafka-python can ask only the type.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from vigil.kafka.clients import open_admin
from vigil.kafka.group_description import CLASSIC, GroupDescription, Member, describe_group
from vigil.service import logs
from vigil.service.errors import VigilError

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("group")

TROUBLE = "stranger"
CHECK_SECONDS = 5.0
STOP_SECONDS = 5.0
MOST_NAMED = 3
"""Foreign members that are described at once."""
MOST_PARTITIONS = 8
"""Partitions that are named of each."""


class GroupWatch:
    """Checks one worker's group, on a thread of its own.

    Args:
        name: the worker's.
        topics: those that it consumes.
    """

    def __init__(self, settings: Settings, name: str, *, topics: Collection[str], health: Health):
        self._settings = settings
        self._worker = name
        self._group = f"vigil-{name}"
        self._topics = topics
        self._health = health
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="group", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; a request in progress is not waited for."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(min(1.0, CHECK_SECONDS)):
            try:
                with open_admin(self._settings, connect_timeout_seconds=0) as admin:
                    while not self._stop.is_set():
                        self._check(admin)
                        self._stop.wait(CHECK_SECONDS)
            except Exception as error:  # any kind: the loop reports what is wrong with the broker
                code = error.code if isinstance(error, VigilError) else type(error).__name__
                log.info("the group cannot be described now", error=code)
                self._stop.wait(CHECK_SECONDS)

    def _check(self, admin: Any) -> None:
        group = describe_group(admin, self._group)
        if group is None or not group.settled:
            return  # the last result holds until the group is known again
        self._health.trouble(TROUBLE, find_foreign_members(self._worker, group, self._topics))


def find_foreign_members(worker: str, group: GroupDescription, topics: Iterable[str]) -> str | None:
    """Describe the members of a worker's group that are not its processes; None: there are none."""
    name = f"vigil-{worker}"
    what = f"what it consumes of {', '.join(sorted(topics))} never reaches {worker}"
    how_to_fix = "Stop that client, or give it a group name of its own (docs/integrators.md)."
    if group.kind != CLASSIC:
        return (
            f"A client that is none of Vigil's joined the group {name} by Kafka's newer protocol"
            f" (the group is of type {group.kind!r} now): {what}. {how_to_fix}"
        )
    foreign = [member for member in group.members if member.client_id != name]
    if not foreign:
        return None
    named = "; ".join(_describe(member) for member in sorted(foreign)[:MOST_NAMED])
    return f"{len(foreign)} in the group {name} are none of Vigil's ({named}): {what}. {how_to_fix}"


def _describe(member: Member) -> str:
    where = f" at {member.host.lstrip('/')}" if member.host else ""
    named = member.partitions[:MOST_PARTITIONS]
    owned = ", ".join(f"{topic}/{number}" for topic, number in named)
    more = " and others" if len(member.partitions) > MOST_PARTITIONS else ""
    return f"client id {member.client_id!r}{where}" + (f" owns {owned}{more}" if owned else "")
