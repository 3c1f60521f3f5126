"""The phrasebook: what may be shown is found, in whatever order it came; what may not never is."""

from __future__ import annotations

import random
import sys
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.evaluation.checks import failures
from explain.evaluation.events import sets
from explain.evaluation.texts import facts_of
from explain.facts.signature import Signature, every_signature, facts_of_signature, parse_signature
from explain.phrasebook.book import PatientText, Phrasebook, find_faults, judge_sentence
from explain.phrasebook.files import (
    check_phrases,
    read_phrases,
    shipped_path,
    shipped_phrases,
    write_phrases,
)
from explain.templates.compose import AUDIENCES, compose
from explain.templates.drafts import sentences_for
from tests.support.messages import NOON, SIGNATURE, event, phrase
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase, precedence
from vigil.service.errors import InputError

SIGNATURE_PARTS = parse_signature(SIGNATURE)
GOOD = "Your heart rate is high, now {heart_rate}."
OTHER = "Your heart has been fast, at {heart_rate}."
TEAM = "en/care_team/heart_rate_high.above/opened/-/-/heart_rate"


def key(activity: str = "-", also: str = "-", who: str = "patient") -> str:
    return f"en/{who}/heart_rate_high.above/opened/{activity}/{also}/heart_rate"


def book(*phrases: Phrase, patient_text: PatientText = "verified") -> Phrasebook:
    return Phrasebook(phrases, patient_text)


def test_a_patient_reads_what_a_reviewer_approved_unless_the_verifier_is_enough() -> None:
    draft, approved = phrase(GOOD), phrase(OTHER, status="approved", revision=1, by="kim")
    careful, free = book(draft, patient_text="approved"), book(draft)
    assert careful.find(SIGNATURE_PARTS, 0) is None
    assert free.find(SIGNATURE_PARTS, 0) == draft
    assert careful.has(SIGNATURE_PARTS)  # a draft is there: the model need not be asked for another
    careful.add(approved)
    assert {careful.find(SIGNATURE_PARTS, choice) for choice in range(9)} == {approved}


def test_the_care_team_reads_drafts_too() -> None:
    draft = phrase("Heart rate high, {heart_rate}.", signature=TEAM)
    assert book(draft, patient_text="approved").find(parse_signature(TEAM), 5) == draft


def test_what_is_banned_is_never_found_and_an_older_draft_does_not_bring_it_back() -> None:
    banned = phrase(GOOD, status="banned", revision=3, by="kim")
    found = book(banned)
    assert found.find(SIGNATURE_PARTS, 0) is None
    assert not found.has(SIGNATURE_PARTS)
    assert not found.add(phrase(GOOD))
    assert not found.add(phrase(GOOD, status="approved", revision=2, by="ada"))
    assert found.find(SIGNATURE_PARTS, 0) is None
    assert found.add(phrase(GOOD, revision=4, by="ada"))
    assert found.find(SIGNATURE_PARTS, 0) is not None


def test_of_several_the_choice_settles_which_and_each_has_its_turn() -> None:
    made = [phrase(GOOD), phrase(OTHER)]
    found = book(*made)
    in_order = sorted(made, key=lambda p: p.phrase_id)
    assert [found.find(SIGNATURE_PARTS, choice) for choice in range(4)] == in_order * 2


def test_what_says_less_stands_in_where_nothing_says_it_all() -> None:
    wanted = parse_signature(key("rest", "blood_pressure_low.below"))
    found = book(phrase(GOOD, signature=key()))
    assert found.find(wanted, 0) == phrase(GOOD, signature=key())
    assert not found.has(wanted)
    with_it = phrase(GOOD, signature=key("-", "blood_pressure_low.below"))
    found.add(with_it)
    assert found.find(wanted, 0) == with_it
    assert found.find(parse_signature(key("rest")), 0) == phrase(GOOD, signature=key())
    assert found.find(parse_signature(key("asleep", who="care_team")), 0) is None


def test_what_says_more_never_stands_in_for_what_says_less() -> None:
    found = book(phrase("While you rest, your heart rate is {heart_rate}.", signature=key("rest")))
    assert found.find(SIGNATURE_PARTS, 0) is None


REVISIONS = st.builds(
    lambda text, status, revision, by, second: phrase(
        text, status=status, revision=revision, by=by, time=NOON + timedelta(seconds=second)
    ),
    st.sampled_from([GOOD, OTHER, "Your pulse is high, at {heart_rate}."]),
    st.sampled_from(["draft", "approved", "banned"]),
    st.integers(0, 2),
    st.sampled_from(["kim", "ada"]),
    st.integers(0, 1),
)


@given(st.lists(REVISIONS, max_size=12), st.integers(), st.sampled_from(["approved", "verified"]))
def test_every_worker_agrees_whatever_the_order(
    steps: list[Phrase], choice: int, patient_text: PatientText
) -> None:
    shuffled = random.Random(1).sample(steps, len(steps))  # noqa: S311
    one, other = Phrasebook(steps, patient_text), Phrasebook(shuffled * 2, patient_text)
    assert list(one) == list(other)
    assert one.find(SIGNATURE_PARTS, choice) == other.find(SIGNATURE_PARTS, choice)
    holding = {p.phrase_id: p for p in sorted(steps, key=precedence)}
    assert list(one) == [holding[each] for each in sorted(holding)]
    allowed = {"approved"} if patient_text == "approved" else {"approved", "draft"}
    may = sorted(p.phrase_id for p in holding.values() if p.status in allowed)
    found = one.find(SIGNATURE_PARTS, choice)
    assert (found.phrase_id if found else None) == (may[choice % len(may)] if may else None)


def test_what_cannot_be_used_says_why() -> None:
    assert find_faults(phrase(GOOD)) == ()
    assert find_faults(phrase(GOOD, phrase_id="another")) == ("phrase_id",)
    assert find_faults(phrase(GOOD, signature="en/patient/x.above/opened/-/-/-")) == (
        "signature_unknown",
    )
    assert "direction" in find_faults(phrase("Your heart rate is low, now {heart_rate}."))
    assert find_faults(phrase("Nonsense {heart_rate", status="banned")) == ()  # a ban always holds
    assert judge_sentence(SIGNATURE_PARTS, GOOD[:-1] + " " * 400 + ".") == ("sentence_length",)


def test_a_signature_of_another_version_is_not_taken() -> None:
    with pytest.raises(ValueError, match="signature"):
        book(phrase(GOOD, signature="en/patient/x.above/opened/-/-/-"))


@pytest.mark.parametrize("activity", ["-", "rest"])
def test_the_tables_own_sentences_pass(activity: str) -> None:
    """What the judge puts around a sentence is never what it refuses."""
    for wanted in every_signature():
        if wanted.also or (wanted.activity or "-") != activity:
            continue
        for sentence in sentences_for(facts_of_signature(wanted)):
            if tuple(sorted(sentence.slots)) == wanted.slots:
                assert judge_sentence(wanted, sentence.text) == (), (wanted.key, sentence.text)


@pytest.mark.slow
def test_every_shipped_phrase_passes_the_verifier_and_is_written_once() -> None:
    lines = list(check_phrases(shipped_path()))
    assert [line for line in lines if line[2]] == []
    phrases = [line[1] for line in lines]
    in_order = sorted(phrases, key=lambda p: (p.signature, p.phrase_id))
    assert phrases == in_order
    assert len({p.phrase_id for p in phrases}) == len(phrases)


@pytest.mark.parametrize(
    "line", [b"{", b"{}", b'{"phrase_id":"x"}', b"\xff", b'{"status":"good"}', b""]
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes) -> None:
    path = tmp_path / "p.jsonl"
    write_phrases(path, [phrase(GOOD)])
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match="line 2"):
        list(read_phrases(path))


def test_a_file_gives_back_what_was_written(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    made = [
        phrase(GOOD),
        phrase(OTHER, status="banned", revision=1, by="kim"),
        phrase(GOOD, signature=TEAM),
    ]
    write_phrases(path, made)
    assert set(read_phrases(path)) == set(made)
    again = path.read_bytes()
    write_phrases(path, reversed(list(read_phrases(path))))
    assert path.read_bytes() == again
    with pytest.raises(InputError, match="nowhere"):
        list(read_phrases(tmp_path / "nowhere.jsonl"))


def test_a_lookup_takes_as_many_steps_in_a_book_of_everything_as_in_a_book_of_one() -> None:
    """How long that is, is measured in docs/explanation.md."""
    steps = 0

    def step(frame: FrameType, _event: str, _argument: Any) -> Any:
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += 1
        return step

    def taken(*signatures: Signature) -> int:
        """By finding each of them."""
        nonlocal steps
        made = (phrase("A.", signature=each.key) for each in signatures)
        found, steps = Phrasebook(made, patient_text="verified"), 0
        before = sys.gettrace()
        sys.settrace(step)
        try:
            shown = [found.find(each, 7) for each in signatures]
        finally:
            sys.settrace(before)
        assert None not in shown
        return steps

    every = list(every_signature())
    assert taken(*every) < 1.1 * sum(taken(wanted) for wanted in every)


def unobserved(**changes: Any) -> Event:
    """Two readings too far apart to say that it lasted."""
    known = {"values": {"heart_rate": 131.0}, "samples": 2, "readings_beyond": 2, **changes}
    return event(evidence=known, onset=NOON, detected_at=NOON + timedelta(minutes=62))


def test_a_phrase_of_a_duration_is_not_found_for_what_was_not_observed_all_along() -> None:
    spanned = phrase(
        "Your heart rate has been high for {duration}, now at {heart_rate}.",
        signature="en/patient/heart_rate_high.above/opened/-/-/duration+heart_rate",
    )
    plain = phrase(GOOD)
    found = book(spanned, plain)
    assert compose(unobserved(), found).provenance["patient"].entry == plain.phrase_id
    watched = compose(unobserved(duration_observed=True), found)
    assert watched.provenance["patient"].entry == spanned.phrase_id


@pytest.mark.parametrize(
    "text",
    ["Your heart rate has stayed high, now {heart_rate}.",
     "Your heart rate has been high, now {heart_rate}.",
     "Your heart rate was high all night, now {heart_rate}."],
)  # fmt: skip
def test_a_phrase_that_claims_a_duration_without_a_slot_is_refused(text: str) -> None:
    assert "duration_unobserved" in judge_sentence(SIGNATURE_PARTS, text)
    assert "duration_unobserved" in find_faults(phrase(text))


@pytest.mark.slow
def test_no_shipped_phrase_claims_a_duration_that_an_event_may_not_have() -> None:
    found = Phrasebook(shipped_phrases(), "verified")
    for made in sets.unobserved_events():
        alert = compose(made, found)
        facts = {who: facts_of(made, who) for who in AUDIENCES}
        assert set(failures(made, alert, facts)) == set(), made
