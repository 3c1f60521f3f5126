"""What a reviewer does to a phrase: judged, put on ``vitals.phrases``, and seen coming back.

Each act is a revision that the whole of Vigil hears of; the database has it when the store has read
it. So an answer waits a moment for that, and says so where it does not come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from msgspec.structs import replace

from dashboard.shell.publishing import publish
from explain.facts import signature as signatures
from explain.phrasebook.book import faults, judge
from explain.phrasebook.reviewing import REASONS
from store.phrases import review as phrases
from vigil.contracts.wire import outgoing
from vigil.domain import ids
from vigil.domain.phrase import Phrase

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

Verb = Literal["approve", "ban", "unban"]
BECOMES: Mapping[Verb, phrases.Status] = MappingProxyType(
    {"approve": "approved", "ban": "banned", "unban": "draft"}
)
SEEN_SECONDS = 3.0
"""How long an answer waits for the database to have heard."""


class Turned(NamedTuple):
    """Why nothing was done."""

    status: int
    message: str
    reasons: tuple[str, ...] = ()


class Done(NamedTuple):
    """What was done to how many, and whether the database has it yet."""

    number: int
    seen: bool


CHANGED = Turned(409, "Somebody has reviewed this meanwhile. Look again, then decide.")
GONE = Turned(404, "There is no such sentence.")
UNCHANGED = Turned(422, "That is the same sentence. Nothing was changed.")
EMPTY = Turned(422, "Write a sentence first.")


def reviewed(held: Phrase, verb: Verb, by: str, now: datetime) -> Phrase:
    """The next revision of a phrase."""
    status = BECOMES[verb]
    return replace(held, status=status, revision=held.revision + 1, time=now, by=by)


def edited(held: Phrase, text: str, same: Phrase | None, by: str, now: datetime) -> list[Phrase]:
    """The edit as a phrase of its own, approved by who made it; what it replaces is banned.

    Args:
        same: a phrase of just these words that is there already: it is approved instead.
    """
    if same is not None:
        new = reviewed(same, "approve", by, now)
    else:
        new = Phrase(
            phrase_id=ids.phrase_id(held.signature, text),
            signature=held.signature,
            text=text,
            status="approved",
            author="person",
            revision=0,
            time=now,
            by=by,
            replaces=held.phrase_id,
        )
    return [new] if held.status == "banned" else [new, reviewed(held, "ban", by, now)]


def in_words(codes: Sequence[str]) -> tuple[str, ...]:
    """Reason codes as a reviewer reads them."""
    return tuple(REASONS.get(code, code) for code in codes)


async def review(
    context: WebContext, verb: Verb, wanted: Mapping[str, int], by: str
) -> Done | Turned:
    """Approve, ban or un-ban phrases: all of them, or none.

    Args:
        wanted: id → the revision that the reviewer saw.

    Raises:
        UnavailableError: broker or database are away; nothing was recorded.
    """
    async with context.database() as connection:
        held = await phrases.current_phrases(connection, list(wanted))
    if held.keys() != wanted.keys():
        return GONE
    if any(held[each].revision != revision for each, revision in wanted.items()):
        return CHANGED
    now = context.clock()
    made = [reviewed(held[each], verb, by, now) for each in sorted(held)]
    for each in made:
        codes = await asyncio.to_thread(faults, each)
        if codes:
            why = f"The verifier refuses this sentence now: “{each.text}”"
            return Turned(422, why, in_words(codes))
    return await _record(context, made)


async def edit(
    context: WebContext, phrase_id: str, revision: int, text: str, by: str
) -> Done | Turned:
    """Put a sentence in another's place, once the verifier passes it.

    Raises:
        UnavailableError: broker or database are away; nothing was recorded.
    """
    text = " ".join(text.split())
    async with context.database() as connection:
        held = (await phrases.current_phrases(connection, [phrase_id])).get(phrase_id)
        if held is None:
            return GONE
        new_id = ids.phrase_id(held.signature, text)
        same = (await phrases.current_phrases(connection, [new_id])).get(new_id)
    problem = _problem(held, revision, text)
    if problem is not None:
        return problem
    try:
        told = signatures.parse(held.signature)
    except ValueError:
        return Turned(422, "This version of Vigil has no alert for it; it cannot be changed.")
    codes = await asyncio.to_thread(judge, told, text)
    if codes:
        return Turned(422, "The verifier refuses this. Nothing was changed.", in_words(codes))
    return await _record(context, edited(held, text, same, by, context.clock()))


def _problem(held: Phrase, revision: int, text: str) -> Turned | None:
    if not text:
        return EMPTY
    if held.revision != revision:
        return CHANGED
    return UNCHANGED if text == held.text else None


async def _record(context: WebContext, made: Sequence[Phrase]) -> Done:
    await publish(context, [outgoing(each, "dashboard") for each in made])
    return Done(len(made), await _seen(context, made))


async def _seen(context: WebContext, made: Sequence[Phrase]) -> bool:
    """Whether the database has what was published, within a moment."""
    wanted = {each.phrase_id: each.revision for each in made}
    deadline = time.monotonic() + SEEN_SECONDS
    while time.monotonic() < deadline:
        async with context.database() as connection:
            held = await phrases.current_phrases(connection, list(wanted))
        if all(each in held and held[each].revision >= wanted[each] for each in wanted):
            return True
        await asyncio.sleep(0.1)
    return False
