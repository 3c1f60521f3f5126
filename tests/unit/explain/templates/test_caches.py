"""What is kept between alerts decides nothing: not a figure, not a time, not a name."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from explain.facts import moments, signature, slot_formatting, units
from explain.facts.extraction import duration_observed
from explain.facts.moments import TIMES, read_times
from explain.facts.signature import Signature
from explain.phrasebook.book import Phrasebook
from explain.templates import drafts, wordings
from explain.templates.compose import compose, signatures_of
from tests.support.wording import event, events, phrase
from vigil.domain import ids
from vigil.domain.alert import Alert
from vigil.domain.encoding import encode
from vigil.domain.episode import Event

CACHES: tuple[Any, ...] = (
    *(moments._duration_of, units.figure_of, slot_formatting.format_in_every_locale),
    *(wordings.plans_for, wordings._shared_version, drafts._draft_around),
    *(signature._less_specific, signature.parse_signature),
    *(drafts.choice_of, ids.alert_id),
)
BOOK = Phrasebook(
    [
        phrase("Your heart has been fast for {duration}, at {heart_rate}."),
        phrase("Your pulse is fast at {heart_rate}."),
    ],
    patient_text="verified",
)


def forget() -> None:
    for cache in CACHES:
        cache.cache_clear()


def of_patient(number: int) -> Event:
    """Everybody's facts, and so everybody's phrases, are the same; no figure and no time is."""
    onset = event().onset + timedelta(minutes=17 * number)
    rate, limit, extreme = 112 + number, 101 + number, 152 + number
    seconds = 900.0 + 300 * number
    return event(
        episode_id=f"episode-{number}",
        patient_id=f"patient-{number}",
        onset=onset,
        detected_at=onset + timedelta(seconds=seconds),
        evidence={
            **event().evidence,
            "values": {"heart_rate": rate},
            "value": rate,
            "limit": limit,
            "extreme": extreme,
            "samples": 41 + number,
            "duration_seconds": seconds,
            "baseline": {"median": 70, "low": 60 - number, "high": 75 + number, "confidence": 1.0},
        },
    )


def test_two_patients_with_the_same_phrases_read_their_own_figures() -> None:
    one, other = of_patient(1), of_patient(9)
    assert signatures_of(one) == signatures_of(other)
    forget()
    apart = []
    for each in (one, other):
        apart.append(compose(each, BOOK))
        forget()
    together = [compose(each, BOOK) for each in (one, other, one, other)]
    assert together == apart * 2
    assert {alert.provenance["patient"].author for alert in together} == {"phrasebook"}
    for alert, rate, limit in ((together[0], 113, 102), (together[1], 121, 110)):
        assert f"{rate} beats" in alert.texts["patient"]["en"].body
        assert f"{limit} beats" in alert.texts["care_team"]["en"].body
    shown = [set(alert.slots.values()) for alert in together[:2]]
    assert shown[0].isdisjoint(shown[1])


@given(st.lists(st.integers(0, 30), min_size=2, max_size=8))
def test_an_alert_does_not_depend_on_those_before_it(numbers: list[int]) -> None:
    made: dict[int, Alert] = {}
    for number in numbers:
        alert = compose(of_patient(number), BOOK)
        assert made.setdefault(number, alert) == alert
        assert f"{112 + number} beats" in alert.texts["patient"]["en"].body
        assert alert.patient_id == f"patient-{number}"
        assert alert.alert_id == ids.derive("alert", f"episode-{number}")


@settings(max_examples=25)
@given(st.lists(events(), min_size=1, max_size=3))
def test_the_first_alert_of_a_process_is_the_one_of_a_process_that_made_many(
    several: list[Event],
) -> None:
    warm = [encode(compose(each, BOOK)) for each in several]
    for each, sent in zip(several, warm, strict=True):
        forget()
        assert encode(compose(each, BOOK)) == sent


@given(events())
def test_no_slot_of_a_time_is_left_out(any_event: Event) -> None:
    observed, found = duration_observed(any_event), dict[str, tuple[str, ...]]()
    read_times(any_event, observed, found)
    read = {name: read_time(any_event, observed) for name, read_time in TIMES.items()}
    assert found == {name: value for name, value in read.items() if value is not None}


def test_a_signature_that_was_changed_is_found_by_its_own_content() -> None:
    one = Signature("en", "patient", "heart_rate_high", "above", "opened", activity="rest")
    assert hash(one) == hash(replace(one))
    again = Signature("en", "patient", "heart_rate_high", "above", "opened")
    assert {again: 1}[replace(one, activity="")] == 1
