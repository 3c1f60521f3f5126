"""Errors of what is claimed: direction, negation, end, subject, reader, circumstances."""

from __future__ import annotations

import re
from random import Random

from explain.facts.signature import (
    ANNOUNCED_ACTIVITIES,
    LASTING,
    Signature,
    facts_of_signature,
)

_PAIRS = (
    ("high", "low"),
    ("higher", "lower"),
    ("above", "below"),
    ("raised", "lowered"),
    ("fast", "slow"),
    ("faster", "slower"),
    ("wide", "narrow"),
    ("wider", "narrower"),
    ("far apart", "close together"),
    ("rose", "fell"),
    ("risen", "fallen"),
    ("rising", "falling"),
    ("back down", "back up"),
    ("come down", "come up"),
    ("gone up", "gone down"),
    ("went up", "went down"),
    ("elevated", "lowered"),
)
OPPOSITES = {**dict(_PAIRS), **{b: a for a, b in reversed(_PAIRS)}}
_DIRECTION = re.compile(
    r"\b(?:" + "|".join(sorted(OPPOSITES, key=len, reverse=True)) + r")\b", re.IGNORECASE
)
_NEGATED = re.compile(
    r"\b(?:no|not|never|none|nothing|without|nor|cannot)\b|n['’]t\b", re.IGNORECASE
)
_VERB = re.compile(r"\b(is|are|was|were|has|have|had|does|did)\b(?! (?:now )?(?:at )?\{)")
_REMOVED = re.compile(r"\b(?:no longer|not yet|not|no|never) ", re.IGNORECASE)
_REPEATED = re.compile(r"lasted|silen", re.IGNORECASE)
_STILL_TRUE = re.compile(r"\bnot (?:changed|moved|only|just|yet)\b", re.IGNORECASE)
_HEART = re.compile(
    r"\b(?:resting )?(?:heart ?rate|heartbeat|pulse rate|heart|pulse)\b", re.IGNORECASE
)
_BLOOD = re.compile(r"\bblood pressure\b(?! (?:gap|numbers))", re.IGNORECASE)
_ENDED = re.compile(
    r"[,;]? (?:and|but)(?: it)?(?: has| have| is| are)?(?: now| since)*"
    r" (?:come|gone|back|ended|over|no)\b[^{]*$"
)
ENDS = (
    ", but that is over now",
    " and has now ended",
    ", but it has gone back to usual",
    ", but it has since settled",
    ", and it is over now",
    " and has come back to usual",
)
DURATIONS = (
    ", as it has been all along",
    ", and has stayed so",
    " throughout",
    " without a break",
    ", ever since",
    ", and has been for a while",
    " at all times, continuously",
    ", from then on without interruption",
)
ELSEWHERE = {
    "heart": ", and your blood pressure is low",
    "blood": ", and your heart rate is high",
    "device": ", and your heart rate is high",
}
CIRCUMSTANCES: dict[str, dict[str, tuple[str, ...]]] = {
    "patient": {
        "rest": (" while you were resting", " as you sat still", " at rest"),
        "asleep": (" while you slept", " as you were asleep", " in your sleep"),
        "active": (" while you were active", " as you walked", " on the move"),
    },
    "care_team": {
        "rest": (" at rest", " while seated"),
        "asleep": (" during sleep", " while asleep"),
        "active": (" while active", " during exercise", " when walking"),
    },
}


def direction_flipped(signature: Signature, text: str, chance: Random) -> str | None:
    """Each word of direction turned around; not where the finding has none."""
    del chance
    if signature.direction == "none" or "limit" in text:  # "above the low limit" may be true
        return None
    return _DIRECTION.sub(lambda match: _like(match[0], OPPOSITES[match[0].lower()]), text)


def _like(model: str, word: str) -> str:
    return word.capitalize() if model[:1].isupper() else word


def negation_added(signature: Signature, text: str, chance: Random) -> str | None:
    """A "not" after the first verb; not where something is negated already."""
    del chance, signature
    return None if _NEGATED.search(text) else _VERB.sub(r"\1 not", text, count=1)


def negation_removed(signature: Signature, text: str, chance: Random) -> str | None:
    """A negator gone; not where the sentence says the same without it ("has not changed"), nor
    where another part of it says so too ("silent: no readings", "the episode lasted ...")."""
    del chance, signature
    if _STILL_TRUE.search(text) or _REPEATED.search(text) or len(_NEGATED.findall(text)) != 1:
        return None
    without = _REMOVED.sub("", text, count=1)
    return without[:1].upper() + without[1:]


def end_claimed(signature: Signature, text: str, chance: Random) -> str | None:
    """Over, of what lasts."""
    if signature.announcement not in LASTING:
        return None
    return text.removesuffix(".") + chance.choice(ENDS) + "."


def end_removed(signature: Signature, text: str, chance: Random) -> str | None:
    """ "Still" for "no longer", or the end cut off, of what is over; not where it "lasted"."""
    del chance
    if signature.announcement != "closed" or "lasted" in text:
        return None
    if "no longer" in text:
        return text.replace("no longer", "still", 1)
    return _ENDED.sub(".", text)


def other_event_named(signature: Signature, text: str, chance: Random) -> str | None:
    """Another vital sign instead of or next to the right one; not where both are named."""
    if signature.also or signature.kind == "shock_index_high":
        return None
    group = _group(signature)
    swap = {"heart": (_HEART, "blood pressure"), "blood": (_BLOOD, "heart rate")}.get(group)
    if swap and chance.random() < 0.5:
        pattern, other = swap
        return pattern.sub(lambda match: _like(match[0], other), text)
    claim = ELSEWHERE[group]
    if signature.audience == "care_team":
        claim = claim.replace("your ", "")
    return text.removesuffix(".") + claim + "."


def event_unnamed(signature: Signature, text: str, chance: Random) -> str | None:
    """What was measured, called "it": the heart rate or the blood pressure."""
    del chance
    if signature.kind == "shock_index_high":
        return None
    pattern = {"heart": _HEART, "blood": _BLOOD}.get(_group(signature))
    if pattern is None or not pattern.search(text):
        return None
    bare = re.sub(rf"\b(?:your|the|an?) (?={pattern.pattern})", "", text, flags=re.IGNORECASE)
    return pattern.sub(lambda match: _like(match[0], "it"), bare)


def _group(signature: Signature) -> str:
    if signature.kind.startswith(("heart_rate", "resting")):
        return "heart"
    if signature.kind.startswith("blood_pressure"):
        return "blood"
    return "device"


def duration_claimed(signature: Signature, text: str, chance: Random) -> str | None:
    """How long it was, of what was not observed all along: a signature without a slot of a span."""
    if facts_of_signature(signature).duration_observed:
        return None
    return text.removesuffix(".") + chance.choice(DURATIONS) + "."


def wrong_audience(signature: Signature, text: str, chance: Random) -> str | None:
    """The patient in the third person, or the care team addressed directly."""
    if signature.audience == "patient":
        other = chance.choice(("this person's", "the patient's", "her", "his"))
        return re.sub(r"\byour\b", other, text, flags=re.IGNORECASE)
    return (
        text.removesuffix(".") + chance.choice((" for you", ", as you know", " in your case")) + "."
    )


def context_claimed(signature: Signature, text: str, chance: Random) -> str | None:
    """An activity where the facts have another or none.

    Not at rest or asleep for a kind that is measured then.
    """
    possible = [doing for doing in ANNOUNCED_ACTIVITIES if doing != signature.activity]
    if signature.kind == "resting_heart_rate_raised":
        possible = ["active"] if signature.activity != "active" else []
    if not possible:
        return None
    endings = CIRCUMSTANCES[signature.audience][chance.choice(possible)]
    return text.removesuffix(".") + chance.choice(endings) + "."
