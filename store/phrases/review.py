"""What the review page asks of the phrasebook: a page of it, one sentence, and its history."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple

import msgspec

from store.database.connections import AsyncConnection, translated
from store.episodes.board import rows
from store.queries import query
from vigil.domain.alert import Audience
from vigil.domain.phrase import Phrase

Status = Literal["draft", "approved", "banned"]
STATUSES: tuple[Status, ...] = ("draft", "approved", "banned")


class Wanted(NamedTuple):
    """Which phrases are looked at; an empty part asks for any."""

    audience: Audience | Literal[""] = ""
    kind: str = ""
    status: Status | Literal[""] = ""
    text: str = ""
    """Letters that the sentence holds, in either case."""


class Line(NamedTuple):
    """A phrase as it stands."""

    phrase_id: str
    signature: str
    text: str
    status: Status
    author: str
    revision: int
    time: datetime
    by: str
    """The reviewer's name, or their user id; empty: nobody reviewed it."""
    model: str
    adapter: str
    prompt_hash: str
    replaces: str


class Step(NamedTuple):
    """One revision of a phrase."""

    revision: int
    status: Status
    time: datetime
    by: str


class Totals(NamedTuple):
    """How many phrases there are, whatever is looked at."""

    draft: int
    approved: int
    banned: int

    @property
    def all(self) -> int:
        """Of any status."""
        return self.draft + self.approved + self.banned


def _parameters(wanted: Wanted) -> dict[str, Any]:
    like = wanted.text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    return {**wanted._asdict(), "like": f"%{like}%"}


async def page(
    connection: AsyncConnection, wanted: Wanted, size: int, number: int
) -> tuple[int, list[Line]]:
    """How many phrases there are of those wanted, and page ``number`` of them, from 0."""
    parameters = {**_parameters(wanted), "size": size, "skip": size * number}
    with translated():
        row = await (await connection.execute(query("phrases/wanted"), parameters)).fetchone()
    found = await rows(connection, Line, query("phrases/page"), parameters)
    return int(row["n"]) if row else 0, found


async def lines(connection: AsyncConnection, phrase_ids: Sequence[str]) -> list[Line]:
    """Some phrases, as they stand; one that is not there is left out."""
    return await rows(connection, Line, query("phrases/lines"), {"ids": list(phrase_ids)})


async def held(connection: AsyncConnection, phrase_ids: Sequence[str]) -> dict[str, Phrase]:
    """Id → the message that holds."""
    values = {"ids": list(phrase_ids)}
    with translated():
        found = await (await connection.execute(query("phrases/held"), values)).fetchall()
    phrases = [msgspec.json.decode(row["content"], type=Phrase) for row in found]
    return {phrase.phrase_id: phrase for phrase in phrases}


async def history(connection: AsyncConnection, phrase_id: str) -> list[Step]:
    """Every revision of a phrase, the newest first."""
    return await rows(connection, Step, query("phrases/history"), {"phrase": phrase_id})


async def kinds(connection: AsyncConnection) -> list[str]:
    """The kinds that there are phrases for."""
    with translated():
        cursor = await connection.execute(query("phrases/kinds"))
        return [row["kind"] for row in await cursor.fetchall()]


async def totals(connection: AsyncConnection) -> Totals:
    """How many there are of each status."""
    with translated():
        found = await (await connection.execute(query("phrases/totals"))).fetchall()
    counts = {row["status"]: int(row["n"]) for row in found}
    return Totals(*(counts.get(status, 0) for status in STATUSES))
