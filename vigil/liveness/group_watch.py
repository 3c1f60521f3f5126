"""Notices a stranger in a worker's consumer group.

Kafka gives partitions to whoever joins under the group's name, and says nothing to the others: what
a program that is none of Vigil's takes is committed as if Vigil had handled it. So each worker asks
now and then who is in its group. It asks on a thread of its own, never the loop's.

A worker of Vigil's, of any version, is known by its client id, which is the group's name.

- Apache Kafka tells each member's client id, address and partitions. A client of the newer protocol
  (KIP-848) turns the whole group into another type, of which kafka-python can ask only that.
- Tansu tells the members' ids alone, which begin with the client id; not what they own.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka.protocol.admin import DescribeGroupsRequest

from vigil.kafka.clients import open_admin
from vigil.service import logs
from vigil.service.errors import VigilError

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("group")

TROUBLE = "stranger"
LOOK_SECONDS = 5.0
STOP_SECONDS = 5.0
CLASSIC = "classic"
SETTLED = frozenset({"Stable", "Empty"})
"""States of a classic group in which what it tells is so; in the others it is being shared out."""


class Member(NamedTuple):
    """One member of a group."""

    name: str
    """Its client id, as far as the broker tells it."""
    host: str
    partitions: tuple[tuple[str, int], ...]
    """Topic and number of each that it owns; empty too where the broker does not tell."""


class Group(NamedTuple):
    """A consumer group as the broker describes it."""

    kind: str
    """``classic``, ``consumer`` (KIP-848), …"""
    settled: bool
    """False: it is being shared out."""
    members: tuple[Member, ...]


class GroupWatch:
    """Looks at one worker's group, on a thread of its own."""

    def __init__(self, settings: Settings, name: str, topics: Collection[str], health: Health):
        self._settings = settings
        self._worker = name
        self._group = f"vigil-{name}"
        self._topics = topics
        self._health = health
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="group", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what was asked is not waited for."""
        self._stop.set()
        self._thread.join(STOP_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(min(1.0, LOOK_SECONDS)):
            try:
                with open_admin(self._settings, patience=0) as admin:
                    while not self._stop.is_set():
                        self._look(admin)
                        self._stop.wait(LOOK_SECONDS)
            except Exception as error:  # whatever it is: the loop says what the broker lacks
                code = error.code if isinstance(error, VigilError) else type(error).__name__
                log.info("the group cannot be described now", error=code)
                self._stop.wait(LOOK_SECONDS)

    def _look(self, admin: Any) -> None:
        group = describe(admin, self._group)
        if group is None or not group.settled:
            return  # what was said last stands until it is known better
        self._health.trouble(TROUBLE, verdict(self._worker, group, self._topics))


def verdict(worker: str, group: Group, topics: Iterable[str]) -> str | None:
    """What is wrong with a worker's group; None: nobody is in it but that worker's processes."""
    name = f"vigil-{worker}"
    what = f"what it takes of {', '.join(sorted(topics))} never reaches {worker}"
    how_to_fix = "Stop that client, or give it a group name of its own (docs/integrators.md)."
    if group.kind != CLASSIC:
        return (
            f"A client that is none of Vigil's joined the group {name} by Kafka's newer protocol"
            f" (the group is of type {group.kind!r} now): {what}. {how_to_fix}"
        )
    strangers = [member for member in group.members if member.name != name]
    if not strangers:
        return None
    told = "; ".join(_described(member) for member in sorted(strangers)[:3])
    return (
        f"{len(strangers)} in the group {name} are none of Vigil's ({told}): {what}. {how_to_fix}"
    )


def _described(member: Member) -> str:
    where = f" at {member.host.lstrip('/')}" if member.host else ""
    owned = ", ".join(f"{topic}/{number}" for topic, number in member.partitions[:8])
    more = " and others" if len(member.partitions) > 8 else ""
    return f"client id {member.name!r}{where}" + (f" owns {owned}{more}" if owned else "")


def describe(admin: Any, name: str) -> Group | None:
    """A group as it is now; None: the broker does not know it, or does not let us ask.

    Raises:
        KafkaError: the broker does not answer.
    """
    told = admin._manager.run(_asked, admin, name)
    if told.group_state in ("", "Dead"):
        kinds = {g["group_id"]: g.get("group_type") for g in admin.list_groups()}
        kind = kinds.get(name)
        return Group(kind, settled=True, members=()) if kind and kind != CLASSIC else None
    if told.error_code:
        return None
    members = tuple(_member(member) for member in told.members)
    return Group(CLASSIC, told.group_state in SETTLED, members)


async def _asked(admin: Any, name: str) -> Any:
    """``describe_groups`` of kafka-python asks for the caller's rights besides, and fails on what
    Tansu answers to that."""
    coordinator = (await admin._find_coordinator_ids([name]))[name]
    request = DescribeGroupsRequest(groups=[name], include_authorized_operations=False)
    response = await admin._manager.send(request, node_id=coordinator)
    return response.groups[0]


def _member(told: Any) -> Member:
    name = told.client_id or told.member_id[: -len("-00000000-0000-0000-0000-000000000000")]
    return Member(name, told.client_host or "", tuple(_owned(told.member_assignment)))


def _owned(assignment: bytes) -> Sequence[tuple[str, int]]:
    from kafka.coordinator.consumer import ConsumerProtocolAssignment  # noqa: PLC0415

    if not assignment:
        return []
    decoded = ConsumerProtocolAssignment.decode(assignment)
    return sorted(
        (topic.topic, number)
        for topic in decoded.assigned_partitions
        for number in topic.partitions
    )
