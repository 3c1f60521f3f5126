"""Checks finished alerts, composed with the tables alone and with the phrasebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from explain import tables
from explain.evaluation.checks import failures
from explain.facts.extraction import Facts, extract_facts
from explain.facts.slots import measure_slots
from explain.templates.compose import AUDIENCES, Phrases, compose
from explain.verifier.rules.form import grade
from vigil.domain.alert import Alert, Audience
from vigil.domain.episode import Event


@dataclass(slots=True)
class Outcome:
    """One set of events, worded by one source."""

    name: str
    source: str
    events: int = 0
    texts: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Check → texts that fail it."""
    fallback: Counter[str] = field(default_factory=Counter)
    """Reader → alerts in the tables' words."""
    asked: Counter[str] = field(default_factory=Counter)
    """Reader → alerts that a phrase could have worded (an end without recovery has none)."""
    hardest: float = 0.0
    """Highest reading grade of a patient's English text."""
    examples: dict[str, str] = field(default_factory=dict)
    """Check → the first text that fails it."""


def facts_of(event: Event, audience: Audience, locale: str = "en") -> Facts:
    """The facts of an event for an audience, with every slot that the event can fill."""
    return extract_facts(event, audience, locale=locale, slots=measure_slots(event))


def measure_texts(
    name: str, source: str, events: Iterable[Event], phrases: Phrases | None = None
) -> Outcome:
    """Compose an alert for every event and run every check on every text."""
    found = Outcome(name, source)
    for event in events:
        alert = compose(event, phrases)
        facts = {audience: facts_of(event, audience) for audience in AUDIENCES}
        found.events += 1
        found.texts += sum(len(texts) for texts in alert.texts.values())
        for failure in failures(event, alert, facts):
            found.failed[failure] += 1
            found.examples.setdefault(failure, _shown(alert))
        for audience in AUDIENCES:
            if facts[audience].announcement in tables.ANNOUNCEMENTS:
                found.asked[audience] += 1
                found.fallback[audience] += alert.provenance[audience].author == "template"
        read = alert.texts["patient"]["en"]
        found.hardest = max(found.hardest, grade(f"{read.body} {read.action}"))
    return found


def same_for_all(groups: Iterable[list[Event]], phrases: Phrases | None = None) -> tuple[int, int]:
    """The number of events, and of those with a variant whose text differs by any byte."""
    events = differing = 0
    for variants in groups:
        readings = {repr(_read(compose(variant, phrases))) for variant in variants}
        events += 1
        differing += len(readings) > 1
    return events, differing


def _read(alert: Alert) -> tuple[object, ...]:
    """All that a person could read, and its provenance."""
    return alert.texts, alert.slots, alert.local_slots, alert.provenance, alert.priority


def _shown(alert: Alert) -> str:
    text = alert.texts["patient"]["en"]
    return f"{alert.kind} {alert.phase}: {text.title} | {text.body} | {text.action}"
