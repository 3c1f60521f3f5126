"""Reviews of phrases: checked, published on ``vitals.phrases``, and awaited in the database.

Each review is a revision that all workers receive; the database has it when the store has read it.
So an answer waits a moment for that, and reports where it does not come.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from explain.facts.signature import parse_signature
from explain.phrasebook.book import find_faults, judge_sentence
from explain.phrasebook.reviewing import REFUSAL_REASONS
from store.phrases import review as phrases
from vigil.contracts.wire import to_message
from vigil.domain import ids
from vigil.domain.phrase import Phrase

if TYPE_CHECKING:
    from dashboard.shell.context import WebContext

Verb = Literal["approve", "ban", "unban"]
BECOMES: Mapping[Verb, phrases.Status] = MappingProxyType(
    {"approve": "approved", "ban": "banned", "unban": "draft"}
)
CONFIRM_SECONDS = 3.0
"""How long an answer waits for the database to have the review."""


@dataclass(frozen=True, slots=True)
class ReviewRejected:
    """Why nothing was recorded."""

    status: int
    message: str
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewRecorded:
    """A published review."""

    number: int
    """Phrases that the reviewer decided on."""
    confirmed: bool
    """Whether the database has it yet."""


CHANGED = ReviewRejected(409, "Somebody has reviewed this meanwhile. Look again, then decide.")
GONE = ReviewRejected(404, "There is no such sentence.")
UNCHANGED = ReviewRejected(422, "That is the same sentence. Nothing was changed.")
EMPTY = ReviewRejected(422, "Write a sentence first.")


def next_revision(held: Phrase, verb: Verb, *, by: str, now: datetime) -> Phrase:
    """The next revision of a phrase."""
    status = BECOMES[verb]
    return replace(held, status=status, revision=held.revision + 1, time=now, by=by)


def edit_revisions(
    held: Phrase, text: str, *, same: Phrase | None, by: str, now: datetime
) -> list[Phrase]:
    """The revisions of an edit: a new phrase, approved by its author, and the ban of the old one.

    Args:
        same: an existing phrase of exactly these words: it is approved instead.
    """
    if same is not None:
        new = next_revision(same, "approve", by=by, now=now)
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
    return [new] if held.status == "banned" else [new, next_revision(held, "ban", by=by, now=now)]


def reasons_in_words(codes: Sequence[str]) -> tuple[str, ...]:
    """Reason codes in words."""
    return tuple(REFUSAL_REASONS.get(code, code) for code in codes)


async def review_phrases(
    context: WebContext, verb: Verb, *, wanted: Mapping[str, int], by: str
) -> ReviewRecorded | ReviewRejected:
    """Approve, ban or un-ban phrases: all of them, or none.

    Args:
        wanted: id → the revision that the reviewer saw.

    Raises:
        UnavailableError: broker or database are unavailable; nothing was recorded.
    """
    async with context.database() as connection:
        held = await phrases.current_phrases(connection, list(wanted))
    if held.keys() != wanted.keys():
        return GONE
    if any(held[each].revision != revision for each, revision in wanted.items()):
        return CHANGED
    now = context.clock()
    made = [next_revision(held[each], verb, by=by, now=now) for each in sorted(held)]
    for each in made:
        codes = await asyncio.to_thread(find_faults, each)
        if codes:
            why = f"The verifier refuses this sentence now: “{each.text}”"
            return ReviewRejected(422, why, reasons_in_words(codes))
    return await _record(context, made)


async def edit_phrase(
    context: WebContext, phrase_id: str, *, revision: int, text: str, by: str
) -> ReviewRecorded | ReviewRejected:
    """Replace a sentence by another one that the verifier passes.

    Args:
        revision: the revision that the reviewer saw.

    Raises:
        UnavailableError: broker or database are unavailable; nothing was recorded.
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
        signature = parse_signature(held.signature)
    except ValueError:
        return ReviewRejected(
            422, "This version of Vigil has no alert for it; it cannot be changed."
        )
    codes = await asyncio.to_thread(judge_sentence, signature, text)
    if codes:
        return ReviewRejected(
            422, "The verifier refuses this. Nothing was changed.", reasons_in_words(codes)
        )
    return await _record(context, edit_revisions(held, text, same=same, by=by, now=context.clock()))


def _problem(held: Phrase, revision: int, text: str) -> ReviewRejected | None:
    if not text:
        return EMPTY
    if held.revision != revision:
        return CHANGED
    return UNCHANGED if text == held.text else None


async def _record(context: WebContext, revisions: Sequence[Phrase]) -> ReviewRecorded:
    await context.publish([to_message(each, "dashboard") for each in revisions])
    return ReviewRecorded(len(revisions), await _is_confirmed(context, revisions))


async def _is_confirmed(context: WebContext, revisions: Sequence[Phrase]) -> bool:
    """Whether the database has what was published, within a moment."""
    wanted = {each.phrase_id: each.revision for each in revisions}
    deadline = time.monotonic() + CONFIRM_SECONDS
    while time.monotonic() < deadline:
        async with context.database() as connection:
            held = await phrases.current_phrases(connection, list(wanted))
        if all(each in held and held[each].revision >= wanted[each] for each in wanted):
            return True
        await asyncio.sleep(0.1)
    return False
