"""Whatever a schema-valid event claims, its words and its basis are made."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from dashboard.patient import basis as basis_module
from explain.evaluation.texts import facts_of
from explain.questions.answers import answer
from explain.questions.table import question_table
from explain.templates.compose import AUDIENCES, compose
from store.episodes.evidence import Basis
from tests.support.messages import NOON, event
from vigil.contracts import wire
from vigil.domain.alert import Alert
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Context
from vigil.domain.signals import NAMES
from vigil.service.errors import WireError

KEYS = (
    "rule", "signal", "direction", "values", "value", "extreme", "limit", "limit_clear",
    "persistence_seconds", "persistence_readings", "samples", "window_seconds",
    "duration_seconds", "condition_delay_seconds", "signal_delay_seconds", "quality", "reason",
    "context_source", "parts", "scores", "baseline", "contributions", "average", "days",
    "nights_used", "score", "coverage", "confidence", "readings_beyond", "longest_gap_seconds",
    "duration_observed", "change", "highest_priority", "protocol", "judged_while_active",
)  # fmt: skip
INNER = (
    *NAMES, "median", "low", "high", "n", "spread", "confidence", "bin", "kind", "value", "limit",
    "signal", "since", "readings", "priority", "rule", "shock_index", "nobody knows",
)  # fmt: skip
LEAVES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 7, 72.5, 118.0, -0.0, 1e308, -1e308, 5e-324, 2**53, -(2**63),
    2**64 - 1, "", "above", "below", "heart_rate", "systolic", "heart_rate_high", "late_end",
    "unobserved", "worse", "continues", "eased", "high", "medium",
    "blood_pressure_high", "rest:night", "gone", "stuck", "x" * 5000, "\0", "\u202e", "{value}",
    "9999-12-31T23:59:59Z", "{", "}",
)  # fmt: skip


def tree(source: random.Random, depth: int = 0) -> Any:
    """A piece of JSON."""
    form = source.random()
    if depth > 3 or form < 0.5:
        return source.choice(LEAVES)
    if form < 0.65:
        return [tree(source, depth + 1) for _ in range(source.randrange(4))]
    return {source.choice(INNER): tree(source, depth + 1) for _ in range(source.randrange(5))}


def claimed(source: random.Random) -> Event:
    """An event as anyone may write it, decoded as a worker decodes it."""
    kind = source.choice((*KINDS, "a_kind_of_tomorrow", ""))
    made = event(
        kind=kind,
        category=source.choice(("clinical", "technical")),
        phase=source.choice(("opened", "updated", "closed")),
        priority=source.choice(("high", "medium", "low")),
        sequence=source.choice((0, 1, 2**31, -1)),
        ended_at=source.choice((None, NOON + timedelta(days=9000), NOON - timedelta(days=9000))),
        retrospective=source.random() < 0.3,
        signals=tuple(source.choice((*NAMES, "glucose", "")) for _ in range(source.randrange(3))),
        evidence={key: tree(source) for key in source.sample(KEYS, source.randrange(9))}
        | ({"no such key": tree(source)} if source.random() < 0.2 else {}),
        context=Context(
            source.choice(("asleep", "rest", "active", "unknown")),
            source.choice((None, 0.0, 1e308)),
            source.choice((None, "", "\0upside down")),
        ),
    )
    try:
        decoded = wire.decode("vitals.events", encode(made), [])
    except WireError:  # beyond the bounds of a message: no worker sees it
        return claimed(source)
    assert isinstance(decoded, Event)
    return decoded


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_whatever_an_event_claims_its_alert_its_answers_and_its_basis_are_made(seed: int) -> None:
    source = random.Random(seed)  # noqa: S311
    for _ in range(300):
        claim = claimed(source)
        alert = compose(claim)
        assert msgspec.json.decode(encode(alert), type=Alert) == alert
        for audience in AUDIENCES:
            facts_of(claim, audience)
            intent = source.choice(tuple(question_table(audience).intents))
            answer(intent, claim, audience)
        context = msgspec.to_builtins(claim.context)
        shown = Basis("e", 0, list(claim.signals), claim.evidence, context, "1", "2", {}, {}, 0)
        announced = basis_module.list_facts(shown)
        assert all(isinstance(fact.value, str) for fact in announced)


def test_evidence_as_deep_as_the_decoder_takes_is_shown() -> None:
    deep: Any = 1
    for _ in range(480):
        deep = [deep]
    claim = event(evidence={"anything": deep})
    compose(claim)
    assert basis_module._plain(deep)
