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
from explain.facts.slot_formatting import SlotValue
from explain.facts.slots import measure_slots
from explain.templates.drafts import choice_of
from explain.templates.wordings import Plan, Wording, plans_for
from vigil.domain import ids
from vigil.domain.alert import Alert, Audience, Provenance, Text
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
    choice = choice_of(event.episode_id)
    builder = _AlertBuilder(event)
    for audience, planned in builder.plans.items():
        builder.add(audience, _choose_wording(planned, phrases, choice))
    return builder.alert(2 * event.sequence)


def reword(event: Event, by: Mapping[Audience, Phrase], phrases: Phrases | None = None) -> Alert:
    """The same alert, one revision later, with sentences for *what we saw* that a model wrote."""
    choice = choice_of(event.episode_id)
    builder = _AlertBuilder(event)
    for audience, planned in builder.plans.items():
        if audience in by:
            builder.add(audience, planned.phrased(by[audience], choice, "model"))
        else:
            builder.add(audience, _choose_wording(planned, phrases, choice))
    return builder.alert(2 * event.sequence + 1)


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


class _AlertBuilder:
    """Collects the texts of one alert."""

    def __init__(self, event: Event):
        self._event = event
        self._measured: dict[str, SlotValue] = measure_slots(event)
        self.plans = plans_for(extract_event_facts(event, self._measured))
        self._texts: dict[Audience, dict[str, Text]] = {}
        self._provenance: dict[Audience, Provenance] = {}
        self._slots: dict[str, dict[str, str]] = {}

    def add(self, audience: Audience, wording: Wording) -> None:
        """Add the text for an audience."""
        self._provenance[audience] = wording.provenance
        self._texts[audience] = self._filled(wording)

    def _filled(self, wording: Wording) -> dict[str, Text]:
        texts, measured, slots_of = {}, self._measured, self._slots
        for version in wording.versions:
            locale, body, format_slot = version.locale, version.body, version.format_slot
            slot_texts = {name: format_slot(measured[name]) for name in body.slots}
            texts[locale] = Text(version.title, body.fill(slot_texts), version.action)
            if locale in slots_of:  # English, which both audiences read
                slots_of[locale].update(slot_texts)
            else:
                slots_of[locale] = slot_texts
        return texts

    def alert(self, revision: int) -> Alert:
        """The alert with all texts added so far."""
        event = self._event
        shown = self._slots
        return Alert(
            alert_id=ids.alert_id(event.episode_id),
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
            texts=self._texts,
            slots=shown.pop("en"),
            provenance=self._provenance,
            synthetic=event.synthetic,
            local_slots=shown,
        )
