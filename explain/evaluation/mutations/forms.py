"""Errors of form: markup, characters that cannot be seen, another language, too many words."""

from __future__ import annotations

from random import Random

from explain.facts.signature import Signature

MARKUP = (
    ("<b>", "</b>"),
    ("**", "**"),
    ("`", "`"),
    ("<script>", "</script>"),
    ("[", "](x)"),
    ("# ", ""),
    ("- ", ""),
    ("&lt;", "&gt;"),
    ("", " 💓"),
    ("_", "_"),
    ("", " www.example.org"),
    ("", "!"),
    ('"', '"'),
    ("", " %"),
)
UNSEEN = (
    "\u200b",
    "\u202e",
    "\u2066",
    "\u00ad",
    "\ufeff",
    "\x07",
    "\n",
    "\u00a0",
    "\u2028",
    "\x00",
)
LOOKALIKES = {"a": "а", "e": "е", "o": "о", "i": "і", "c": "с"}
"""Latin letters and Cyrillic ones that look the same."""
FOREIGN = (
    "Su frecuencia es alta desde hace tiempo{}.",
    "Ihr Puls ist seit einiger Zeit hoch{}.",
    "Votre tension est trop haute depuis longtemps{}.",
    "您的心率很高{}.",
    "आपकी हृदय गति अधिक है{}.",
    "معدل ضربات قلبك مرتفع{}.",
    "La sua pressione resta alta{}.",
)
FILLER = {
    "patient": ", as we have seen here in the readings that came in from your device up to now",
    "care_team": ", as seen here in the readings that came in from the device up to now",
}


def markup_inserted(signature: Signature, text: str, chance: Random) -> str | None:
    """Around a sentence, or around a word of it."""
    del signature
    before, after = chance.choice(MARKUP)
    return f"{before}{text.removesuffix('.')}{after}."


def control_character(signature: Signature, text: str, chance: Random) -> str | None:
    """A character that nobody sees, between two words."""
    del signature
    words = text.split(" ")
    place = chance.randrange(1, len(words)) if len(words) > 1 else 0
    words[place] = chance.choice(UNSEEN) + words[place]
    return " ".join(words)


def other_language(signature: Signature, text: str, chance: Random) -> str | None:
    """Another language with the same slots, or letters of another script that look like ours."""
    if chance.random() < 0.5:
        slots = "".join(f", {{{slot}}}" for slot in signature.slots)
        return chance.choice(FOREIGN).format(slots)
    letter = chance.choice(sorted(LOOKALIKES))
    head, brace, rest = text.partition("{")  # a slot's name stays what it is
    return head.replace(letter, LOOKALIKES[letter], 1) + brace + rest


def too_long(signature: Signature, text: str, chance: Random) -> str | None:
    """More words than any reader's sentence may have."""
    del chance
    times = 1 if signature.audience == "patient" else 2
    return text.removesuffix(".") + FILLER[signature.audience] * times + "."
