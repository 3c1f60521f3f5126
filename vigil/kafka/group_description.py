"""A consumer group as the broker describes it: its type, its state, its members.

``describe_groups`` of kafka-python also converts the caller's permitted operations, and fails on a
broker that reports one it does not know. So the request is sent here, without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from kafka.coordinator.consumer import ConsumerProtocolAssignment
from kafka.errors import for_code
from kafka.protocol.admin import DescribeGroupsRequest

CLASSIC = "classic"
SETTLED = frozenset({"Stable", "Empty"})
"""States of a classic group outside a rebalance: only then is its description reliable."""
_NO_GROUP = frozenset({"", "Dead"})
_UUID_SUFFIX = len("-00000000-0000-0000-0000-000000000000")


@dataclass(frozen=True, slots=True, order=True)
class Member:
    """One member of a group."""

    client_id: str
    """As the broker reports it, or else taken from the member's id, which begins with it."""
    host: str
    """Empty if the broker does not report it."""
    partitions: tuple[tuple[str, int], ...]
    """Topic and number of each that it owns; empty too if the broker does not report them."""


@dataclass(frozen=True, slots=True)
class GroupDescription:
    """A consumer group as the broker describes it."""

    kind: str
    """``classic``, ``consumer`` (KIP-848), …"""
    settled: bool
    """False during a rebalance."""
    members: tuple[Member, ...]


def describe_group(admin: Any, name: str) -> GroupDescription | None:
    """A group as it is now; None: the broker does not know it, or does not permit the request.

    Raises:
        KafkaError: the broker does not answer.
    """
    group = admin._manager.run(_send_request, admin, name)
    if group.group_state in _NO_GROUP:
        kinds = {g["group_id"]: g.get("group_type") for g in admin.list_groups()}
        kind = kinds.get(name)
        if not kind or kind == CLASSIC:
            return None
        return GroupDescription(kind, settled=True, members=())
    if group.error_code:
        return None
    members = tuple(_to_member(member) for member in group.members)
    return GroupDescription(CLASSIC, group.group_state in SETTLED, members)


def find_member_ids(admin: Any, name: str) -> list[str]:
    """The ids of a group's members now.

    Raises:
        KafkaError: the broker does not answer, or does not permit the request.
    """
    group = admin._manager.run(_send_request, admin, name)
    if group.group_state in _NO_GROUP:
        return []
    if group.error_code:
        raise for_code(group.error_code)
    return [member.member_id for member in group.members]


async def _send_request(admin: Any, name: str) -> Any:
    coordinator = (await admin._find_coordinator_ids([name]))[name]
    request = DescribeGroupsRequest(groups=[name], include_authorized_operations=False)
    response = await admin._manager.send(request, node_id=coordinator)
    return response.groups[0]


def _to_member(member: Any) -> Member:
    client_id = member.client_id or member.member_id[:-_UUID_SUFFIX]
    owned = tuple(_decode_assignment(member.member_assignment))
    return Member(client_id, member.client_host or "", owned)


def _decode_assignment(assignment: bytes) -> Sequence[tuple[str, int]]:
    if not assignment:
        return []
    decoded = ConsumerProtocolAssignment.decode(assignment)
    return sorted(
        (topic.topic, number)
        for topic in decoded.assigned_partitions
        for number in topic.partitions
    )
