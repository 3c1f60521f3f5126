"""The verifier, which every text must pass. Pure; the same for a template and a model's sentence.

A rule is a function of a :class:`~explain.verifier.candidate.Candidate` that answers whether the
text must be refused. The table below is the whole verifier; ``docs/explanation.md`` carries it, and
a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from explain.tables import slots_of
from explain.verifier.candidate import Candidate
from explain.verifier.findings import findings
from explain.verifier.rules import character, content, context, event, fact, form, slot, vocabulary

if TYPE_CHECKING:
    from explain.facts.extraction import Facts
    from explain.templates.drafts import Draft


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its reason code, what it asks, and what it refuses."""

    code: str
    refuses: Callable[[Candidate], bool]
    what: str


RULES = (
    Rule("empty", form.empty, "No words, or a sentence without an end."),
    Rule(
        "control_character",
        character.control_character,
        "Control, format and bidirectional characters, line breaks, exotic spaces.",
    ),
    Rule(
        "markup",
        character.markup,
        "Tags, entities, Markdown, URLs, emoji: all but letters and plain punctuation.",
    ),
    Rule("slot_malformed", slot.malformed, "A brace that is no slot's; a slot inside a word."),
    Rule("slot_unknown", slot.unknown, "A slot that this text may not use."),
    Rule("slot_missing", slot.missing, "A required slot that is not there."),
    Rule("slot_repeated", slot.repeated, "A slot more than once."),
    Rule(
        "slot_misplaced",
        slot.misplaced,
        "A time in a quantity's place, or the reverse; a value beside another vital sign.",
    ),
    Rule("numeral", character.numeral, "A number outside a slot, in digits or words."),
    Rule(
        "event_unnamed", event.event_unnamed, "A finding is not named or, while it lasts, not said."
    ),
    Rule(
        "event_unknown", event.event_unknown, "Another finding than those of the facts is claimed."
    ),
    Rule("direction", fact.direction, "A direction that the facts do not have."),
    Rule("negation", fact.negation, "The finding, or its end, is denied."),
    Rule("phase", fact.phase, "Over, worded as lasting; or lasting, worded as over."),
    Rule(
        "context",
        context.context,
        "Resting, asleep or active, where the facts say otherwise or nothing.",
    ),
    Rule("time", context.time, "A time of day or a span that no slot gives."),
    Rule(
        "duration_unobserved",
        context.duration_unobserved,
        "How long, or from when to when, of what was not observed all along.",
    ),
    Rule(
        "latest_not_beyond",
        fact.latest_not_beyond,
        "Worded as lasting, where the latest reading does not show it.",
    ),
    Rule("doubt", content.doubt, "Doubt, a condition or a forecast: may, if, will."),
    Rule("question", content.question, "A question."),
    Rule("degree", content.degree, "How much, which a slot says: slightly, very."),
    Rule("diagnosis", content.forbidden("diagnosis"), "A disease, a cause, a diagnosis."),
    Rule("medicine", content.forbidden("medicine"), "A medicine, a dose, a treatment."),
    Rule("reassurance", content.forbidden("reassurance"), "That all is well."),
    Rule("alarming", content.forbidden("alarming"), "Words that frighten."),
    Rule("advice", content.advice, "What to do, in the sentence on what we saw."),
    Rule("audience", content.audience, "Words for another reader."),
    Rule("name", content.name, "A name: a capital inside a sentence."),
    Rule("sentences", form.sentences, "Too many sentences."),
    Rule("sentence_length", form.sentence_length, "Too long a sentence."),
    Rule("language", form.language, "Another language or script."),
    Rule(
        "vocabulary",
        vocabulary.vocabulary,
        "A word that is not known to be harmless, in the sentence on what we saw.",
    ),
    Rule("reading_grade", form.reading_grade, "Too hard to read for a patient."),
)
"""In this order they are asked and reported."""


def verify(candidate: Candidate) -> tuple[str, ...]:
    """The reason codes for which a text must be refused; none: it may go out."""
    return tuple(rule.code for rule in RULES if rule.refuses(candidate))


def verify_draft(draft: Draft, facts: Facts, required: frozenset[str]) -> tuple[str, ...]:
    """The reason codes of a whole text: title, the sentence on what we saw, and the message.

    Args:
        required: the slots that the sentence on what we saw must carry.
    """
    seen = Candidate(
        text=draft.seen.text,
        facts=_facts_in_sentence(draft.seen.text, facts),
        part="seen",
        required=required,
    )
    message = Candidate(
        text=draft.message, facts=facts, part="message", required=slots_of(draft.message)
    )
    title = Candidate(text=draft.title, facts=facts, part="title", required=frozenset())
    codes = [code for part in (title, seen, message) for code in verify(part)]
    return tuple(dict.fromkeys(codes))


def _facts_in_sentence(sentence: str, facts: Facts) -> Facts:
    """The facts that the one sentence must contain: a further finding only where it is named there,
    because the message may name it in another sentence."""
    candidate = Candidate(text=sentence, facts=facts, part="seen", required=frozenset())
    if facts.also and not event.is_named(candidate, findings(candidate)[1]):
        return replace(facts, also="")
    return facts
