"""Characters: plain letters and punctuation; every numeral comes from a slot."""

from __future__ import annotations

import re
import unicodedata

from explain.tables import SLOT
from explain.verifier.candidate import Candidate

PUNCTUATION = frozenset(" .,;:'’()?-–")
_ROMAN = re.compile(r"(?<!\w)[IVXLCDM]+(?!\w)")
"""A Roman numeral; "I" too, because a text of ours has no first person alone."""


def control_character(candidate: Candidate) -> bool:
    """Control, format and bidirectional characters, line breaks, exotic spaces, unassigned ones."""
    return any(
        unicodedata.category(character)[0] == "C"
        or (unicodedata.category(character)[0] == "Z" and character != " ")
        for character in set(candidate.text)
    )


def markup(candidate: Candidate) -> bool:
    """Anything but letters, spaces and plain punctuation: tags, entities, Markdown, URLs, emoji."""
    rest = SLOT.sub("", candidate.text)
    opening = candidate.text.strip()[:1]
    if opening and opening != "{" and not opening.isalpha():
        return True  # "- Your heart rate": an item of a list
    if "www." in rest.lower() or "://" in rest:
        return True
    return any(
        not character.isalnum()
        and character not in PUNCTUATION
        and character not in "{}"  # the slot grammar's
        and unicodedata.category(character)[0] not in "CZ"  # the rule before this one's
        for character in set(rest)
    )


def numeral(candidate: Candidate) -> bool:
    """A digit outside a slot, of any script, or a number in words ("one hundred", "twice")."""
    if any(unicodedata.category(character)[0] == "N" for character in set(candidate.bare)):
        return True
    found = candidate.lexicon.numerals.search(candidate.bare)
    return found is not None or _ROMAN.search(candidate.bare) is not None
