"""Queries of the review page: a page of the phrasebook, single phrases, and their history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from store.database.connections import AsyncConnection, translated
from store.episodes.board import fetch_records
from store.queries import query
from vigil.domain.alert import Audience
from vigil.domain.phrase import Phrase

Status = Literal["draft", "approved", "banned"]
STATUSES: tuple[Status, ...] = ("draft", "approved", "banned")


@dataclass(frozen=True, slots=True)
class PhraseFilter:
    """Which phrases are listed; an empty field matches any."""

    audience: Audience | Literal[""] = ""
    kind: str = ""
    status: Status | Literal[""] = ""
    text: str = ""
    """Part of the sentence, in any case."""


class Line(msgspec.Struct, frozen=True):
    """A phrase in its current revision."""

    phrase_id: str
    signature: str
    text: str
    status: Status
    author: str
    revision: int
    time: datetime
    by: str
    """The reviewer's name, or their user id; empty: not reviewed."""
    model: str
    adapter: str
    prompt_hash: str
    replaces: str


class Step(msgspec.Struct, frozen=True):
    """One revision of a phrase."""

    revision: int
    status: Status
    time: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Totals:
    """How many phrases there are, whatever the filter."""

    draft: int
    approved: int
    banned: int

    @property
    def all(self) -> int:
        """Phrases of any status."""
        return self.draft + self.approved + self.banned


def _parameters(wanted: PhraseFilter) -> dict[str, Any]:
    like = wanted.text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return {**asdict(wanted), "like": f"%{like}%"}


async def page(
    connection: AsyncConnection, wanted: PhraseFilter, size: int, number: int
) -> tuple[int, list[Line]]:
    """How many phrases match, and page ``number`` of them, from 0."""
    parameters = {**_parameters(wanted), "size": size, "skip": size * number}
    with translated():
        row = await (await connection.execute(query("phrases/count"), parameters)).fetchone()
    found = await fetch_records(connection, Line, query("phrases/page"), values=parameters)
    return int(row["n"]) if row else 0, found


async def lines(connection: AsyncConnection, phrase_ids: Sequence[str]) -> list[Line]:
    """Phrases in their current revision; unknown ids are left out."""
    return await fetch_records(
        connection, Line, query("phrases/lines"), values={"ids": list(phrase_ids)}
    )


async def current_phrases(
    connection: AsyncConnection, phrase_ids: Sequence[str]
) -> dict[str, Phrase]:
    """Phrase id → the message with the current revision."""
    values = {"ids": list(phrase_ids)}
    with translated():
        found = await (await connection.execute(query("phrases/current"), values)).fetchall()
    phrases = [msgspec.json.decode(row["content"], type=Phrase) for row in found]
    return {phrase.phrase_id: phrase for phrase in phrases}


async def history(connection: AsyncConnection, phrase_id: str) -> list[Step]:
    """Every revision of a phrase, the newest first."""
    return await fetch_records(
        connection, Step, query("phrases/history"), values={"phrase": phrase_id}
    )


async def kinds(connection: AsyncConnection) -> list[str]:
    """The kinds of episode that have phrases."""
    with translated():
        cursor = await connection.execute(query("phrases/kinds"))
        return [row["kind"] for row in await cursor.fetchall()]


async def totals(connection: AsyncConnection) -> Totals:
    """How many phrases have each status."""
    with translated():
        found = await (await connection.execute(query("phrases/totals"))).fetchall()
    counts = {row["status"]: int(row["n"]) for row in found}
    return Totals(*(counts.get(status, 0) for status in STATUSES))
