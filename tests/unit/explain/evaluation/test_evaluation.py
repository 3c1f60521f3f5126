"""The evaluation: its sets are whole and repeatable, and its checks see what is wrong."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Any

import pytest
from msgspec.structs import replace

from explain import tables
from explain.evaluation import speed
from explain.evaluation.blind import KEY, SHEET, make_pairs, write_sheet
from explain.evaluation.checks import failures
from explain.evaluation.events import sets
from explain.evaluation.raw import measure_raw, wanted_signatures
from explain.evaluation.report import Table, replace_report, to_markdown
from explain.evaluation.texts import facts_of, measure_texts, same_for_all
from explain.facts.rows import row_of
from explain.facts.signature import Signature, parse_signature
from explain.phrasebook.book import Phrasebook
from explain.templates.compose import AUDIENCES, compose
from tests.support.wording import event, phrase
from vigil.domain.alert import Alert, Text
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.service.errors import InputError

NAMED = {
    "core": (sets.core_events, 3000),
    "two": (sets.combined_events, 400),
    "missing": (sets.incomplete_events, 300),
    "adversarial": (sets.adversarial_events, 600),
}


@pytest.mark.parametrize("name", NAMED)
def test_a_set_is_as_large_as_it_says_and_always_the_same(name: str) -> None:
    make, size = NAMED[name]
    once, again = list(make()), list(make())
    assert len(once) == size
    assert repr(once) == repr(again)


def test_the_core_grid_has_every_kind_direction_and_telling() -> None:
    wanted = {(row_of(made), made.phase, made.retrospective) for made in sets.core_events()}
    assert {kind for kind, *_ in wanted} == set(tables.kinds())
    for phase, late in (("opened", False), ("updated", False), ("opened", True), ("closed", False)):
        assert {kind for kind, *rest in wanted if rest == [phase, late]} == set(tables.kinds())


def test_every_event_of_two_findings_names_both() -> None:
    for made in islice(sets.combined_events(), 100):
        facts = facts_of(made, "patient")
        assert facts.also.startswith(made.evidence["parts"][0]["kind"])


def test_people_differ_in_all_but_what_was_measured() -> None:
    variants = next(sets.people_events(1))
    assert len({encode(variant) for variant in variants}) == sets.VARIANTS
    assert len({encode(compose(variant).texts) for variant in variants}) == 1


def test_a_text_that_depends_on_who_reads_it_would_be_seen() -> None:
    variants = next(sets.people_events(1))
    slower = replace(variants[1], evidence={**variants[1].evidence, "duration_seconds": 9e4})
    assert same_for_all([[variants[0], slower]]) == (1, 1)


def fails(alert: Alert, sentence: Event | None = None) -> set[str]:
    wanted = sentence or event()
    return set(failures(wanted, alert, {who: facts_of(wanted, who) for who in AUDIENCES}))


def altered(**changes: str) -> Alert:
    alert = compose(event())
    text = alert.texts["patient"]["en"]
    fields = {"title": text.title, "body": text.body, "action": text.action, **changes}
    patient = {**alert.texts["patient"], "en": Text(**fields)}
    return replace(alert, texts={**alert.texts, "patient": patient})


def body(change: Callable[[str], str]) -> Alert:
    return altered(body=change(compose(event()).texts["patient"]["en"].body))


@pytest.mark.slow
def test_what_goes_out_has_no_failure() -> None:
    assert fails(compose(event())) == set()
    lasting = body(lambda text: f"Your heart rate is high and has not come back down. {text}")
    assert "direction" not in fails(lasting)


@pytest.mark.parametrize(
    ("alert", "failure"),
    [
        (body(lambda text: text.replace("118", "119")), "numerals"),
        (body(lambda text: f"{text} It was 12."), "numerals"),
        (body(lambda text: text.replace("118 beats a minute", "{heart_rate}")), "slots"),
        (body(lambda text: text.replace("high", "low")), "direction"),
        (body(lambda text: text.replace("been high", "not been high")), "direction"),
        (body(lambda text: f"{text} This may be sepsis."), "forbidden"),
        (body(lambda text: f"{text} All is fine."), "forbidden"),
        (body(lambda text: f"{text} A. B. C. D."), "sentences"),
        (body(lambda text: text.replace(".", " and so on and on and on and on.")), "words"),
        (body(lambda text: f"Cardiovascular irregularities necessitate {text}"), "grade"),
        (altered(action="Do nothing."), "action"),
        (replace(compose(event()), priority="low"), "urgency"),
        (replace(compose(event()), slots={"heart_rate": "90 beats a minute"}), "slots"),
    ],
)  # fmt: skip
def test_each_check_sees_what_it_is_for(alert: Alert, failure: str) -> None:
    assert failure in fails(alert)


def test_fallback_is_counted_where_the_phrasebook_has_nothing() -> None:
    ours = phrase("Your heart rate is now high, at {heart_rate}, for {duration}.", activity="rest")
    book = Phrasebook([ours], "verified")
    found = measure_texts("one", "phrasebook", [event(), event(kind="heart_rate_low")], book)
    assert found.asked == Counter(patient=2, care_team=2)
    assert found.fallback == Counter(patient=1, care_team=2)
    assert not found.failed


def test_what_a_model_writes_is_judged_once_a_signature_and_counted_as_often_as_it_is_wanted() -> (
    None
):
    wanted = parse_signature("en/patient/heart_rate_high.above/opened/-/-/heart_rate")
    other = parse_signature("en/patient/heart_rate_low.below/opened/-/-/heart_rate")
    answers = {wanted: "Your heart rate is low, at {heart_rate}.", other: "It is {heart_rate} 5."}
    asked: list[Signature] = []

    def ask(signatures: Any) -> list[str]:
        asked.extend(signatures)
        return [answers[each] for each in signatures]

    found = measure_raw("trial", ask, {wanted: 3, other: 2}, {answers[other]})
    assert sorted(asked) == sorted(answers)
    assert (found.sentences, found.signatures, found.copied) == (5, 2, 2)
    assert found.errors["contradiction"] == 5
    assert found.errors["numeral"] == 2
    assert found.errors["slot"] == 0


def test_the_blind_sheet_hides_which_is_which(tmp_path: Any) -> None:
    book = Phrasebook(_one_each(sets.core_events(200)), "verified")
    pairs = make_pairs(sets.core_events(200), book, 1)
    assert len(pairs) > 20
    assert {pair.phrase_first for pair in pairs} == {True, False}
    write_sheet(tmp_path, pairs)
    sheet = (tmp_path / SHEET).read_text("utf-8")
    assert "phrasebook" not in sheet
    assert len((tmp_path / KEY).read_text("utf-8").splitlines()) == len(pairs) + 1


def _one_each(events: Any) -> list[Phrase]:
    """A phrase of other words for each signature that events ask for."""
    made = []
    for wanted in wanted_signatures(events):
        slots = " ".join(f"{{{slot}}}" for slot in wanted.slots)
        made.append(
            replace(phrase("x"), phrase_id=wanted.key, signature=wanted.key, text=f"Ours {slots}.")
        )
    return made


def test_composing_is_timed_on_the_processor_s_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that an alert and its JSON each move on by a second: no machine settles it."""
    seconds = 0.0

    def a_second(work: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*given: Any) -> Any:
            nonlocal seconds
            seconds += 1
            return work(*given)

        return timed

    monkeypatch.setattr(time, "process_time", lambda: seconds)
    monkeypatch.setattr(speed, "compose", a_second(compose))
    monkeypatch.setattr(speed, "encode", a_second(encode))
    found = speed.time_composing(list(sets.core_events(50)), None)
    assert found.alerts == 50
    assert found.per_second > found.encoded_per_second > 0
    assert (found.per_second, found.encoded_per_second) == (1.0, 0.5)
    assert found.hits == 0


def test_a_report_has_a_place_of_its_own() -> None:
    table = Table("T", ("a", "b"), [("1|2", "3")], "Note.")
    assert to_markdown([table]) == "### T\n\nNote.\n\n| a | b |\n| --- | --- |\n| 1\\|2 | 3 |"
    with pytest.raises(InputError, match=r"x\.md has no markers"):
        replace_report("nothing", "new", "x.md")
