"""Enrolled patients, devices and users, for the administration page."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct

from store.database.connections import AsyncConnection
from store.episodes.board import fetch_records
from store.people.users import Role
from store.queries import query


class PatientLine(Struct, frozen=True):
    """A patient, and when their last reading was received."""

    patient_id: str
    display_name: str
    ward: str
    active: bool
    synthetic: bool
    received_at: datetime | None
    phones: int


class DeviceLine(Struct, frozen=True):
    """A device and when it last sent."""

    device_id: str
    label: str
    patient_id: str | None
    active: bool
    received_at: datetime | None
    """Within the last 30 days; always None for a hub, which sends for several patients."""
    clock_correction_seconds: int = 0
    """Added to the times that it sends."""


class UserLine(Struct, frozen=True):
    """A user, and when they were last seen."""

    user_id: str
    display_name: str
    role: Role
    active: bool
    last_seen_at: datetime | None


async def patient_lines(connection: AsyncConnection) -> list[PatientLine]:
    """Every patient ever enrolled, by ward and name."""
    return await fetch_records(
        connection,
        PatientLine,
        query("roster/patients"),
        values={},
    )


async def device_lines(connection: AsyncConnection) -> list[DeviceLine]:
    """Every device, active ones first."""
    return await fetch_records(
        connection,
        DeviceLine,
        query("roster/devices"),
        values={},
    )


async def user_lines(connection: AsyncConnection) -> list[UserLine]:
    """Every user, disabled ones too."""
    return await fetch_records(
        connection,
        UserLine,
        query("roster/users"),
        values={},
    )
