"""Checks of finished alerts, independent of the verifier.

The verifier judges sentences before their slots are filled; this judges what a person reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from explain import tables
from explain.facts.extraction import Facts
from explain.facts.slots import render_slots
from explain.verifier.rules.form import grade
from vigil.domain.alert import Alert, Audience, Text
from vigil.domain.episode import Event

HIGHEST_GRADE, MOST_SENTENCES, MOST_WORDS = 6.0, 5, 18
"""Of what a patient reads (English)."""
UP = frozenset(
    {
        *("high", "higher", "above", "raised", "fast", "faster", "up"),
        *("rose", "risen", "wide", "increased"),
    }
)
DOWN = frozenset(
    {
        *("low", "lower", "below", "slow", "slower", "down"),
        *("fell", "fallen", "dropped", "narrow", "reduced"),
    }
)
DENIED = frozenset({"not", "no", "never", "without"})
REACH = 3
"""Words before a direction in which a denial turns it around."""
FORBIDDEN = re.compile(
    r"\b(sepsis|infarct|stroke|fibrillation|tachycardia|bradycardia|hypertension|hypotension|"
    r"disease|diagnos\w*|medicines?|medication|tablets?|pills?|doses?|aspirin|"
    r"fine|all right|don't worry|nothing to worry|healthy|safe|normal)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"(?<=[.!?。؟।])\s+")


def failures(event: Event, alert: Alert, facts: dict[Audience, Facts]) -> Iterator[str]:
    """What is wrong with an alert: names of metrics, each as often as a text fails it."""
    for audience, texts in alert.texts.items():
        for locale, text in texts.items():
            yield from _of_text(
                event, alert, audience=audience, locale=locale, text=text, facts=facts[audience]
            )
    if (alert.priority, alert.kind, alert.phase) != (event.priority, event.kind, event.phase):
        yield "urgency"


def _of_text(
    event: Event, alert: Alert, audience: Audience, locale: str, text: Text, facts: Facts
) -> Iterator[str]:
    shown = alert.slots if locale == "en" else alert.local_slots[locale]
    whole = f"{text.title} {text.body} {text.action}"
    if "{" in whole or "}" in whole:
        yield "slots"
    rendered = render_slots(event, locale)
    if any(rendered.get(name) != slot_text for name, slot_text in shown.items()):
        yield "slots"
    if _untraced(text, shown):
        yield "numerals"
    table = tables.actions(locale)[audience, facts.category, facts.situation]
    if text.action != table[facts.priority]:
        yield "action"
    if locale != "en":
        return
    if FORBIDDEN.search(f"{text.title} {text.body}"):
        yield "forbidden"
    if contradicts(text.body, facts):
        yield "direction"
    if audience == "patient":
        yield from _hard_to_read(text)


def _untraced(text: Text, shown: dict[str, str]) -> bool:
    """Whether a numeral stands where no slot put it."""
    rest = f"{text.title} {text.body} {text.action}"
    for slot_text in sorted(shown.values(), key=len, reverse=True):
        rest = rest.replace(slot_text, " ")
    return any(unicodedata.category(character)[0] == "N" for character in rest)


def contradicts(body: str, facts: Facts) -> bool:
    """Whether the first sentence that names a direction names the opposite one, or denies it.

    Only for steps before the end, and for the leading finding: an end is worded with the direction
    of the return.
    """
    if facts.direction == "none" or facts.announcement not in {"opened", "updated", "late"}:
        return False
    wanted, other = (UP, DOWN) if facts.direction == "above" else (DOWN, UP)
    for sentence in _SENTENCE.split(body):
        words = re.findall(r"[a-z']+", sentence.lower())
        places = [place for place, word in enumerate(words) if word in wanted]
        if places:
            return all(DENIED & set(words[max(0, place - REACH) : place]) for place in places)
        if other & set(words):
            return True
    return False


def _hard_to_read(text: Text) -> Iterator[str]:
    sentences = _SENTENCE.split(f"{text.body} {text.action}".strip())
    if len(sentences) > MOST_SENTENCES:
        yield "sentences"
    if max(len(sentence.split()) for sentence in sentences) > MOST_WORDS:
        yield "words"
    if grade(f"{text.body} {text.action}") > HIGHEST_GRADE:
        yield "grade"
