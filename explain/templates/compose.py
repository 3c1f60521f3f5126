"""An event to an alert: pure, deterministic, at once.

``compose`` is what every alert goes out with: words of the reviewed tables or, for *what we saw*
in English, of the phrasebook. ``reword`` is the same alert with a sentence that a language model
wrote just now, once that has passed the verifier. Titles, what it means, and what to do always
come from the reviewed tables, word for word, in every locale.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from explain.facts import extraction as facts_module
from explain.facts import slots
from explain.facts.extraction import Facts
from explain.facts.signature import Signature
from explain.facts.speech import Said
from explain.templates.drafts import choice_of
from explain.templates.wordings import Plan, Wording, plans
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
    choice = choice_of(event.event_id)
    said = _Said(event)
    for audience, planned in said.plans.items():
        said.add(audience, _found(planned, phrases, choice))
    return said.alert(2 * event.sequence)


def reword(event: Event, by: Mapping[Audience, Phrase], phrases: Phrases | None = None) -> Alert:
    """The same alert, one revision later, with sentences for *what we saw* that a model wrote."""
    choice = choice_of(event.event_id)
    said = _Said(event)
    for audience, planned in said.plans.items():
        if audience in by:
            said.add(audience, planned.phrased(by[audience], choice, "model"))
        else:
            said.add(audience, _found(planned, phrases, choice))
    return said.alert(2 * event.sequence + 1)


def signatures_of(event: Event) -> dict[Audience, Signature]:
    """What a phrase must say of an event to each reader; none for an end told alike of all."""
    planned = plans(facts_module.told(event, slots.measure(event)))
    return {who: plan.signature for who, plan in planned.items() if plan.signature is not None}


def facts_of(event: Event, audience: Audience, locale: str = "en") -> Facts:
    """The facts of an event for an audience."""
    return facts_module.of(event, audience, locale, slots.measure(event))


def _found(planned: Plan, phrases: Phrases | None, choice: int) -> Wording:
    """A phrase where there is one, else the tables' words."""
    if phrases is not None and planned.signature is not None:
        phrase = phrases.find(planned.signature, choice)
        if phrase is not None:
            return planned.phrased(phrase, choice, "phrasebook")
    return planned.template(choice)


class _Said:
    """What an alert says to everyone, as it is put together."""

    def __init__(self, event: Event):
        self._event = event
        self._measured: dict[str, Said] = slots.measure(event)
        self.plans = plans(facts_module.told(event, self._measured))
        self._texts: dict[Audience, dict[str, Text]] = {}
        self._provenance: dict[Audience, Provenance] = {}
        self._slots: dict[str, dict[str, str]] = {}

    def add(self, audience: Audience, wording: Wording) -> None:
        """Say it to an audience."""
        self._provenance[audience] = wording.provenance
        self._texts[audience] = self._filled(wording)

    def _filled(self, wording: Wording) -> dict[str, Text]:
        texts, measured, slots_of = {}, self._measured, self._slots
        for version in wording.versions:
            locale, body, say = version.locale, version.body, version.say
            said = {name: say(measured[name]) for name in body.slots}
            texts[locale] = Text(version.title, body.filled(said), version.action)
            if locale in slots_of:  # English, which both audiences read
                slots_of[locale].update(said)
            else:
                slots_of[locale] = said
        return texts

    def alert(self, revision: int) -> Alert:
        """The whole."""
        event = self._event
        shown = self._slots
        return Alert(
            alert_id=ids.alert_id(event.event_id),
            event_id=event.event_id,
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
