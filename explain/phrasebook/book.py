"""The phrasebook in memory: sentences for *what we saw*, by signature, and who stands for them.

Pure: it talks to nobody. The worker fills it from the shipped file and from ``vitals.phrases``; the
review page judges edits with :func:`judge`; ``vigil explain phrasebook build`` writes the file.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from typing import Literal

from explain.facts import signature as signatures
from explain.facts.signature import Signature
from explain.templates.drafts import around, sentence_of
from explain.verifier import verify_draft
from vigil.domain import ids
from vigil.domain.phrase import Phrase, precedence

PatientText = Literal["approved", "verified"]
"""What a patient may read: what a reviewer approved, or also what only the verifier has passed."""
LONGEST = 400
"""Characters of a sentence; nothing longer is looked at."""
UNKNOWN_SIGNATURE = "signature_unknown"
WRONG_ID = "phrase_id"
BANNED = "banned"


def judge(signature: Signature, text: str) -> tuple[str, ...]:
    """The reason codes for which a sentence may not say a signature; none: it may.

    It is judged as it would be read: with the tables' title and words around it.

    >>> from explain.facts.signature import parse
    >>> told = parse("en/patient/heart_rate_high.above/opened/-/-/heart_rate")
    >>> judge(told, "Your heart rate is high, now {heart_rate}.")
    ()
    >>> "direction" in judge(told, "Your heart rate is low, now {heart_rate}.")
    True
    """
    if len(text) > LONGEST:
        return ("sentence_length",)
    facts = signatures.facts_for(signature)
    draft = around(facts, sentence_of(text, ""), also_told=bool(signature.also))
    return verify_draft(draft, facts, frozenset(signature.slots))


def faults(phrase: Phrase) -> tuple[str, ...]:
    """Why a phrase that came from elsewhere cannot be used; none: it can.

    A ban needs no verifier: it shows nothing, and must hold however strict the rules became.
    """
    try:
        signature = signatures.parse(phrase.signature)
    except ValueError:  # an older or newer version's
        return (UNKNOWN_SIGNATURE,)
    if phrase.phrase_id != ids.phrase_id(phrase.signature, phrase.text):
        return (WRONG_ID,)
    return () if phrase.status == "banned" else judge(signature, phrase.text)


def refusals(signature: Signature, text: str, held: Phrase | None) -> tuple[str, ...]:
    """Why what a model wrote may not be shown; none: it may.

    Args:
        held: the phrase of these words as it stands, if there is one: a ban outlasts the model.
    """
    if held is not None and held.status == "banned":
        return (BANNED,)
    return judge(signature, text)


class Phrasebook:
    """Phrases by signature. Finding is a lookup or a few; safe to fill from other threads.

    Args:
        phrases: to begin with; taken as they are, so only what :func:`faults` has passed.
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
            self.put(phrase)

    def find(self, signature: Signature, choice: int) -> Phrase | None:
        """A phrase that may be shown for the signature, or for one that says less; None: none may.

        The same phrases and choice give the same one, in whichever order the phrases came.
        """
        for told in signatures.wider(signature):
            shown = self._shown.get(told)
            if shown:
                return shown[choice % len(shown)]
        return None

    def has(self, signature: Signature) -> bool:
        """Whether there is a sentence for this very signature that nobody has banned."""
        ids_of = self._of.get(signature, frozenset())
        return any(self._held[each].status != "banned" for each in ids_of)

    def get(self, phrase_id: str) -> Phrase | None:
        """The phrase of an id, as it stands."""
        return self._held.get(phrase_id)

    def may_show(self, phrase: Phrase) -> bool:
        """Whether its reader may see it."""
        if phrase.status == "banned":
            return False
        by_status = phrase.status == "approved" or self._patient_text == "verified"
        return by_status or phrase.signature.split("/")[1] != "patient"

    def put(self, phrase: Phrase) -> bool:
        """Take a phrase, or a revision of one; False where what is held already goes before it.

        Raises:
            ValueError: its signature is none of this version's.
        """
        signature = signatures.parse(phrase.signature)
        with self._lock:
            held = self._held.get(phrase.phrase_id)
            if held is not None and precedence(phrase) <= precedence(held):
                return False
            self._held[phrase.phrase_id] = phrase
            every = self._of.get(signature, frozenset()) | {phrase.phrase_id}
            self._of[signature] = every
            self._shown[signature] = tuple(
                self._held[each] for each in sorted(every) if self.may_show(self._held[each])
            )
        return True

    def __iter__(self) -> Iterator[Phrase]:
        """Every phrase as it stands, banned ones too, by id."""
        with self._lock:
            return iter([self._held[key] for key in sorted(self._held)])

    def __len__(self) -> int:
        return len(self._held)
