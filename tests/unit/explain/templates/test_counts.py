"""Words of a number of readings agree with the evidence, in every kind, situation and language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from typing import Any

import pytest

from explain import tables
from explain.evaluation.checks import SINGLE, failures
from explain.evaluation.events import sets
from explain.evaluation.texts import facts_of
from explain.facts.slots import render_slots
from explain.questions.answers import answer
from explain.questions.table import question_table
from explain.templates.compose import AUDIENCES, compose
from tests.support.wording import event
from vigil.domain.episode import Event

NUMBER = re.compile(
    r"\b(?:one|two|three|four|five|single|both|couple|twice|thrice|several|many|dozen|another)\b",
    re.IGNORECASE,
)
REVIEWED = {
    "They were of another patient.",
    "The rate varies from one reading to the next beyond the limit in force.",
    "The average over days, not a single reading.",
    "It is judged over days, not from one reading.",
    "A single reading asks for another.",  # said of one reading of one alone: see below
    "No one can tell if it is over.",
    "Your heart rate keeps changing from one reading to the next.",
    "We look at the readings of some days here, not at just one.",
    "The one furthest off was {extreme}.",
    "No one on your care team has marked it as seen yet.",
    "You and your care team can see this message.",
    "No one is enrolled here.",
    "How many readings",
    "In how many readings",
}
"""Every sentence with a number in words: none of them counts what the evidence could deny."""
ENGLISH = ("care_team", "patient", "actions", "questions", "questions_care_team", "summary")


def strings(table: Any) -> Iterator[str]:
    """Every text of a table."""
    if isinstance(table, str):
        yield table
    elif isinstance(table, dict):
        for value in table.values():
            yield from strings(value)
    elif isinstance(table, list):
        for value in table:
            yield from strings(value)


def pressure(samples: int, beyond: int, **more: Any) -> Event:
    """A severe pressure that rests on so many readings."""
    known = {
        "signal": "systolic", "values": {"systolic": 192.0, "diastolic": 118.0}, "value": 192.0,
        "limit": 180.0, "samples": samples, "readings_beyond": beyond, "duration_observed": False,
    }  # fmt: skip
    return event(**({"kind": "blood_pressure_high", "evidence": known} | more))


def english(made: Event) -> dict[str, str]:
    return {who: compose(made).texts[who]["en"].body for who in AUDIENCES}


@pytest.mark.parametrize("name", ENGLISH)
def test_every_sentence_with_a_number_in_words_was_reviewed(name: str) -> None:
    counting = {
        text for text in strings(tables.read_table(f"en/{name}.toml")) if NUMBER.search(text)
    }
    assert counting <= REVIEWED


@pytest.mark.parametrize(("samples", "beyond"), [(1, 1), (2, 1), (2, 2), (3, 2), (30, 30)])
def test_another_reading_is_asked_for_where_there_is_one(samples: int, beyond: int) -> None:
    texts = english(pressure(samples, beyond))
    count = f"{beyond} of {samples} readings" if samples > 1 else "1 reading"
    counted = f"High in {count}, first"
    assert counted in texts["care_team"]
    assert ("A single reading asks for another." in texts["care_team"]) == (samples == 1)
    assert not SINGLE.search(texts["patient"])


def test_not_where_the_count_is_unknown_nor_of_what_is_over_or_late() -> None:
    known = {"signal": "systolic", "values": {"systolic": 192.0, "diastolic": 118.0}}
    for made in (
        pressure(1, 1, evidence=known),
        pressure(1, 1, retrospective=True),
        pressure(1, 1, phase="closed", sequence=1),
        pressure(1, 1, kind="blood_pressure_unusual"),
    ):
        assert not SINGLE.search(english(made)["care_team"])


def test_the_check_sees_a_count_that_the_evidence_denies() -> None:
    one, two = pressure(1, 1), pressure(2, 2)
    facts = {who: facts_of(two, who) for who in AUDIENCES}
    assert "counts" not in [*failures(two, compose(two), facts)]
    assert "counts" in [*failures(two, compose(one), facts)]


def test_over_the_whole_grid_every_count_is_the_evidences() -> None:
    single = 0
    for made in chain(sets.unobserved_events(), sets.core_events(1500), sets.combined_events()):
        alert, evidence = compose(made), made.evidence
        one = (evidence.get("samples"), evidence.get("readings_beyond")) == (1, 1)
        for text in alert.texts["care_team"].values(), alert.texts["patient"].values():
            found = any(SINGLE.search(each.body) for each in text)
            assert one or not found
            single += found
        for locale, shown in {"en": alert.slots, **alert.local_slots}.items():
            if "readings_beyond" in shown:
                assert shown["readings_beyond"] in str(alert.texts)
                assert shown["readings_beyond"] == render_slots(made, locale)["readings_beyond"]
    assert single > 10


@pytest.mark.parametrize("who", AUDIENCES)
def test_no_answer_counts_otherwise(who: Any) -> None:
    for made in chain(sets.unobserved_events(), sets.core_events(300)):
        one = (made.evidence.get("samples"), made.evidence.get("readings_beyond")) == (1, 1)
        for intent in question_table(who).intents:
            assert one or not SINGLE.search(answer(intent, made, who).text)
