"""Who and what is enrolled, for the administration page."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from store.board import rows
from store.database import AsyncConnection
from store.users import Role


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
        """
        SELECT p.patient_id, p.display_name, p.ward, p.active, p.synthetic,
               (SELECT max(received_at) FROM latest l WHERE l.patient_id = p.patient_id)
                   AS received_at,
               (SELECT count(*) FROM phones f
                WHERE f.patient_id = p.patient_id AND f.revoked_at IS NULL) AS phones
        FROM patients p ORDER BY p.active DESC, p.ward, p.display_name, p.patient_id
        """,
        {},
    )


async def devices(connection: AsyncConnection) -> list[DeviceLine]:
    """Every device, those in use first."""
    return await rows(
        connection,
        DeviceLine,
        """
        SELECT d.device_id, d.label, d.patient_id, d.active, r.received_at
        FROM devices d
        LEFT JOIN LATERAL (
            SELECT received_at FROM readings r
            WHERE r.patient_id = d.patient_id AND r.device_id = d.device_id
              AND r.time > now() - interval '30 days'
            ORDER BY r.time DESC LIMIT 1
        ) r ON true
        ORDER BY d.active DESC, d.device_id
        """,
        {},
    )


async def users(connection: AsyncConnection) -> list[UserLine]:
    """Everyone who may sign in, or once might."""
    return await rows(
        connection,
        UserLine,
        """
        SELECT u.user_id, u.display_name, u.role, u.active,
               (SELECT max(last_seen_at) FROM sessions s WHERE s.user_id = u.user_id)
                   AS last_seen_at
        FROM users u ORDER BY u.active DESC, u.user_id
        """,
        {},
    )
