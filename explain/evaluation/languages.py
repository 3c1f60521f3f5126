"""Patients' texts in the other languages, held against English and the rules of each locale."""

from __future__ import annotations

from collections import Counter
from itertools import islice

from msgspec import Struct
from msgspec.structs import replace

from explain import languages
from explain.evaluation import sets
from explain.tables import slots_of
from explain.templates.compose import facts_of
from explain.templates.drafts import choice_of, draft
from explain.verifier.translations import verify_local


class Language(Struct, frozen=True):
    """One locale's texts."""

    locale: str
    texts: int
    unlike: int
    """Texts that show other slots than the English of the same event."""
    refused: Counter[str]
    """Reason code of the locale's rules → texts."""


def measure(count: int = sets.LANGUAGES) -> list[Language]:
    """The core grid's events, ``count`` of them evenly apart, in each locale but English."""
    step = sets.CORE // count
    events = list(islice(sets.core(), 0, None, step))[:count]
    found = []
    for locale in languages.LOCALES[1:]:
        unlike, refused = 0, Counter[str]()
        for event in events:
            english = facts_of(event, "patient")
            local = replace(english, locale=locale)
            choice = choice_of(event.event_id)
            theirs, ours = draft(english, choice), draft(local, choice)
            unlike += slots_of(theirs.message) != slots_of(ours.message)
            refused.update(verify_local(ours, local, theirs.seen.slots))
        found.append(Language(locale, len(events), unlike, refused))
    return found
