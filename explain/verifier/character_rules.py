"""Characters: plain letters and punctuation; every numeral comes from a slot."""

from __future__ import annotations

import unicodedata

from explain.verifier.candidate import PLACEHOLDER, Candidate

PUNCTUATION = frozenset(" .,;:'’()?-–")


def control_character(candidate: Candidate) -> bool:
    """Control, format and bidirectional characters, line breaks, exotic spaces, unassigned ones."""
    return any(
        unicodedata.category(character)[0] == "C"
        or (unicodedata.category(character)[0] == "Z" and character != " ")
        for character in candidate.text
    )


def markup(candidate: Candidate) -> bool:
    """Anything but letters, spaces and plain punctuation: tags, entities, Markdown, URLs, emoji."""
    if "www." in candidate.bare.lower() or "://" in candidate.bare:
        return True
    return any(
        not character.isalnum()
        and character not in PUNCTUATION
        and character != PLACEHOLDER
        and character not in "{}"  # the slot grammar's
        and unicodedata.category(character)[0] not in "CZM"
        for character in candidate.bare
    )


def numeral(candidate: Candidate) -> bool:
    """A digit outside a slot, of any script, or a number in words ("one hundred", "twice")."""
    if any(unicodedata.category(character)[0] == "N" for character in candidate.bare):
        return True
    return candidate.lexicon.numerals.search(candidate.bare) is not None
