"""Composes the alert of an event: pure, deterministic, without waiting.

``compose`` makes the first revision of every alert: words of the reviewed tables or, for *what we
saw* in English, of the phrasebook. ``reword`` makes a later revision with a sentence that a
language model has written and the verifier has passed. Titles, meanings and actions always come
from the reviewed tables, word for word, in every locale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from explain.facts.extraction import extract_event_facts
from explain.facts.signature import Signature
from explain.facts.slot_formatting import SlotValue, format_in_every_locale
from explain.facts.slots import measure_slots
from explain.templates.drafts import choice_of
from explain.templates.wordings import Plan, Wording, plans_for
from vigil.domain import ids
from vigil.domain.alert import Alert, Audience, Text
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase

AUDIENCES: tuple[Audience, ...] = ("care_team", "patient")


class Phrases(Protocol):
    """Where a sentence for a signature may be found:
    :class:`explain.phrasebook.book.Phrasebook`."""

    def find(self, signature: Signature, choice: int) -> Phrase | None:
        """One of the phrases that may be shown for it; the same choice gives the same one."""


def compose(event: Event, phrases: Phrases | None = None) -> Alert:
    """The alert of an event. The same event and phrases always give the same alert."""
    measured = measure_slots(event)
    choice = choice_of(event.episode_id)
    wordings = {
        audience: _choose_wording(plan, phrases, choice)
        for audience, plan in plans_for(extract_event_facts(event, measured)).items()
    }
    return _fill(event, wordings, measured, revision=2 * event.sequence)


def reword(event: Event, by: Mapping[Audience, Phrase], phrases: Phrases | None = None) -> Alert:
    """The same alert, one revision later, with sentences for *what we saw* that a model wrote."""
    measured = measure_slots(event)
    choice = choice_of(event.episode_id)
    wordings = {
        audience: plan.phrased(by[audience], choice, "model")
        if audience in by
        else _choose_wording(plan, phrases, choice)
        for audience, plan in plans_for(extract_event_facts(event, measured)).items()
    }
    return _fill(event, wordings, measured, revision=2 * event.sequence + 1)


def signatures_of(event: Event) -> dict[Audience, Signature]:
    """The signature of an event for each reader; none for an end that every kind words alike."""
    planned = plans_for(extract_event_facts(event, measure_slots(event)))
    return {who: plan.signature for who, plan in planned.items() if plan.signature is not None}


def _choose_wording(planned: Plan, phrases: Phrases | None, choice: int) -> Wording:
    """A phrase where there is one, else the tables' words."""
    if phrases is not None and planned.signature is not None:
        phrase = phrases.find(planned.signature, choice)
        if phrase is not None:
            return planned.phrased(phrase, choice, "phrasebook")
    return planned.template(choice)


def _fill(
    event: Event,
    wordings: Mapping[Audience, Wording],
    measured: Mapping[str, SlotValue],
    revision: int,
) -> Alert:
    """The alert in these wordings, with the event's own figures."""
    slots: dict[str, dict[str, str]] = {}
    texts = {audience: _texts(each, measured, slots) for audience, each in wordings.items()}
    return Alert(
        alert_id=ids.alert_id(event.episode_id),
        event_id=event.episode_id,
        episode_id=event.episode_id,
        patient_id=event.patient_id,
        revision=revision,
        sequence=event.sequence,
        kind=event.kind,
        category=event.category,
        phase=event.phase,
        priority=event.priority,
        retrospective=event.retrospective,
        time=event.detected_at,
        onset=event.onset,
        texts=texts,
        slots=slots.pop("en"),
        provenance={audience: each.provenance for audience, each in wordings.items()},
        synthetic=event.synthetic,
        local_slots=slots,
        change=event.change,
        highest_priority=event.highest_priority,
        time_uncertain=event.time_uncertain,
        withdrawn=event.withdrawn,
        corrected=event.corrected,
    )


def _texts(
    wording: Wording, measured: Mapping[str, SlotValue], slots: dict[str, dict[str, str]]
) -> dict[str, Text]:
    """The texts of a wording by locale; adds the slots that they show to those of their locale."""
    texts: dict[str, Text] = {}
    written = {name: format_in_every_locale(measured[name]) for name in wording.slots}
    for locale, title, pieces, places, action in wording.versions:
        parts, shown = pieces.copy(), slots.setdefault(locale, {})
        for place, name in places:
            parts[place] = shown[name] = written[name][locale]
        texts[locale] = Text(title, "".join(parts), action)
    return texts
