"""The HTML of rows and cards: what it says, that it is safe, and that it is stable."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dashboard.board import rows
from dashboard.board.ranking import rank_episodes
from dashboard.board.snapshot import PatientSnapshot
from dashboard.board.spark import sparkline
from dashboard.patient import cards
from dashboard.patient.basis import list_facts
from store.episodes.board import SPARK_POINTS, Episode, Patient, Value
from store.episodes.evidence import Basis, StoredAction
from tests.support.seed import evidence

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
EVIL = "<img src=x onerror=alert(1)>\"'&"


def episode(**more: Any) -> Episode:
    made: dict[str, Any] = {
        "episode_id": "e1", "patient_id": "p1", "kind": "heart_rate_high", "category": "clinical",
        "phase": "opened", "priority": "high", "onset": NOON, "detected_at": NOON,
        "ended_at": None, "retrospective": False, "synthetic": False,
        "text": {"title": "Heart rate high", "body": "It is.", "action": "Look."},
        "acknowledged_by": None, "acknowledged_at": None, "help_at": None, **more,
    }  # fmt: skip
    return Episode(**made)


def patient(**more: Any) -> Patient:
    made: dict[str, Any] = {
        "patient_id": "p1", "display_name": "Ann Lee", "ward": "Ward A", "locale": "en",
        "active": True, "synthetic": False, **more,
    }  # fmt: skip
    return Patient(**made)


def values(**more: float) -> dict[str, Value]:
    return {
        signal: Value("p1", signal, value, NOON, NOON + timedelta(seconds=2))
        for signal, value in more.items()
    }


def row(
    announced: list[Episode], shown: dict[str, Value] | None = None, **who: Any
) -> rows.Fragment:
    return rows.render_row(
        PatientSnapshot(patient(**who), shown or {}, rank_episodes(announced), {}), judged=True
    )


def basis(**more: Any) -> Basis:
    made: dict[str, Any] = {
        "episode_id": "e1", "sequence": 0, "signals": ["heart_rate"],
        "evidence": evidence("heart_rate_high"), "context": {"activity": "rest"},
        "detector_version": "1", "config_hash": "3f9a", "slots": {},
        "provenance": {"author": "template", "entry": "heart_rate_high.opened.1"},
        "revision": 0, **more,
    }  # fmt: skip
    return Basis(**made)


def text_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_a_row_says_priority_alert_name_and_values_with_units() -> None:
    shown = values(heart_rate=128.4, systolic=131.6, diastolic=84.2, temperature=37.04)
    piece = row([episode()], shown)
    text = text_of(piece.html)
    for part in (
        "High", "Heart rate high", "Ann Lee", "p1", "Ward A", "128 bpm", "132/84 mmHg", "37.0 °C",
        "Acknowledge",
    ):  # fmt: skip
        assert part in text
    assert piece.css == "row high waiting calling"
    assert 'aria-label="Acknowledge: Heart rate high, Ann Lee"' in piece.html


def test_only_what_nobody_acknowledged_and_goes_on_calls() -> None:
    assert "calling" not in row([episode(acknowledged_at=NOON, acknowledged_by="Kim")]).css
    assert "calling" not in row([episode(phase="closed", ended_at=NOON)]).css
    assert "calling" not in row([episode(retrospective=True)]).css
    assert row([]).css == "row none"

    assert "calling" not in row([episode(history=True)]).css
    assert "calling" in row([episode(time_uncertain=True)]).css
    assert "calling" in row([episode(history=True, help_at=NOON)]).css


@pytest.mark.parametrize(
    ("more", "text"),
    [
        (
            {"raised_because": "joined"},
            "a further finding joined or worsened since acknowledged 21 Nov 11:00 UTC by Kim Berg",
        ),
        ({"raised_because": "worse"}, "worse since acknowledged 21 Nov 11:00 UTC by Kim Berg"),
        (
            {"raised_because": "raised"},
            "raised in priority since acknowledged 21 Nov 11:00 UTC by Kim Berg",
        ),
        (
            {"raised_because": "continues", "duration_observed": True},
            "still present after 4 h; acknowledged 21 Nov 11:00 UTC by Kim Berg",
        ),
        (
            {"raised_because": "continues"},
            "found again after 4 h; acknowledged 21 Nov 11:00 UTC by Kim Berg",
        ),
    ],
    ids=["joined", "worse", "raised", "still there", "not observed in between"],
)
def test_what_is_open_again_says_why_and_who_had_acknowledged_it(
    more: dict[str, Any], text: str
) -> None:
    lifted = {
        "onset": NOON - 4 * HOUR, "raised_time": NOON, "lifted_by": "Kim Berg",
        "lifted_at": NOON - HOUR, **more,
    }  # fmt: skip
    again = episode(**lifted)
    piece = row([again])
    assert text in text_of(piece.html)
    assert "calling" in piece.css
    assert "<button" in piece.html
    assert text in text_of(cards.render_card(patient(), again, basis=basis(), actions=[]).html)
    seen = episode(**{**lifted, "lifted_at": None, "acknowledged_at": NOON})
    assert more["raised_because"] not in text_of(row([seen]).html)


def test_what_continues_says_so_though_nobody_has_acknowledged_it() -> None:
    still = episode(
        onset=NOON - 4 * HOUR, raised_time=NOON, raised_because="continues", duration_observed=True
    )
    assert "still present after 4 h" in text_of(row([still]).html)
    assert "acknowledged" not in text_of(row([still]).html)
    assert "worse" not in text_of(row([episode(raised_because="worse")]).html)


@pytest.mark.parametrize("acknowledged", [None, NOON])
def test_what_falls_is_shown_as_falling_and_as_what_it_was(acknowledged: datetime | None) -> None:
    fell = episode(
        priority="medium", highest_priority="high", priority_since=NOON,
        acknowledged_at=acknowledged,
    )  # fmt: skip
    text = "was high, now medium since 21 Nov 12:00 UTC"
    assert text in text_of(row([fell]).html)
    assert text in text_of(cards.render_card(patient(), fell, basis=basis(), actions=[]).html)
    assert "was " not in text_of(row([episode(highest_priority="high")]).html)


def test_what_is_not_measured_any_more_is_not_called_ended() -> None:
    over = episode(phase="closed", ended_at=NOON, duration_observed=True)
    assert "ended 21 Nov 12:00 UTC" in text_of(row([over]).html)
    lost = text_of(row([replace(over, unobserved_end=True)]).html)
    assert "last measured 21 Nov 12:00 UTC" in lost
    assert "not acknowledged" in lost
    assert "ended" not in lost


def test_history_is_marked_and_has_its_own_date() -> None:
    august = datetime(2026, 8, 5, 8, tzinfo=UTC)
    past = episode(
        phase="closed", onset=august, ended_at=august + HOUR, history=True, duration_observed=True
    )
    piece = row([past])
    assert piece.css == "row none past over"
    text = text_of(piece.html)
    assert "05 Aug 08:00 UTC to 05 Aug 09:00 UTC" in text
    assert "history" in text
    assert "High" in text, "what it was"
    card = text_of(cards.render_card(patient(), past, basis=basis(), actions=[]).html)
    assert "history: nobody was paged" in card


TAKEN = {"withdrawal_id": "w1", "reason": "wrong_device", "readings": 1}


@pytest.mark.parametrize(
    ("judged_again", "evidence", "text"),
    [
        (False, {"reason": "reading_withdrawn"}, "a reading it rested on was withdrawn: "),
        (True, {"reason": "reading_withdrawn"}, "a reading it rested on was withdrawn: "),
        (False, {"change": "corrected"}, "a reading it rested on was withdrawn: "),
        (False, {"withdrawal": {**TAKEN, "priority": "high"}}, "a reading it rested on was"),
        (True, {}, "found by judging again after a reading was withdrawn: "),
        (True, {"withdrawal": None}, "found by judging again after a reading was withdrawn"),
        (False, {"change": "raised"}, "judged again after a reading was withdrawn: "),
    ],
)
def test_a_card_says_what_a_withdrawal_has_to_do_with_it(
    judged_again: bool, evidence: dict[str, Any], text: str
) -> None:
    found = episode(judged_again=judged_again)
    held = basis(evidence={"withdrawal": TAKEN, **evidence})
    assert text in text_of(cards.render_card(patient(), found, basis=held, actions=[]).html)


def test_what_was_found_by_judging_again_is_not_called_late() -> None:
    found = episode(retrospective=True, judged_again=True)
    held = basis(evidence={"withdrawal": TAKEN})
    for html in (
        row([found]).html,
        cards.render_card(patient(), found, basis=held, actions=[]).html,
    ):
        assert "late data" not in text_of(html)
        assert "judg" in text_of(html)
    assert "late data" in text_of(row([episode(retrospective=True)]).html)


def test_an_acknowledged_row_says_by_whom_and_offers_no_button() -> None:
    piece = row([episode(acknowledged_at=NOON, acknowledged_by="Kim Berg")])
    assert "Acknowledged by Kim Berg" in text_of(piece.html)
    assert "<button" not in piece.html


@pytest.mark.parametrize(
    ("who", "label"), [({"synthetic": True}, "SYNTHETIC"), ({"display_name": ""}, "p1")]
)
def test_labels_of_the_patient(who: dict[str, Any], label: str) -> None:
    assert label in text_of(row([], **who).html)


def test_a_call_for_help_is_named_before_the_alert() -> None:
    piece = row([episode(priority="low", help_at=NOON)])
    assert piece.css.startswith("row high")
    assert "Asks for help" in text_of(piece.html)


def aged(html: str) -> list[datetime]:
    """The times that a page shows as ages."""
    return [
        datetime.fromisoformat(t)
        for t in re.findall(r'<time data-age[^>]*datetime="([^"]+)"', html)
    ]


def test_a_late_measurement_is_as_old_as_it_is_and_shows_when_it_was_received() -> None:
    measured = NOON - timedelta(hours=5)
    late = row([], {"heart_rate": Value("p1", "heart_rate", 70, measured, NOON)}).html
    assert aged(late) == [measured]
    assert "received" in text_of(late)
    assert "received" not in text_of(row([], values(heart_rate=70)).html)


def test_the_newest_reading_is_the_one_measured_last() -> None:
    """A backlog of another signal that is received now makes nothing newer."""
    before, received = NOON - timedelta(minutes=20), NOON + timedelta(minutes=5)
    shown = {
        "heart_rate": Value("p1", "heart_rate", 70, NOON, NOON),
        "spo2": Value("p1", "spo2", 96, before, received),
    }
    assert aged(row([], shown).html) == [before, NOON]  # its own, then the row's


def test_an_old_value_beside_a_new_one_shows_its_own_age() -> None:
    shown = values(heart_rate=70)
    shown["spo2"] = Value("p1", "spo2", 96, NOON - timedelta(hours=3), NOON - timedelta(hours=3))
    vitals = {vital.name: vital for vital in rows.newest_vitals(shown, None)}
    assert vitals["spo2"].measured is not None
    assert vitals["heart_rate"].measured is None


def test_pressures_of_two_measurements_are_never_shown_as_one() -> None:
    shown = values(systolic=74, diastolic=80)
    assert [vital.value for vital in rows.newest_vitals(shown, None)] == ["74/80"]
    shown["diastolic"] = Value("p1", "diastolic", 80, NOON - timedelta(minutes=5), NOON)
    [vital] = rows.newest_vitals(shown, None)
    assert (vital.label, vital.value) == ("Systolic blood pressure", "74")
    assert [vital.value for vital in rows.newest_vitals(values(systolic=74), None)] == ["74"]


def test_an_unknown_kind_and_absent_words_still_make_a_row() -> None:
    assert "a_newer_kind" in row([episode(kind="a_newer_kind", text=None)]).html
    assert "Heart rate high" in row([episode(text=None)]).html


def test_a_row_depends_on_data_alone() -> None:
    assert row([episode()]) == row([episode()])
    assert row([episode()]).digest != row([episode(priority="medium")]).digest


def test_whatever_people_typed_is_text() -> None:
    announced = episode(
        episode_id=EVIL, acknowledged_by=EVIL, acknowledged_at=NOON,
        text={"title": EVIL, "body": EVIL, "action": EVIL},
    )  # fmt: skip
    who: dict[str, Any] = {"patient_id": EVIL, "display_name": EVIL, "ward": EVIL}
    action = StoredAction("e1", EVIL, "comment", NOON, EVIL)
    made = [
        row([announced], **who).html,
        row([replace(announced, acknowledged_by=None, acknowledged_at=None)], **who).html,
        cards.render_card(
            patient(**who), announced, basis=basis(evidence={EVIL: EVIL}), actions=[action]
        ).html,
        cards.render_patient_head(patient(**who), {}, [announced], judged=True),
    ]
    for html in made:
        assert "<img" not in html
        assert "%3Cimg" in html or "&lt;img" in html


def test_the_values_of_a_patient_are_marked_in_the_colour_of_what_is_announced_of_them() -> None:
    announced = episode(priority="low")
    assert 'class="vitals large low"' in cards.render_patient_head(
        patient(), {}, [announced], judged=True
    )
    over = replace(announced, phase="closed")
    assert 'class="vitals large"' in cards.render_patient_head(patient(), {}, [over], judged=True)


def test_a_card_opens_to_its_basis() -> None:
    piece = cards.render_card(patient(), episode(), basis=basis(), actions=[])
    text = text_of(piece.html)
    for part in (
        "It is.", "Look.", "Limit in force", "≥ 120 bpm, held for 10 min",
        "over at 110 bpm (hysteresis)", "Personal baseline", "about 71 bpm", "812 readings",
        "Readings used 12 over 12 min", "Data quality 97%", "Condition delay", "10 min",
        "Signal delay", "2 s", "Detector version 1", "Configuration 3f9a", "reviewed template",
    ):  # fmt: skip
        assert part.replace(" ", "") in text.replace(" ", ""), part


def over_for_an_hour(found: dict[str, Any], **more: Any) -> str:
    ended = episode(phase="closed", ended_at=NOON + timedelta(hours=1), **more)
    made = cards.render_card(patient(), ended, basis=basis(evidence=found), actions=[])
    return " ".join(text_of(made.html).split())


def test_a_card_says_how_long_it_lasted_only_where_that_was_observed() -> None:
    assert "lasted 1 h" in over_for_an_hour({"duration_observed": True})
    assert "lasted 1 h" in over_for_an_hour({}, kind="no_data", category="technical")
    for found in ({}, {"duration_observed": False}, {"duration_observed": 1}):
        text = over_for_an_hour(found)
        assert "lasted" not in text
        assert "first seen" in text
        assert "found over" in text


def test_a_card_of_an_end_that_nobody_saw_says_when_it_was_last_measured() -> None:
    text = over_for_an_hour({"reason": "unobserved", "duration_observed": True})
    assert "lasted" not in text
    assert "ended" not in text
    assert "last measured" in text


def test_an_open_finding_was_first_seen_and_a_technical_one_goes_on_since() -> None:
    for html in (
        row([episode()]).html,
        cards.render_card(patient(), episode(), basis=basis(), actions=[]).html,
    ):
        assert "first seen" in text_of(html)
        assert "since" not in text_of(html)
    assert "since" in text_of(row([episode(kind="no_data", category="technical")]).html)


def test_the_basis_says_how_far_apart_the_readings_stand() -> None:
    found = {"samples": 2, "readings_beyond": 2, "longest_gap_seconds": 10_800.0}
    facts = {fact.label: fact.value for fact in list_facts(basis(evidence=found))}
    assert facts["Readings beyond"] == "2"
    gap = facts["Longest gap between readings"]
    assert gap == "3 h; too sparse to say how long it lasted"
    found |= {"duration_observed": True, "longest_gap_seconds": 60.0}
    facts = {fact.label: fact.value for fact in list_facts(basis(evidence=found))}
    assert facts["Longest gap between readings"] == "1 min"


def test_words_of_a_model_are_marked_with_model_and_prompt() -> None:
    made = {"author": "model", "entry": "x", "model": "smollm2@b7", "prompt_hash": "c0ffee"}
    html = cards.render_card(patient(), episode(), basis=basis(provenance=made), actions=[]).html
    text = text_of(html)
    assert "worded by a language model, verified" in text
    assert "smollm2@b7" in text
    assert "c0ffee" in text
    assert '<a href="/board/phrasebook/x">' in html  # where it can be banned
    assert (
        "/board/phrasebook"
        not in cards.render_card(patient(), episode(), basis=basis(), actions=[]).html
    )


leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
branch = st.lists(leaf, max_size=3) | st.dictionaries(st.text(max_size=6), leaf, max_size=3)
json = leaf | branch | st.lists(branch, max_size=3) | st.dictionaries(st.text(max_size=6), branch)
KEYS = sorted(evidence("heart_rate_high"))


@given(st.dictionaries(st.sampled_from([*KEYS, "new_key"]), json))
def test_no_evidence_breaks_a_card(found: dict[str, Any]) -> None:
    assert list_facts(basis(evidence=found))
    assert cards.render_card(patient(), episode(), basis=basis(evidence=found), actions=[]).html


points = st.dictionaries(st.integers(0, SPARK_POINTS - 1), st.floats(20, 300))


@given(points)
def test_a_sparkline_stays_inside_its_box_and_never_bridges_a_gap(found: dict[int, float]) -> None:
    svg = str(sparkline(found, SPARK_POINTS, "Heart rate"))
    if not found:
        assert "no readings" in svg
        return
    root = ElementTree.fromstring(svg)  # noqa: S314  (our own)
    _, _, width, height = (float(n) for n in root.attrib["viewBox"].split())
    drawn = 0
    for line in root.findall("polyline"):
        spots = [tuple(map(float, spot.split(","))) for spot in line.attrib["points"].split()]
        drawn += len(spots)
        assert all(0 <= x <= width and 0 <= y <= height for x, y in spots)
    lone = root.findall("circle[@class='lone']")
    assert drawn + len(lone) == len(found)
    runs = sum(place - 1 not in found for place in found)
    assert len(root.findall("polyline")) + len(lone) == runs


def test_the_basis_says_what_else_holds_and_what_a_score_is_made_of() -> None:
    part = {"kind": "shock_index_high", "signal": "shock_index", "value": 1.2, "limit": 1.0}
    evidence = {
        "parts": [part, {"kind": EVIL}, EVIL], "average": {"systolic": 138, "diastolic": 86},
        "contributions": {"heart_rate": 1, "respiratory_rate": 3, EVIL: 2},
    }  # fmt: skip
    announced = {fact.label: fact.value for fact in list_facts(basis(evidence=evidence))}
    assert announced["With it"] == "Shock index high: 1.20 (limit 1.00)"
    assert announced["Made of"] == "Respiratory rate 3; Heart rate 1"
    assert (
        announced["Average"] == "Systolic blood pressure 138 mmHg; Diastolic blood pressure 86 mmHg"
    )


SPANS = re.compile(r"\bsince\b|\blasted\b|\bended\b| to \d")


@pytest.mark.parametrize("observed", [True, False])
@pytest.mark.parametrize("category", ["clinical", "technical"])
@pytest.mark.parametrize(
    ("phase", "more"),
    [
        ("opened", {}),
        ("updated", {}),
        ("closed", {"ended_at": NOON + HOUR}),
        ("closed", {"ended_at": NOON + HOUR, "history": True}),
    ],
)
def test_row_and_card_claim_a_length_of_time_only_where_it_was_observed(
    phase: str, more: dict[str, Any], category: str, observed: bool
) -> None:
    one = episode(phase=phase, category=category, duration_observed=observed, **more)
    known = basis(evidence=evidence("heart_rate_high") | {"duration_observed": observed})
    card = cards.render_card(patient(), one, basis=known, actions=[]).html
    when = re.search(r'<p class="when">(.*?)</p>', card, re.DOTALL)
    line = re.search(r'<p class="since">(.*?)</p>', row([one]).html, re.DOTALL)
    bears = observed or category == "technical"
    assert when
    assert bool(SPANS.search(text_of(when[1]))) == bears
    assert ("first seen" in when[1]) == (not bears)
    if line is None:
        assert phase == "closed"  # nothing is left to do about it
    else:
        assert bool(SPANS.search(text_of(line[1]))) == bears
    if line is not None and (phase != "closed" or more.get("history")):
        assert ("first seen" in line[1]) == (not bears)
