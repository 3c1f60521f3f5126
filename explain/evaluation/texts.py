"""What goes out, held against what must hold: with the tables alone, and with the phrasebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct, field

from explain import tables
from explain.evaluation.checks import failures
from explain.templates.compose import AUDIENCES, Phrases, compose, facts_of
from explain.verifier.rules.form import grade
from vigil.domain.alert import Alert
from vigil.domain.episode import Event


class Outcome(Struct):
    """One set of events, said by one source of words."""

    name: str
    source: str
    events: int = 0
    texts: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    """Check → texts that fail it."""
    fallback: Counter[str] = field(default_factory=Counter)
    """Reader → alerts in the tables' words."""
    asked: Counter[str] = field(default_factory=Counter)
    """Reader → alerts that a phrase could have told (an end without recovery has none)."""
    hardest: float = 0.0
    """Highest reading grade of a patient's English text."""
    examples: dict[str, str] = {}
    """Check → the first text that fails it."""


def measure(
    name: str, source: str, events: Iterable[Event], phrases: Phrases | None = None
) -> Outcome:
    """Say every event and hold every text against every check."""
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
            if facts[audience].telling in tables.TELLINGS:
                found.asked[audience] += 1
                found.fallback[audience] += alert.provenance[audience].author == "template"
        read = alert.texts["patient"]["en"]
        found.hardest = max(found.hardest, grade(f"{read.body} {read.action}"))
    return found


def same_for_all(groups: Iterable[list[Event]], phrases: Phrases | None = None) -> tuple[int, int]:
    """Events, and those of which a variant reads otherwise by a single byte."""
    events = differing = 0
    for variants in groups:
        said = {repr(_read(compose(variant, phrases))) for variant in variants}
        events += 1
        differing += len(said) > 1
    return events, differing


def _read(alert: Alert) -> tuple[object, ...]:
    """All that a person could read, and where it is from."""
    return alert.texts, alert.slots, alert.local_slots, alert.provenance, alert.priority


def _shown(alert: Alert) -> str:
    said = alert.texts["patient"]["en"]
    return f"{alert.kind} {alert.phase}: {said.title} | {said.body} | {said.action}"
