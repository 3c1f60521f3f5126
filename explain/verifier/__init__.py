"""The verifier: what no text gets past. Pure, and the same for a template and for a model's words.

A rule is a function of a :class:`~explain.verifier.candidate.Candidate` that answers whether the
text must be refused. The table below is the whole verifier; ``docs/explanation.md`` carries it, and
a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from msgspec.structs import replace

from explain.tables import slots_of
from explain.verifier import (
    character_rules,
    content_rules,
    context_rules,
    event_rules,
    fact_rules,
    form_rules,
    slot_rules,
    vocabulary_rules,
)
from explain.verifier.candidate import Candidate
from explain.verifier.findings import findings

if TYPE_CHECKING:
    from explain.drafts import Draft
    from explain.facts import Facts


class Rule(NamedTuple):
    """One rule: its reason code, what it asks, and what it refuses."""

    code: str
    refuses: Callable[[Candidate], bool]
    what: str


RULES = (
    Rule("empty", form_rules.empty, "No words, or a sentence without an end."),
    Rule("control_character", character_rules.control_character,
         "Control, format and bidirectional characters, line breaks, exotic spaces."),
    Rule("markup", character_rules.markup,
         "Tags, entities, Markdown, URLs, emoji: all but letters and plain punctuation."),
    Rule("slot_malformed", slot_rules.malformed,
         "A brace that is no slot's; a slot inside a word."),
    Rule("slot_unknown", slot_rules.unknown, "A slot that this text may not use."),
    Rule("slot_missing", slot_rules.missing, "A required slot that is not there."),
    Rule("slot_repeated", slot_rules.repeated, "A slot more than once."),
    Rule("slot_misplaced", slot_rules.misplaced,
         "A time in a quantity's place, or the reverse; a value beside another vital sign."),
    Rule("numeral", character_rules.numeral, "A number outside a slot, in digits or words."),
    Rule("event_unnamed", event_rules.event_unnamed,
         "A finding is not named or, while it lasts, not said."),
    Rule("event_unknown", event_rules.event_unknown,
         "Another finding than those of the facts is told."),
    Rule("direction", fact_rules.direction, "A direction that the facts do not have."),
    Rule("negation", fact_rules.negation, "The finding, or its end, is denied."),
    Rule("phase", fact_rules.phase, "Over, told as lasting; or lasting, told as over."),
    Rule("context", context_rules.context,
         "Resting, asleep or active, where the facts say otherwise or nothing."),
    Rule("time", context_rules.time, "A time of day or a span that no slot gives."),
    Rule("doubt", content_rules.doubt, "Doubt, a condition or a forecast: may, if, will."),
    Rule("question", content_rules.question, "A question."),
    Rule("degree", content_rules.degree, "How much, which a slot says: slightly, very."),
    Rule("diagnosis", content_rules.forbidden("diagnosis"), "A disease, a cause, a diagnosis."),
    Rule("medicine", content_rules.forbidden("medicine"), "A medicine, a dose, a treatment."),
    Rule("reassurance", content_rules.forbidden("reassurance"), "That all is well."),
    Rule("alarming", content_rules.forbidden("alarming"), "Words that frighten."),
    Rule("advice", content_rules.advice, "What to do, in the sentence on what we saw."),
    Rule("audience", content_rules.audience, "Words for another reader."),
    Rule("name", content_rules.name, "A name: a capital inside a sentence."),
    Rule("sentences", form_rules.sentences, "Too many sentences."),
    Rule("sentence_length", form_rules.sentence_length, "Too long a sentence."),
    Rule("language", form_rules.language, "Another language or script."),
    Rule("vocabulary", vocabulary_rules.vocabulary,
         "A word that is not known to be harmless, in the sentence on what we saw."),
    Rule("reading_grade", form_rules.reading_grade, "Too hard to read for a patient."),
)  # fmt: skip
"""In this order they are asked and reported."""


def verify(candidate: Candidate) -> tuple[str, ...]:
    """The reason codes for which a text must be refused; none: it may go out."""
    return tuple(rule.code for rule in RULES if rule.refuses(candidate))


def verify_draft(draft: Draft, facts: Facts, required: frozenset[str]) -> tuple[str, ...]:
    """The reason codes of a whole text: title, the sentence on what we saw, and the message.

    Args:
        required: the slots that the sentence on what we saw must carry.
    """
    seen = Candidate(draft.seen.text, _said_by(draft.seen.text, facts), "seen", required)
    message = Candidate(draft.message, facts, "message", slots_of(draft.message))
    title = Candidate(draft.title, facts, "title", frozenset())
    codes = [code for part in (title, seen, message) for code in verify(part)]
    return tuple(dict.fromkeys(codes))


def _said_by(sentence: str, facts: Facts) -> Facts:
    """The facts that the one sentence has to say: a further finding only where it is named there,
    because the message may say it in a sentence of its own."""
    told = Candidate(sentence, facts, "seen", frozenset())
    if facts.also and not event_rules.named(told, findings(told)[1]):
        return replace(facts, also="")
    return facts
