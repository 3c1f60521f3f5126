"""Checks of finished alerts, independent of the verifier.

The verifier judges sentences before their slots are filled; this judges what a person reads.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from explain import tables
from explain.facts.evidence import number
from explain.facts.extraction import SPAN_SLOTS, Facts
from explain.facts.moments import TIMES
from explain.facts.rows import action_rows
from explain.facts.slot_formatting import slot_formatter
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
DURATIONS = {
    "en": re.compile(
        r"\b(?:for (?:about|a while|hours|days|long)|after about"
        r"|(?:has|have) been(?! (?:measured|recorded))|stayed|lasted|continuous\w*"
        r"|all (?:day|night)|ever since|since then|from then)\b"
    ),
    "es": re.compile(r"\b(?:desde hace|lleva|durante|ha estado|duró|sin interrupción)\b"),
    "zh": re.compile(r"一直|持续|已有|始终|连续"),
    "hi": re.compile(r"लगातार|घंटों से|कई दिनों (?:से|तक)|रही है"),
    "ar": re.compile(r"منذ|لمدة|طوال|(?<!يتغير )باستمرار|لعدة"),
}
"""Locale → words that say how long it was, beside slots; few, and apart from the verifier's."""
STILL = {
    "en": re.compile(
        r"\b(?:still(?! so when| be wrong)|remains?|(?:is|are|has been) (?:now )?(?:high|low|raised"
        r"|uneven|unusual|irregular|above|below|higher|lower|far apart|close together))\b",
        re.IGNORECASE,
    ),
    "es": re.compile(r"\b(?:siguen?|todavía|aún|está(?:n)? (?:alt|baj|elevad)[ao]s?)\b"),
    "zh": re.compile(r"仍|还是|依然"),
    "hi": re.compile(r"अब भी|अभी भी|बाद भी"),
    "ar": re.compile(r"(?:لا [تي]زال|ما زال)"),
}
"""Locale → words by which a finding still is; few, and apart from the verifier's."""
DOUBTED = frozenset({"far_from_recent", "devices_disagree", "stuck", "motion"})
"""The reasons for which a value is not believed, and may be right all the same."""
WRONG = {
    "en": re.compile(r"can ?not be (?:right|true)|\b(?:faulty|fault|wrong|odd|impossible)\b", re.I),
    "es": re.compile(r"no pued\w+ ser correct|extrañ|está mal|imposible", re.I),
    "zh": re.compile(r"不可能正确|异样|有误"),
    "hi": re.compile(r"सही नहीं हो सक|अजीब|ग़लत"),
    "ar": re.compile(r"لا يمكن أن تكون صحيحة|غريبة|خاطئة"),
}
"""Locale → words that call a value wrong; few, and apart from the verifier's."""
SINGLE = re.compile(
    r"(?<!\bnot )(?<!\bnot a )(?<!\bnot from )\b(?:one|single) reading\b(?! to the next)"
)
"""English words that something rests on one reading, beside slots."""
_PRIORITY = re.compile(r"\b(?:high|medium|low) priority\b")
"""What the slot of a priority reads, which is no direction."""
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
    table = tables.actions(locale)[audience, action_rows(facts), facts.situation]
    if text.action != table[facts.priority]:
        yield "action"
    if not facts.duration_observed and _claims_duration(event, text, shown=shown, locale=locale):
        yield "durations"
    if event.evidence.get("reason") in DOUBTED and WRONG[locale].search(whole):
        yield "doubted"
    if not _shows(event) and STILL[locale].search(_without_further(text, facts, locale)):
        yield "latest"
    if locale != "en":
        return
    if SINGLE.search(text.body) and not _is_single(event):
        yield "counts"
    if FORBIDDEN.search(f"{text.title} {text.body}"):
        yield "forbidden"
    if contradicts(text.body, facts):
        yield "direction"
    if audience == "patient":
        yield from _hard_to_read(text)


def _claims_duration(event: Event, text: Text, shown: dict[str, str], locale: str) -> bool:
    """Whether it says how long it was: the figure of the whole time, or words of a duration."""
    whole = f"{text.title} {text.body}"
    measured = TIMES["duration"](event, True)
    if measured is not None and slot_formatter(locale).format(measured) in whole:
        return True
    if not SPAN_SLOTS.isdisjoint(shown):
        return True
    for slot_text in sorted(shown.values(), key=len, reverse=True):
        whole = whole.replace(slot_text, " ")
    return DURATIONS[locale].search(whole) is not None


def _shows(event: Event) -> bool:
    """Whether the reading of a step shows the finding, which else was so and is not now."""
    evidence = event.evidence
    if event.phase == "closed" or event.retrospective or event.category == "technical":
        return True
    value, limit = number(evidence, "value"), number(evidence, "limit")
    beyond = evidence.get("within_limits") is False or value is None or limit is None
    if value is not None and limit is not None and not beyond:
        beyond = value <= limit if evidence.get("direction") == "below" else value >= limit
    unread = isinstance(evidence.get("last_reading"), str)
    return beyond and not unread and evidence.get("within_limits") is not True


def _without_further(text: Text, facts: Facts, locale: str) -> str:
    """Title and body but for the sentence on a further finding, which holds by itself."""
    whole = f"{text.title} {text.body}"
    kind, _, direction = facts.also.partition(".")
    if not facts.also:
        return whole
    blocks = tables.audience(locale, facts.audience).blocks
    return whole.replace(blocks[kind, direction].seen["opened"][-1].text, " ")  # type: ignore[index]


def _is_single(event: Event) -> bool:
    """Whether the evidence has one reading, and that one is beyond."""
    return event.evidence.get("samples") == 1 == event.evidence.get("readings_beyond")


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
    for sentence in _SENTENCE.split(_PRIORITY.sub(" ", body)):
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
