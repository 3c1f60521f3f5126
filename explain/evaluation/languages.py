"""Checks patients' texts in other languages against English and the rules of each locale."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import islice

from explain import languages
from explain.evaluation.events import sets
from explain.evaluation.texts import facts_of
from explain.evaluation.translations import verify_local
from explain.tables import slots_of
from explain.templates.drafts import choice_of, draft_text


@dataclass(frozen=True, slots=True)
class Language:
    """One locale's texts."""

    locale: str
    texts: int
    unlike: int
    """Texts that show other slots than the English of the same event."""
    refused: Counter[str]
    """Reason code of the locale's rules → texts."""


def measure_languages(count: int = sets.LANGUAGES) -> list[Language]:
    """Events in each locale but English: ``count`` of the core grid's, evenly apart, every clinical
    one whose duration was not observed, and whose latest reading does not show it."""
    step = sets.CORE // count
    events = list(islice(sets.core_events(), 0, None, step))[:count]
    events += sets.unobserved_events()
    events += sets.latest_events()
    found = []
    for locale in languages.LOCALES[1:]:
        unlike, refused = 0, Counter[str]()
        for event in events:
            english = facts_of(event, "patient")
            local = replace(english, locale=locale)
            choice = choice_of(event.episode_id)
            theirs, ours = draft_text(english, choice), draft_text(local, choice)
            unlike += slots_of(theirs.message) != slots_of(ours.message)
            refused.update(verify_local(ours, local, theirs.seen.slots))
        found.append(Language(locale=locale, texts=len(events), unlike=unlike, refused=refused))
    return found
