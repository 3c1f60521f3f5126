"""Each rule of the verifier: what it refuses, and what it must let through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest

from explain.facts.extraction import Facts
from explain.verifier import RULES, verify
from explain.verifier.candidate import Candidate
from explain.verifier.candidate import Part as Piece
from tests.support.wording import closed, facts

GOOD = "Your heart rate has been high for {duration}, now at {heart_rate}."
BOTH = frozenset({"duration", "heart_rate"})
HIGH, OVER = facts(), closed()
LOW = facts(kind="heart_rate_low", direction="below")
TEAM = facts(audience="care_team")
UNUSUAL = facts(kind="heart_rate_unusual")
UNEVEN = facts(kind="heart_rate_irregular", direction="none")
SILENT = facts(kind="no_data", direction="none", category="technical")


def codes(
    text: str, about: Facts = HIGH, required: Iterable[str] | None = None, part: Piece = "seen"
) -> tuple[str, ...]:
    """Reason codes; by default the slots in the text are those required."""
    trial = Candidate(text, about, part, frozenset())
    needed = frozenset(trial.slots if required is None else required)
    return verify(Candidate(text, about, part, needed))


def test_a_good_sentence_passes() -> None:
    assert codes(GOOD, required=BOTH) == ()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_lets_the_good_sentence_through(rule: object) -> None:
    assert not rule.refuses(Candidate(GOOD, HIGH, "seen", BOTH))  # type: ignore[attr-defined]


def test_codes_are_stable_names() -> None:
    found = [rule.code for rule in RULES]
    assert len(set(found)) == len(found)
    assert all(code.isidentifier() and code.islower() for code in found)


@pytest.mark.parametrize("text", ["", " ", "...", "{heart_rate}", "Your heart rate is high"])
def test_empty(text: str) -> None:
    assert "empty" in codes(text)


@pytest.mark.parametrize(
    "text",
    ["Your heart rate\nis high.", "Your heart rate is\u202e high.", "Your heart rate is high\x07.",
     "Your heart\u200b rate is high.", "Your heart\u00a0rate is high.", "\ufeffYour heart rate"],
)  # fmt: skip
def test_control_characters(text: str) -> None:
    assert "control_character" in codes(text)


@pytest.mark.parametrize(
    "text",
    ["Your <b>heart rate</b> is high.", "Your heart rate is high &amp; up.", "**Heart rate** high.",
     "Your heart rate is high 💓.", "See www.example.org: heart rate high.", "# Heart rate high.",
     "Your heart rate is high [now](x).", "Heart rate `high`.", "Heart rate is high!"],
)  # fmt: skip
def test_markup(text: str) -> None:
    assert "markup" in codes(text)


@pytest.mark.parametrize(
    "text",
    ["Your heart rate is high, {x.__class__}.", "Your heart rate is high {}.", "Heart rate {0}.",
     "Your heart rate is high, at {Heart Rate}.", "Your heart rate is high}.", "{{heart_rate}}"],
)  # fmt: skip
def test_slot_malformed(text: str) -> None:
    assert "slot_malformed" in codes(text)


def test_slot_unknown() -> None:
    assert "slot_unknown" in codes("Your heart rate is high, at {spo2}.", required=())
    assert "slot_unknown" in codes("Your heart rate is high, at {spo2}.", required={"spo2"})
    assert "slot_unknown" in codes("Your heart rate is high at {heart_rate}.", required=())


def test_slot_missing() -> None:
    assert codes("Your heart rate is high.", required=BOTH) == ("slot_missing",)


def test_slot_repeated() -> None:
    text = "Your heart rate is high, at {heart_rate}, now {heart_rate}."
    assert codes(text) == ("slot_repeated",)


@pytest.mark.parametrize(
    "text",
    ["Your heart rate has been high for {heart_rate}.", "Your heart rate is high, now {duration}.",
     "Your heart rate is high, at {duration}.", "Your heart rate is high for {since}.",
     "Your heart rate is high, {duration}.", "Heart rate of yours is high since {heart_rate}."],
)  # fmt: skip
def test_slot_misplaced(text: str) -> None:
    assert "slot_misplaced" in codes(text)


@pytest.mark.parametrize(
    "text",
    ["Your heart rate has been high for {duration}.", "Your heart rate is high since {since}.",
     "Your heart rate is high: {heart_rate}.", "Your heart rate is high, at {heart_rate}."],
)  # fmt: skip
def test_slots_in_their_place(text: str) -> None:
    assert codes(text) == ()


@pytest.mark.parametrize(
    "text",
    ["Your heart rate is high, at 118.", "Your heart rate is high, at ١١٨.", "Heart rate ½ high.",
     "Your heart rate is high, one hundred and eighteen.", "Your heart rate is twice as high.",
     "Your heart rate is high for forty minutes."],
)  # fmt: skip
def test_numerals(text: str) -> None:
    assert "numeral" in codes(text)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Your blood pressure is high.", HIGH),
        ("It is high.", HIGH),
        ("Your heart rate has been seen for a while.", HIGH),
        ("Your heart rate is high.", UNUSUAL),
        ("Your heart rate is what it is.", UNEVEN),
    ],
)
def test_event_unnamed(text: str, about: Facts) -> None:
    assert "event_unnamed" in codes(text, about)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Your heart rate is above your usual.", UNUSUAL),
        ("Your heart rate is not as usual.", UNUSUAL),
        ("Your heart rate is high for you.", UNUSUAL),
        ("Your heartbeat has not been even.", UNEVEN),
        ("Your heartbeat is uneven.", UNEVEN),
        ("We have not received any readings for a while.", SILENT),
        ("No readings have come in for a while.", SILENT),
    ],
)
def test_event_named(text: str, about: Facts) -> None:
    assert codes(text, about) == ()


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Your heart rate is low.", HIGH),
        ("Your heart rate has dropped.", HIGH),
        ("Your heart rate is high and your heart rate is slow.", HIGH),
        ("Your heart rate is high.", LOW),
        ("Your heart rate has risen above the limit.", LOW),
        ("Your heartbeat is uneven and fast.", UNEVEN),
        ("Your heart rate is no longer high, it is low.", OVER),
    ],
)
def test_direction(text: str, about: Facts) -> None:
    assert "direction" in codes(text, about)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Your heart rate is high while you are sitting down.", HIGH),
        ("Your heart rate has been high since you lay down.", HIGH),
        ("Your heart rate is low and has not come back up.", LOW),
        ("Your heart rate has been high over the last {duration}.", HIGH),
        ("Your heart rate has not come back down and is high.", HIGH),
        ("Your heart rate is above the upper limit.", HIGH),
        ("Your heart rate is below the lower limit.", LOW),
        ("Your heart rate has come back down.", OVER),
        ("Your heart rate fell and is no longer high.", OVER),
    ],
)
def test_what_only_looks_like_a_direction(text: str, about: Facts) -> None:
    assert codes(text, about) == ()


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Your heart rate is not high.", HIGH),
        ("Your heart rate isn't high.", HIGH),
        ("Your heart rate is no longer high.", HIGH),
        ("Your heart rate has never been high.", HIGH),
        ("A high heart rate was not seen.", HIGH),
        ("Your heart rate is high, which is not true.", HIGH),
        ("Your heart rate is not low but high.", HIGH),
        ("Your heartbeat is not uneven.", UNEVEN),
        ("Your heart rate has not gone back to your usual.", OVER),
        ("Your heart rate has not returned from being high.", OVER),
    ],
)
def test_negation(text: str, about: Facts) -> None:
    assert "negation" in codes(text, about)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Your heart rate is high and has not returned to your usual.", HIGH),
        ("Your heart rate is high and has not fallen.", HIGH),
        ("Your heart rate is no longer high.", OVER),
        ("Your heart rate is not high any more.", OVER),
    ],
)
def test_negations_that_agree(text: str, about: Facts) -> None:
    assert codes(text, about) == ()


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Your heart rate was high and has gone back to your usual.", HIGH),
        ("Your high heart rate has ended.", HIGH),
        ("Your high heart rate is over now.", HIGH),
        ("Your heart rate is high.", OVER),
        ("Your heart rate was high.", OVER),
        ("Your heart rate is still high and has gone back.", OVER),
        ("Your heart rate has gone back but remains high.", OVER),
        ("Your heart rate has risen.", OVER),
    ],
)
def test_phase(text: str, about: Facts) -> None:
    assert "phase" in codes(text, about)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("diagnosis", "Your heart rate is high, which may be an infection."),
        ("diagnosis", "Your heart rate is high, a sign of atrial fibrillation."),
        ("diagnosis", "You have tachycardia, a high heart rate."),
        ("diagnosis", "Your heart rate is high due to fever."),
        ("medicine", "Your heart rate is high since you took your pills."),
        ("medicine", "Your heart rate is high without metoprolol."),
        ("medicine", "Your heart rate is high for this dose."),
        ("reassurance", "Your heart rate is high but you are fine."),
        ("reassurance", "Your heart rate is high, so do not worry."),
        ("reassurance", "Your heart rate is high but that is normal."),
        ("reassurance", "Your heart rate is high, no need to call."),
        ("alarming", "Your heart rate is dangerously high."),
        ("alarming", "Your heart rate is high and you may die."),
        ("advice", "Your heart rate is high, please rest."),
        ("advice", "Your heart rate is high, so call your doctor."),
        ("advice", "Your heart rate is high, so sit down."),
        ("name", "Your heart rate is high, John."),
        ("name", "Your heart rate is high, says NHS."),
        ("sentences", "Your heart rate is high. It stays high."),
        ("language", "Su frecuencia del corazon es muy alta ahora, high heart rate."),
        ("language", "Your heart rate is hіgh."),
        ("sentence_length", "Your heart rate " + "and your heart rate " * 4 + "is high."),
    ],
)
def test_content_and_form(code: str, text: str) -> None:
    assert code in codes(text)


def test_the_shock_index_is_no_diagnosis_and_shock_is() -> None:
    about = facts(kind="shock_index_high", audience="care_team")
    assert codes("Shock index high.", about) == ()
    assert "diagnosis" in codes("Heart rate high: shock.", about)


def test_advice_belongs_to_the_action() -> None:
    text = "Your heart rate is high. Please call your care team."
    assert "advice" not in codes(text, part="message")


@pytest.mark.parametrize(
    ("text", "about"),
    [("This person's heart rate is high.", HIGH), ("The patient has a high heart rate.", HIGH),
     ("Your heart rate is high.", TEAM), ("Heart rate is high for you.", TEAM)],
)  # fmt: skip
def test_audience(text: str, about: Facts) -> None:
    assert "audience" in codes(text, about)


def test_messages_have_five_sentences_for_a_patient() -> None:
    text = "Your heart rate is high. " * 5
    assert codes(text.strip(), part="message") == ()
    assert "sentences" in codes((text + "It is high.").strip(), part="message")


def test_a_slot_counts_as_the_words_it_renders() -> None:
    words = "Your heart rate at rest has been high and is now at {heart_rate}"
    assert "sentence_length" not in codes(f"{words}.")
    assert "sentence_length" in codes(f"{words}, for {{duration}}.")


def test_reading_grade_counts_for_patients_and_whole_messages() -> None:
    hard = "Your heart rate remains considerably elevated notwithstanding recuperation periods."
    assert "reading_grade" in codes(hard, part="message")
    assert "reading_grade" not in codes(hard, part="seen")
    assert "reading_grade" not in codes("Heart rate " + hard[16:], TEAM, part="message")


def test_a_title_needs_no_end_and_no_full_stop() -> None:
    assert codes("Your heart rate is high", part="title") == ()
    assert codes("Your heart rate was high", OVER, part="title") == ()
    assert codes("Simulated data: Your heart rate is high", part="title") == ()
    assert "direction" in codes("Your heart rate is low", part="title")


@pytest.mark.parametrize("text", ["{" * 500, "not " * 500, "\u202e" * 50, "high low " * 200, "🏥"])
def test_no_text_upsets_it(text: str) -> None:
    assert codes(text)


SPARSE = facts(duration_observed=False, slots=("heart_rate", "first_seen", "readings_beyond"))
SPARSE_OVER = closed(duration_observed=False, slots=("heart_rate", "first_seen", "found_over"))


@pytest.mark.parametrize(
    "text",
    [
        "Your heart rate has been high for {duration}.", "Your heart rate is high since {since}.",
        "Your heart rate has been high, now at {heart_rate}.", "Your heart rate has stayed high.",
        "Your heart rate stayed high.", "Your heart rate remained high.",
        "Your heart rate was high for hours.", "Your heart rate is high for a while.",
        "Your heart rate is high, ever since then.", "Your heart rate was high all night.",
        "Your heart rate is high throughout.", "Your heart rate is continuously high.",
        "Your heart rate is high without a break.", "Your heart rate is constantly high.",
        "Your heart rate has not been as low for long.", "Your heart rate was high day after day.",
        "Your heart rate was high the whole time.", "Your heart rate went on being high.",
        "Your heart rate is high over the last hours.", "Your heart rate persisted as high.",
        "Your heart rate has kept high.", "Your heart rate has now been high.",
        "Your heart rate is high, after some hours.", "Your heart rate is high all along.",
        "Your heart rate is high since breakfast.", "Your heart rate was high until noon.",
        "Your heart rate is persistently high.", "Your heart rate is high, days later.",
        "Your heart rate was high the entire day.", "Your heart rate is high, minutes on end.",
    ],
)  # fmt: skip
def test_a_duration_that_was_not_observed(text: str) -> None:
    known = replace(SPARSE, slots=("duration", "heart_rate", "since"))
    assert "duration_unobserved" in codes(text, known)
    assert "duration_unobserved" not in codes(text, replace(known, duration_observed=True))
    assert "duration_unobserved" in codes(text, known, part="message")


@pytest.mark.parametrize(
    "text",
    [
        "Your heart rate is no longer high, after {duration}.",
        "Your heart rate has come back down, after {duration}.",
        "Your heart rate was high until {until} and is no longer high.",
        "Your heart rate had lasted high and is no longer high.",
    ],
)
def test_an_end_claims_no_duration_that_was_not_observed(text: str) -> None:
    known = replace(SPARSE_OVER, slots=("duration", "until"))
    assert "duration_unobserved" in codes(text, known)


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Your heart rate is high, at {heart_rate}.", SPARSE),
        ("Your heart rate is still high, now at {heart_rate}.", replace(SPARSE, phase="updated")),
        ("Your heart rate remains high, at {heart_rate}.", replace(SPARSE, phase="updated")),
        ("Your heart rate is high, first {first_seen}.", SPARSE),
        ("Your heart rate is high in {readings_beyond}.", SPARSE),
        ("Your heart rate is no longer high.", SPARSE_OVER),
        ("Your heart rate has come back down.", SPARSE_OVER),
        ("Your heart rate was high and has now come back down.", SPARSE_OVER),
        ("Your heart rate was high and has since come down.", SPARSE_OVER),
    ],
)
def test_what_speaks_of_a_reading_claims_no_duration(text: str, about: Facts) -> None:
    assert codes(text, about) == ()


def test_what_a_device_did_is_known_all_along() -> None:
    assert codes("We have had no readings from your device for {duration}.", SILENT) == ()
