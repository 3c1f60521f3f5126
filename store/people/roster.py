"""Who and what is enrolled, for the administration page."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from store.database.connections import AsyncConnection
from store.episodes.board import rows
from store.people.users import Role
from store.queries import query


class PatientLine(NamedTuple):
    """A patient and when they were last heard of."""

    patient_id: str
    display_name: str
    ward: str
    active: bool
    synthetic: bool
    received_at: datetime | None
    phones: int


class DeviceLine(NamedTuple):
    """A device and when it last sent."""

    device_id: str
    label: str
    patient_id: str | None
    active: bool
    received_at: datetime | None
    """Within 30 days; always None for a hub, which sends for many."""


class UserLine(NamedTuple):
    """A user and when they were last here."""

    user_id: str
    display_name: str
    role: Role
    active: bool
    last_seen_at: datetime | None


async def patients(connection: AsyncConnection) -> list[PatientLine]:
    """Everyone ever enrolled, by ward and name."""
    return await rows(
        connection,
        PatientLine,
        query("roster/patients"),
        {},
    )


async def devices(connection: AsyncConnection) -> list[DeviceLine]:
    """Every device, those in use first."""
    return await rows(
        connection,
        DeviceLine,
        query("roster/devices"),
        {},
    )


async def users(connection: AsyncConnection) -> list[UserLine]:
    """Everyone who may sign in, or once might."""
    return await rows(
        connection,
        UserLine,
        query("roster/users"),
        {},
    )
