"""The phrasebook in memory: sentences for *what we saw*, by signature, with their review status.

Pure: no input or output. The worker fills it from the shipped file and from ``vitals.phrases``; the
review page judges edits with :func:`judge_sentence`; ``vigil explain phrasebook build`` writes the
file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Literal

from explain.facts.signature import (
    Signature,
    facts_of_signature,
    fallback_signatures,
    parse_signature,
)
from explain.templates.drafts import draft_around, make_sentence
from explain.verifier import verify_draft
from vigil.domain import ids
from vigil.domain.phrase import Phrase, precedence

PatientText = Literal["approved", "verified"]
"""Which phrases a patient may read: approved ones only, or also verified but unreviewed ones."""
MAX_CHARACTERS = 400
"""Of a sentence; a longer one is refused unread."""
UNKNOWN_SIGNATURE = "signature_unknown"
WRONG_ID = "phrase_id"
BANNED = "banned"


def judge_sentence(signature: Signature, text: str) -> tuple[str, ...]:
    """The reason codes for which a sentence may not be used for a signature; none: it may.

    It is judged as it would be read: with the tables' title and sentences around it.

    >>> from explain.facts.signature import parse_signature
    >>> signature = parse_signature("en/patient/heart_rate_high.above/opened/-/-/heart_rate")
    >>> judge_sentence(signature, "Your heart rate is high, now {heart_rate}.")
    ()
    >>> "direction" in judge_sentence(signature, "Your heart rate is low, now {heart_rate}.")
    True
    """
    if len(text) > MAX_CHARACTERS:
        return ("sentence_length",)
    facts = facts_of_signature(signature)
    draft = draft_around(facts, make_sentence(text, ""), names_further_finding=bool(signature.also))
    return verify_draft(draft, facts, frozenset(signature.slots))


def find_faults(phrase: Phrase) -> tuple[str, ...]:
    """The reason codes for which a phrase from outside cannot be used; none: it can.

    A ban needs no verifier: it shows nothing, and must hold however strict the rules became.
    """
    try:
        signature = parse_signature(phrase.signature)
    except ValueError:  # an older or newer version's
        return (UNKNOWN_SIGNATURE,)
    if phrase.phrase_id != ids.phrase_id(phrase.signature, phrase.text):
        return (WRONG_ID,)
    return () if phrase.status == "banned" else judge_sentence(signature, phrase.text)


def refusals(signature: Signature, text: str, existing: Phrase | None) -> tuple[str, ...]:
    """The reason codes for which a model's sentence may not be shown; none: it may.

    Args:
        existing: the current revision of a phrase with this text, if any: a ban remains in force.
    """
    if existing is not None and existing.status == "banned":
        return (BANNED,)
    return judge_sentence(signature, text)


class Phrasebook:
    """Phrases by signature. Finding takes a few lookups; safe to fill from other threads.

    Args:
        phrases: the initial ones, not judged again: only what :func:`find_faults` has passed.
    """

    def __init__(
        self, phrases: Iterable[Phrase] = (), patient_text: PatientText = "approved"
    ) -> None:
        self._patient_text = patient_text
        self._lock = threading.Lock()
        self._held: dict[str, Phrase] = {}
        self._of: dict[Signature, frozenset[str]] = {}
        self._shown: dict[Signature, tuple[Phrase, ...]] = {}
        for phrase in phrases:
            self.add(phrase)

    def find(self, signature: Signature, choice: int) -> Phrase | None:
        """A phrase that may be shown for the signature, or for a less specific one; None: none may.

        The same phrases and choice give the same one, in whichever order the phrases came.
        """
        for candidate in fallback_signatures(signature):
            shown = self._shown.get(candidate)
            if shown:
                return shown[choice % len(shown)]
        return None

    def has(self, signature: Signature) -> bool:
        """Whether there is a sentence for this very signature that nobody has banned."""
        ids_of = self._of.get(signature, frozenset())
        return any(self._held[each].status != "banned" for each in ids_of)

    def get(self, phrase_id: str) -> Phrase | None:
        """The current revision of a phrase."""
        return self._held.get(phrase_id)

    def may_show(self, phrase: Phrase) -> bool:
        """Whether its reader may see it."""
        if phrase.status == "banned":
            return False
        by_status = phrase.status == "approved" or self._patient_text == "verified"
        return by_status or phrase.signature.split("/")[1] != "patient"

    def add(self, phrase: Phrase) -> bool:
        """Add a phrase, or a revision of one; False where the existing revision takes precedence.

        Raises:
            ValueError: its signature is not one of this version.
        """
        signature = parse_signature(phrase.signature)
        with self._lock:
            existing = self._held.get(phrase.phrase_id)
            if existing is not None and precedence(phrase) <= precedence(existing):
                return False
            self._held[phrase.phrase_id] = phrase
            every = self._of.get(signature, frozenset()) | {phrase.phrase_id}
            self._of[signature] = every
            self._shown[signature] = tuple(
                self._held[each] for each in sorted(every) if self.may_show(self._held[each])
            )
        return True

    def __iter__(self) -> Iterator[Phrase]:
        """The current revision of every phrase, banned ones included, by id."""
        with self._lock:
            return iter([self._held[key] for key in sorted(self._held)])

    def __len__(self) -> int:
        return len(self._held)
