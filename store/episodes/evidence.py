"""The evidence of a patient's episodes and the actions on them, for the patient's page."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from store.database.connections import AsyncConnection
from store.episodes.board import fetch_records
from store.queries import query


class Basis(Struct, frozen=True):
    """The evidence of an episode's newest step, and the provenance of its text."""

    episode_id: str
    sequence: int
    signals: list[str]
    evidence: dict[str, Any]
    context: dict[str, Any]
    detector_version: str
    config_hash: str
    slots: dict[str, str]
    provenance: dict[str, Any]
    """Of the care team's text; empty while there is no text."""
    revision: int | None


class StoredAction(Struct, frozen=True):
    """An action of a person on an episode."""

    episode_id: str
    actor: str
    """The user's name, or ``patient``."""
    verb: str
    time: datetime
    comment: str


async def bases(connection: AsyncConnection, episode_ids: list[str]) -> dict[str, Basis]:
    """Episode id → the evidence of the episode's newest step."""
    found = await fetch_records(
        connection,
        Basis,
        query("evidence/bases"),
        values={"ids": episode_ids},
    )
    return {basis.episode_id: basis for basis in found}


async def actions_of_events(
    connection: AsyncConnection, episode_ids: list[str]
) -> dict[str, list[StoredAction]]:
    """Episode id → the actions on the episode, oldest first."""
    found = await fetch_records(
        connection,
        StoredAction,
        query("evidence/actions"),
        values={"ids": episode_ids},
    )
    by_event: dict[str, list[StoredAction]] = {}
    for action in found:
        by_event.setdefault(action.episode_id, []).append(action)
    return by_event
