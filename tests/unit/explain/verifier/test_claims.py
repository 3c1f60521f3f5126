"""The verifier on what a sentence claims: tables of facts, text and the codes that must be found.

A row with no code is a sentence that must pass.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explain import tables
from explain.evaluation import mutations
from explain.facts.extraction import Facts
from explain.facts.signature import facts_of_signature
from explain.training.references import load_references
from explain.verifier import RULES, verify
from explain.verifier.candidate import Candidate
from explain.verifier.claims import read_claims
from tests.support.wording import closed, facts

HIGH, OVER = facts(activity="unknown"), closed(activity="unknown")
LOW = facts(kind="heart_rate_low", direction="below", activity="unknown")
LOW_OVER = closed(kind="heart_rate_low", direction="below", activity="unknown")
LATE = facts(announcement="late", situation="late", late=True, activity="unknown")
UPDATED = facts(announcement="updated", phase="updated", activity="unknown")
UNEVEN = facts(kind="heart_rate_irregular", direction="none", activity="unknown")
UNUSUAL = facts(kind="heart_rate_unusual", activity="unknown")
RESTING = facts(kind="resting_heart_rate_raised", activity="unknown")
PRESSURE = facts(kind="blood_pressure_high", activity="unknown")
DAYS = facts(kind="blood_pressure_raised_over_days", activity="unknown")
SILENT = facts(kind="no_data", direction="none", category="technical", activity="unknown")
LOOSE = facts(kind="poor_contact", direction="none", category="technical", activity="unknown")
BOTH = facts(also="blood_pressure_low.below", activity="unknown")
ALIKE = facts(also="blood_pressure_high.above", activity="unknown")
SHOCK = facts(kind="shock_index_high", slots=("blood_pressure", "heart_rate"), activity="unknown")
AT_REST, ASLEEP = facts(activity="rest"), facts(activity="asleep")
TEAM = facts(audience="care_team", activity="unknown")


def codes(text: str, about: Facts, required: Iterable[str] | None = None) -> tuple[str, ...]:
    """Reason codes; by default the slots in the text are those required."""
    trial = Candidate(text, about, "seen", frozenset())
    needed = frozenset(trial.slots if required is None else required)
    return verify(Candidate(text, about, "seen", needed))


def check(about: Facts, text: str, code: str) -> None:
    found = codes(text, about)
    assert (found == ()) if not code else (code in found), found


@pytest.mark.parametrize(
    ("about", "text", "code"),
    [
        (BOTH, "Your heart rate is high, at {heart_rate}, and your blood pressure is low.", ""),
        (BOTH, "While your blood pressure is low, your heart rate is high.", ""),
        (BOTH, "You have a high heart rate and low blood pressure.", ""),
        (BOTH, "With your blood pressure low, your heart rate is high.", ""),
        (BOTH, "Your heart rate is high and it has not come down; your blood pressure is low.", ""),
        (ALIKE, "Your heart rate and your blood pressure are both high.", ""),
        (ALIKE, "Both are high: your heart rate and your blood pressure.", ""),
        (ALIKE, "Your heart rate is high, and so is your blood pressure.", ""),
        (ALIKE, "Your heart rate is high, along with your blood pressure.", ""),
        (BOTH, "Your heart rate is low, and your blood pressure is high.", "direction"),
        (BOTH, "Your heart rate and your blood pressure are both high.", "direction"),
        (BOTH, "Your heart rate is high, and so is your blood pressure.", "direction"),
        (BOTH, "Your heart rate is high.", "event_unnamed"),
        (BOTH, "Your heart rate is high, and we see your blood pressure.", "event_unnamed"),
        (BOTH, "Your heart rate is high, and your blood pressure is not low.", "negation"),
        (BOTH, "Your heart rate is high, and your blood pressure has come back up.", "phase"),
        (BOTH, "Your heart rate is no longer high, and your blood pressure is low.", "negation"),
        (HIGH, "Your heart rate is high, and your blood pressure is low.", "event_unknown"),
        (HIGH, "Your heart rate is high, and so is your blood pressure.", "event_unknown"),
        (HIGH, "Your heart rate is high, and your blood pressure is not low.", "event_unknown"),
        (HIGH, "Your heart rate is high, and your breathing too.", "event_unknown"),
        (HIGH, "Your heart rate is high, and your device is loose.", "event_unknown"),
        (HIGH, "Your heart rate is high and uneven.", "event_unknown"),
        (SILENT, "We have had no readings. Your heart rate is high.", "event_unknown"),
        (SHOCK, "Your heart rate is high, {heart_rate}, for your blood pressure.", ""),
        (SHOCK, "Your heart rate is high for your blood pressure.", ""),
        (SHOCK, "Your heart rate is high.", "event_unnamed"),
        (SHOCK, "Your heart rate is high while your blood pressure is low.", "event_unknown"),
        (SHOCK, "Your heart rate is high, {blood_pressure}, for your blood pressure.",
         "slot_misplaced"),
        (BOTH, "Your heart rate is high, and your blood pressure is low, at {heart_rate}.",
         "slot_misplaced"),
    ],
)  # fmt: skip
def test_findings_are_distinguished(about: Facts, text: str, code: str) -> None:
    check(about, text, code)


@pytest.mark.parametrize(
    ("about", "text", "code"),
    [
        (AT_REST, "Your heart rate is high while you are resting.", ""),
        (AT_REST, "Your heart rate is high while you are not moving.", ""),
        (ASLEEP, "Your heart rate was high as you slept, now {heart_rate}.", ""),
        (RESTING, "Your resting heart rate is raised.", ""),
        (RESTING, "Your heart rate at rest is raised.", ""),
        (HIGH, "Your heart rate is still high, after {duration}.", ""),
        (HIGH, "Your heart rate is high while you are resting.", "context"),
        (AT_REST, "Your heart rate is high in your sleep.", "context"),
        (ASLEEP, "Your heart rate is high while you are walking.", "context"),
        (AT_REST, "Your heart rate is high while you are not resting.", "context"),
        (RESTING, "Your resting heart rate is raised while you are active.", "context"),
        (HIGH, "Your heart rate is high this morning.", "time"),
        (HIGH, "Your heart rate has been high for hours.", "time"),
        (PRESSURE, "Your blood pressure has been high for days.", "time"),
        (DAYS, "Your blood pressure has been raised for days.", ""),
    ],
)
def test_circumstances(about: Facts, text: str, code: str) -> None:
    check(about, text, code)


@pytest.mark.parametrize(
    ("about", "text", "code"),
    [
        (HIGH, "Your heart rate is high and has not returned to your usual.", ""),
        (HIGH, "Your heart rate is high and never came back down.", ""),
        (HIGH, "Your heart rate has been high without a break for {duration}.", ""),
        (UPDATED, "Your heart rate has not come down yet.", ""),
        (UPDATED, "Your heart rate has come down.", "direction"),
        (UPDATED, "Your heart rate has not gone up.", "negation"),
        (HIGH, "Your heart rate did not stay low.", "negation"),
        (HIGH, "Your heart rate is low rather than high.", "direction"),
        (HIGH, "Your heart rate is anything but high.", "negation"),
        (HIGH, "Your heart rate has yet to be high.", "negation"),
        (HIGH, "Your heart rate is neither high nor fast.", "negation"),
        (HIGH, "Your heart rate is high no longer.", "negation"),
        (HIGH, "Your heart rate is high, which is false.", "negation"),
        (HIGH, "It is not true that your heart rate is high.", "negation"),
        (HIGH, "Your heart rate was high.", "phase"),
        (HIGH, "Your heart rate used to be high.", "phase"),
        (HIGH, "Your heart rate was high until {until}.", "phase"),
        (HIGH, "Is your heart rate high?", "question"),
        (HIGH, "Your heart rate may be high.", "doubt"),
        (HIGH, "If your heart rate is high, we see it.", "doubt"),
        (HIGH, "Your heart rate is slightly high.", "degree"),
        (OVER, "Your heart rate is not high any more.", ""),
        (OVER, "Your heart rate was high for {duration} and is now back below it.", ""),
        (OVER, "Your heart rate was high, and now it is not.", ""),
        (OVER, "Your heart rate has come back down after being high.", ""),
        (OVER, "Your heart rate has not returned to your usual.", "negation"),
        (OVER, "Your heart rate never came back down.", "negation"),
        (OVER, "Your heart rate has gone back to being high.", "phase"),
        (OVER, "Your heart rate is back above your limit.", "phase"),
        (OVER, "Your heart rate is high again.", "phase"),
        (OVER, "Your heart rate has come back up.", "phase"),
        (OVER, "Your heart rate was not high and has come down.", "negation"),
        (OVER, "Your heart rate is no longer low.", "direction"),
        (OVER, "Your heart rate is coming down.", "phase"),
        (OVER, "Your heart rate was not over your limit and is now back below it.", "negation"),
        (OVER, "Your high heart rate has not gone.", "negation"),
        (OVER, "A high heart rate of yours was not seen.", "negation"),
        (OVER, "Your heart rate is below your limit again.", ""),
        (OVER, "Your heart rate has come down and is low.", "direction"),
        (LOW_OVER, "Your heart rate is back above your low limit.", ""),
        (LOW_OVER, "Your heart rate has come back up.", ""),
        (LOW_OVER, "Your heart rate is back up.", ""),
        (LOW_OVER, "Your heart rate has come back down.", "phase"),
        (LOW_OVER, "Your heart rate has slowed down again.", "phase"),
        (LOW, "Your heart rate is back up.", "phase"),
        (LOW, "Your heart rate is not low, it is above your usual.", "direction"),
        (LATE, "Your heart rate was high from {since}.", ""),
        (LATE, "Your heart rate is still high.", "phase"),
        (UNEVEN, "Your heartbeat goes up and down.", ""),
        (UNEVEN, "Your heartbeat is not uneven.", "negation"),
        (UNUSUAL, "Your heart rate is higher than what is usual for you.", ""),
        (UNUSUAL, "Your heart is not beating faster than is usual for you.", "negation"),
        (LOOSE, "Your device does not have poor contact with your skin.", "negation"),
        (LOOSE, "Your device is not in good contact with your skin.", ""),
        (SILENT, "No readings have come in from your device.", ""),
        (SILENT, "Readings have come in from your device.", "phase"),
    ],
)
def test_it_is_not_fooled(about: Facts, text: str, code: str) -> None:
    check(about, text, code)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("slot_malformed", "Your heart{heart_rate}rate is high."),
        ("slot_malformed", "Your heart rate is high, at {heart_rate}s."),
        ("slot_malformed", "Your heart rate is high, at {heart_rate}{duration}."),
        ("slot_malformed", "Your heart rate is high, at {heart_rate!r}."),
        ("slot_malformed", "Your heart rate is high, at {0}."),
        ("slot_malformed", "Your heart rate is high, at {x.__class__}."),
        ("slot_malformed", "Your heart rate is high, at {{heart_rate}}."),
        ("control_character", "Your heart rate is hi\u200dgh."),
        ("control_character", "Your heart rate is \u2066high\u2069."),
        ("control_character", "Your heart rate is hi\u00adgh."),
        ("language", "Your heаrt rate is high."),
        ("numeral", "Your heart rate is high, at 118."),
        ("numeral", "Your heart rate is high, at twenty-two."),
        ("numeral", "Your heart rate is high, phase II."),
        ("numeral", "Your heart rate is high, Ⅳ."),
        ("numeral", "Your heart rate is threefold high."),
        ("markup", "Your heart rate is high, at {heart_rate} %."),
        ("markup", "Your heart rate is high §."),
        ("markup", "Your heart rate is hi\u0301gh."),
        ("markup", "- Your heart rate is high."),
        ("markup", "Your heart rate is high ♥."),
        ("name", "Rose, your heart rate is high."),
        ("audience", "My heart rate is high."),
        ("audience", "Heart rate high."),
        ("vocabulary", "Your heart rate is high, as in pericarditis."),
        ("vocabulary", "Your heart rate is high from coffee."),
        ("vocabulary", "Your heart rate is h i g h."),
        ("advice", "Your heart rate is high, so charge it."),
    ],
)
def test_characters_slots_and_words(code: str, text: str) -> None:
    assert code in codes(text, HIGH)


def test_a_claim_knows_its_subject() -> None:
    text = "Your heart rate is high, and your blood pressure is no longer low."
    high, low = read_claims(Candidate(text, BOTH, "seen", frozenset())).claims
    assert (high.what, set(high.about), high.negated) == ("above", {"heart_rate"}, False)
    assert (low.what, set(low.about), low.negated) == ("below", {"blood_pressure"}, True)


@pytest.mark.parametrize("kind", mutations.MUTATIONS)
def test_of_each_kind_of_error_at_most_one_in_a_hundred_passes(kind: str) -> None:
    made = [row for row in mutations.mutate(11, 40 * len(mutations.MUTATIONS)) if row[0] == kind]
    missed = [row for row in made if not codes(row[2], facts_of_signature(row[1]), row[1].slots)]
    assert len(made) == 40
    assert not missed


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_reference_passes_and_any_insertion_into_it_does_not(data: st.DataObject) -> None:
    reference = data.draw(st.sampled_from(load_references()))
    about, used = facts_of_signature(reference.signature), reference.signature.slots
    assert codes(reference.text, about, used) == ()
    what = data.draw(st.sampled_from(["118", "§", "<b>", "\u202e", "{x}", "John", "sepsis", "не"]))
    words = reference.text.split(" ")
    place = data.draw(st.integers(1, len(words)))
    assert codes(" ".join([*words[:place], what, *words[place:]]), about, used) != ()


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=200),
    st.sampled_from([HIGH, OVER, TEAM]),
)
def test_any_text_is_judged(text: str, about: Facts) -> None:
    found = codes(text, about)
    assert found == codes(text, about)
    assert set(found) <= {rule.code for rule in RULES}


def test_a_sentence_takes_milliseconds() -> None:
    """Measured at 0.6 ms (median, 21 November 2026); an edit in the phrasebook is one of these."""
    sentences = load_references()[:: max(1, len(load_references()) // 100)]
    trials = [
        Candidate(r.text, facts_of_signature(r.signature), "seen", frozenset(r.signature.slots))
        for r in sentences
    ]
    started = time.process_time()
    for trial in trials:
        verify(trial)
    assert (time.process_time() - started) / len(trials) < 0.02


def test_every_kind_is_known_to_the_lexicon() -> None:
    for kind in tables.kinds():
        assert Candidate("", facts(kind=kind), "seen", frozenset()).lexicon.kinds[kind].topics
