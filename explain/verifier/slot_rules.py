"""Slot grammar: only known slots, each required one exactly once."""

from __future__ import annotations

import re

from explain.tables import SLOT
from explain.verifier.candidate import Candidate

_PLACE = re.compile(r"([^\W\d_]+)?\W*\{([a-z][a-z0-9_]*)\}")


def malformed(candidate: Candidate) -> bool:
    """A brace that is no slot's: ``{x.__class__}``, ``{}``, ``{Heart Rate}``, a lone ``}``."""
    rest = SLOT.sub("", candidate.text)
    return "{" in rest or "}" in rest


def unknown(candidate: Candidate) -> bool:
    """A slot that this text may not use, or that this event cannot fill."""
    allowed = candidate.required & set(candidate.facts.slots)
    return any(slot not in allowed for slot in candidate.slots)


def missing(candidate: Candidate) -> bool:
    """A required slot that is not there."""
    return not candidate.required.issubset(candidate.slots)


def repeated(candidate: Candidate) -> bool:
    """A slot that stands there more than once."""
    return len(candidate.slots) != len(set(candidate.slots))


def misplaced(candidate: Candidate) -> bool:
    """A span of time where a quantity should stand, or the reverse: "high for {heart_rate}"."""
    words = candidate.lexicon
    for match in _PLACE.finditer(candidate.text):
        before, slot = (match[1] or "").lower(), match[2]
        if slot in words.places:
            if before not in words.places[slot]:
                return True
        elif before in words.quantity_never:
            return True
    return False
