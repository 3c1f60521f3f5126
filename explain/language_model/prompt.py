"""What a language model is asked: the facts, slot names and sentences of our own. No number, no
time, no name, nobody's free text can be in it, because none of them is in :class:`Facts`.

:func:`request` is the short prompt that the tuned model has learnt; :func:`messages` is for a model
that has learnt nothing of ours, with instructions and two examples.
"""

from __future__ import annotations

import json
from hashlib import sha256

from explain import tables
from explain.facts.extraction import Facts
from explain.facts.signature import Signature
from explain.tables import Direction, Telling
from explain.templates.drafts import Draft

Message = dict[str, str]

SYSTEM = (
    "You write one short sentence in plain English for a health alert. Say only what was seen. "
    "Copy every slot in curly braces exactly once. Write no numbers, no causes, no advice."
)
WHEN: dict[Telling, str] = {
    "opened": "It has begun and goes on.",
    "updated": "It still goes on.",
    "late": "It was earlier.",
    "closed": "It is over now.",
    "withdrawn": "It is no longer checked.",
    "gone": "Nothing more is expected.",
}
TOLD: dict[Telling, str] = {
    "opened": "new",
    "updated": "still so",
    "late": "told late",
    "closed": "over",
}
DOING = {"rest": "at rest", "asleep": "asleep", "active": "active"}
EXAMPLES: tuple[tuple[str, Direction, Telling], ...] = (
    ("heart_rate_low", "below", "updated"),
    ("blood_pressure_high", "above", "closed"),
    ("heart_rate_high", "above", "opened"),
)
"""Blocks of the reviewed table whose first sentence shows how; those of other kinds are shown."""


def request(signature: Signature) -> str:
    """The prompt for a signature, in one line: short, because each word of it costs time.

    >>> request(Signature("en", "patient", "no_data", "none", "opened", slots=("duration",)))
    'patient | no readings from your device | new | {duration}'
    """
    blocks = tables.audience(signature.locale, signature.audience).blocks
    block = blocks[signature.kind, signature.direction]
    over = signature.telling in {"closed", "late"}
    parts = [
        signature.audience.replace("_", " "),
        _small(block.title_past if over else block.title),
    ]
    if signature.also:
        kind, _, direction = signature.also.partition(".")
        parts.append(f"with: {_small(blocks[kind, direction].title)}")  # type: ignore[index]
    parts.append(TOLD[signature.telling])
    if signature.activity:
        parts.append(DOING[signature.activity])
    parts.append(" ".join(f"{{{slot}}}" for slot in signature.slots) or "no slots")
    return " | ".join(parts)


def _small(title: str) -> str:
    return title[:1].lower() + title[1:]


def messages(facts: Facts, draft: Draft) -> list[Message]:
    """The conversation that asks for one sentence with the draft's slots."""
    said: list[Message] = [{"role": "system", "content": SYSTEM}]
    table = tables.audience(facts.locale, facts.audience).blocks
    shown = [row for row in EXAMPLES if row[0] != facts.kind]
    for kind, direction, telling in shown[:2]:
        block = table[kind, direction]
        example = block.seen[telling][0]
        title = block.title_past if telling == "closed" else block.title
        said.append({"role": "user", "content": _request(title, telling, example.slots)})
        said.append({"role": "assistant", "content": example.text})
    own = table[facts.kind, facts.direction]
    title = own.title if facts.situation == "now" else own.title_past
    said.append({"role": "user", "content": _request(title, facts.telling, draft.seen.slots)})
    return said


def _request(title: str, telling: Telling, slots: frozenset[str]) -> str:
    named = " and ".join(f"{{{slot}}}" for slot in sorted(slots)) or "none"
    return f"Seen: {title}. {WHEN[telling]} Slots: {named}. Write the sentence."


def digest(said: list[Message]) -> str:
    """Names a prompt in a text's provenance."""
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
