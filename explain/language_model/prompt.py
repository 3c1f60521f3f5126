"""Prompts for a language model: facts, slot names and sentences of the tables. A prompt contains no
number, time, name or free text, because :class:`Facts` contains none.

:func:`tuned_request` is the short prompt that the tuned model has learnt; :func:`chat_messages` is
for any other model, with instructions and two examples.
"""

from __future__ import annotations

import json
from hashlib import sha256

from explain import tables
from explain.facts.extraction import Facts
from explain.facts.signature import Signature
from explain.language_model.message import Message
from explain.tables import Announcement, Direction
from explain.templates.drafts import Draft

SYSTEM = (
    "You write one short sentence in plain English for a health alert. Say only what was seen. "
    "Copy every slot in curly braces exactly once. Write no numbers, no causes, no advice."
)
WHEN: dict[Announcement, str] = {
    "opened": "It has begun and goes on.",
    "updated": "It still goes on.",
    "late": "It was earlier.",
    "closed": "It is over now.",
    "withdrawn": "It is no longer checked.",
    "gone": "Nothing more is expected.",
    "taken_back": "It rested on readings that do not count.",
    "unobserved": "It is not measured any more.",
}
STATES: dict[Announcement, str] = {
    "opened": "new",
    "updated": "still so",
    "late": "told late",
    "closed": "over",
}
REQUEST_END = " =>"
"""Measured against the model's own chat turns, which take eight tokens more of forty: after 640
examples the validation loss was the same (1.242 and 1.246 a token)."""
ACTIVITIES = {"rest": "at rest", "asleep": "asleep", "active": "active"}
EXAMPLES: tuple[tuple[str, Direction, Announcement], ...] = (
    ("heart_rate_low", "below", "updated"),
    ("blood_pressure_high", "above", "closed"),
    ("heart_rate_high", "above", "opened"),
)
"""Blocks of the reviewed table whose first sentence shows how; those of other kinds are shown."""


def tuned_request(signature: Signature) -> str:
    """The prompt for a signature, in one line: short, because each word of it costs time.

    >>> tuned_request(Signature("en", "patient", "no_data", "none", "opened", slots=("duration",)))
    'patient | no readings from your device | new | {duration}'
    """
    blocks = tables.audience(signature.locale, signature.audience).blocks
    block = blocks[signature.kind, signature.direction]
    over = signature.announcement in {"closed", "late"}
    parts = [
        signature.audience.replace("_", " "),
        _lower_first(block.title_past if over else block.title),
    ]
    if signature.also:
        kind, _, direction = signature.also.partition(".")
        parts.append(f"with: {_lower_first(blocks[kind, direction].title)}")  # type: ignore[index]
    parts.append(STATES[signature.announcement])
    if signature.activity:
        parts.append(ACTIVITIES[signature.activity])
    parts.append(" ".join(f"{{{slot}}}" for slot in signature.slots) or "no slots")
    return " | ".join(parts)


def framed(request: str) -> str:
    """The text that the answer follows at once.

    >>> framed("patient | new | no slots")
    'patient | new | no slots =>'
    """
    return f"{request}{REQUEST_END}"


def _lower_first(title: str) -> str:
    return title[:1].lower() + title[1:]


def chat_messages(facts: Facts, draft: Draft) -> list[Message]:
    """The conversation that asks for one sentence with the draft's slots."""
    conversation: list[Message] = [{"role": "system", "content": SYSTEM}]
    table = tables.audience(facts.locale, facts.audience).blocks
    shown = [row for row in EXAMPLES if row[0] != facts.kind]
    for kind, direction, announcement in shown[:2]:
        block = table[kind, direction]
        example = block.seen[announcement][0]
        title = block.title_past if announcement == "closed" else block.title
        conversation.append(
            {"role": "user", "content": _chat_request(title, announcement, example.slots)}
        )
        conversation.append({"role": "assistant", "content": example.text})
    own = table[facts.kind, facts.direction]
    title = own.title if facts.situation == "now" else own.title_past
    conversation.append(
        {"role": "user", "content": _chat_request(title, facts.announcement, draft.seen.slots)}
    )
    return conversation


def _chat_request(title: str, announcement: Announcement, slots: frozenset[str]) -> str:
    named = " and ".join(f"{{{slot}}}" for slot in sorted(slots)) or "none"
    return f"Seen: {title}. {WHEN[announcement]} Slots: {named}. Write the sentence."


def prompt_digest(conversation: list[Message]) -> str:
    """Names a prompt in a text's provenance."""
    return sha256(json.dumps(conversation, sort_keys=True).encode()).hexdigest()[:16]
