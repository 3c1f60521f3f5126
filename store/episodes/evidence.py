"""What a patient's episodes rest on, and what people did about them, for the patient's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

from store.database.connections import AsyncConnection
from store.episodes.board import rows
from store.queries import query


class Basis(NamedTuple):
    """What an episode's newest step rests on, and where its words came from."""

    event_id: str
    sequence: int
    signals: list[str]
    evidence: dict[str, Any]
    context: dict[str, Any]
    detector_version: str
    config_hash: str
    slots: dict[str, str]
    provenance: dict[str, Any]
    """Of the care team's text; empty while there are no words."""
    revision: int | None


class Deed(NamedTuple):
    """Something that a person did about an episode."""

    event_id: str
    actor: str
    """The user's name, or ``patient``."""
    verb: str
    time: datetime
    comment: str


async def bases(connection: AsyncConnection, event_ids: list[str]) -> dict[str, Basis]:
    """What these episodes rest on, by event id."""
    found = await rows(
        connection,
        Basis,
        query("evidence/bases"),
        {"ids": event_ids},
    )
    return {basis.event_id: basis for basis in found}


async def deeds(connection: AsyncConnection, event_ids: list[str]) -> dict[str, list[Deed]]:
    """What people did about these episodes, oldest first, by event id."""
    found = await rows(
        connection,
        Deed,
        query("evidence/deeds"),
        {"ids": event_ids},
    )
    by_event: dict[str, list[Deed]] = {}
    for deed in found:
        by_event.setdefault(deed.event_id, []).append(deed)
    return by_event
