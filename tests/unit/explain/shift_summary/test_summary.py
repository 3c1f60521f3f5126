"""A summary is short, the same for the same input, and every figure of it can be counted again."""

from __future__ import annotations

import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from explain import tables
from explain.facts.slots import render_slots
from explain.shift_summary.records import Call, Episode, Measured, Summary, Window
from explain.shift_summary.summary import MAX_SENTENCES, summarise
from explain.shift_summary.words import MAX_NAMED_PATIENTS, Scope, summary_table
from explain.verifier import verify
from explain.verifier.candidate import Candidate
from tests.support.wording import ONSET, event, events, facts
from vigil.domain.encoding import encode
from vigil.domain.episode import Event

NOW = ONSET + timedelta(hours=2)
WINDOW = Window(NOW, 8)
OF_A_FINDING = {"event_unnamed", "direction", "negation", "phase", "language", "slot_misplaced"}
"""Rules for a sentence on one finding; a summary is of many."""
CALM = re.compile(r"\b(quiet|calm|stable|all well|uneventful|peaceful|fine|normal|good)\b", re.I)


def episode(
    ident: str = "e1",
    patient: str = "p1",
    *,
    acknowledged: bool = False,
    waiting: bool | None = None,
    **changes: Any,
) -> Episode:
    """Of high priority; it waits for an acknowledgement unless it has one."""
    announced: Event = event(
        episode_id=ident, patient_id=patient, **{"priority": "high", **changes}
    )
    waits = not acknowledged if waiting is None else waiting
    return Episode(announced, announced.detected_at, acknowledged, waiting=waits)


def announced(*episodes: Episode, scope: Scope = "ward", **more: Any) -> Summary:
    given_: dict[str, Any] = {"calls": (), "measured": (Measured("p1", 90),), **more}
    return summarise(scope, "Ward A", WINDOW, episodes, **given_)


def kinds(summary: Summary) -> list[str]:
    return [sentence.kind for sentence in summary.sentences]


def test_nothing_happened_is_said_with_what_data_there_was() -> None:
    summary = announced(measured=(Measured("p1", 90), Measured("p2", 0)))
    assert kinds(summary) == ["none", "data"]
    assert "alert" in summary.text
    assert "8 hours" in summary.text
    assert "p2" in summary.text
    assert kinds(announced(measured=())) == ["none", "nobody"]


def test_what_is_open_and_urgent_comes_first() -> None:
    summary = announced(
        episode("e1", "p1", priority="low"),
        episode("e2", "p2", acknowledged=True),
        episode("e3", "p3"),
        calls=(Call("a1", "e1", "p1", NOW - timedelta(minutes=5), False),),
    )
    assert kinds(summary) == ["open", "open", "help", "unanswered", "raised", "data"]
    first, second = summary.sentences[:2]
    assert "p3" in first.text
    assert "not acknowledged" in first.text
    assert "heart rate high since 06:02 UTC, announced at 118 beats a minute" in first.text
    assert "p2" in second.text
    assert "not acknowledged" not in second.text
    assert "2 high, 1 low" in summary.sentences[4].text


def test_of_many_urgent_ones_the_rest_are_counted() -> None:
    many = [episode(f"e{n}", f"p{n:02}") for n in range(9)]
    summary = announced(*many)
    assert kinds(summary)[:2] == ["open", "open_more"]
    more = summary.sentences[1].text
    assert "8 alerts" in more
    assert "p01, p02, p03, p04, p05 and 3 more" in more
    assert more.count("p0") == MAX_NAMED_PATIENTS


def test_what_ended_came_late_or_is_technical_has_its_own_words() -> None:
    over: dict[str, Any] = {"phase": "closed", "ended_at": NOW - timedelta(hours=1)}
    summary = announced(
        episode("e1", acknowledged=True, **over),
        episode("e2", **over),
        episode("e3", retrospective=True, waiting=False),
        episode("e4", kind="no_data", category="technical"),
    )
    assert kinds(summary) == ["open", "unanswered", "raised", "ended", "technical", "data"]
    assert "1 of them from late readings" in summary.sentences[2].text
    assert "2 alerts, 1 of them before anyone acknowledged them" in summary.sentences[3].text
    assert "1 finding " in summary.sentences[4].text
    device = episode(kind="no_data", category="technical", waiting=False)
    assert kinds(announced(device))[0] == "none_clinical"


def test_what_was_withdrawn_has_not_ended_and_waits_for_nobody() -> None:
    taken = {"reason": "reading_withdrawn", "withdrawal": {"reason": "wrong_patient"}}
    long_ago = NOW - timedelta(days=3)
    summary = announced(
        episode(
            "e1", "p1", phase="closed", ended_at=NOW, detected_at=NOW, evidence=taken,
            waiting=False,
        ),
        episode(
            "e2", "p2", phase="closed", onset=long_ago, ended_at=long_ago, detected_at=NOW,
            evidence=taken, waiting=False,
        ),
    )  # fmt: skip
    assert {"ended", "unanswered"}.isdisjoint(kinds(summary))
    (withdrawn,) = [one for one in summary.sentences if one.kind == "withdrawn"]
    assert "2 alerts" in withdrawn.text
    assert "p1" in withdrawn.text
    assert "p2" in withdrawn.text


def test_a_patients_most_urgent_finding_comes_first() -> None:
    older = episode("e1", priority="low", onset=ONSET - timedelta(hours=1), acknowledged=False)
    newer = episode("e2", kind="heart_rate_irregular", priority="high", acknowledged=True)
    first, second = announced(older, newer, scope="patient").sentences[:2]
    assert "irregular" in first.text
    assert "heart rate high" in second.text


def test_what_came_late_waits_for_nobody() -> None:
    over: dict[str, Any] = {"phase": "closed", "ended_at": NOW - timedelta(hours=1)}
    late = announced(episode(retrospective=True, waiting=False, **over))
    assert kinds(late) == ["raised", "ended", "data"]


def test_what_was_found_by_judging_again_is_not_called_late() -> None:
    taken = {**event().evidence, "withdrawal": {"reason": "wrong_patient"}}
    found = announced(episode(retrospective=True, waiting=False, evidence=taken))
    assert "late" not in found.text


def test_what_waits_is_counted_whenever_it_was() -> None:
    """The board shows it for longer than the summary goes back, and a device's findings too."""
    long_ago = NOW - timedelta(hours=11)
    over: dict[str, Any] = {"phase": "closed", "ended_at": long_ago, "detected_at": long_ago}
    summary = announced(
        episode("e1", onset=long_ago, **over),
        episode("e2", kind="no_data", category="technical"),
    )
    assert kinds(summary) == ["unanswered", "none_clinical", "technical", "data"]
    assert "2 alerts" in summary.sentences[0].text


def test_history_is_open_and_waits_for_nobody() -> None:
    long_ago = NOW - timedelta(days=117)
    one = episode(onset=long_ago, detected_at=long_ago)
    assert kinds(announced(one)) == ["open", "unanswered", "none", "data"]
    past = dataclasses.replace(one, history=True, waiting=False)
    assert kinds(announced(past)) == ["open", "none", "data"]


def test_what_lies_before_the_window_is_left_out() -> None:
    before = NOW - timedelta(hours=9)
    old = event(episode_id="e9", phase="closed", onset=before, detected_at=before, ended_at=before)
    summary = announced(Episode(old, before, False), calls=(Call("a", "e9", "p1", before, False),))
    assert kinds(summary) == ["none", "data"]


def test_a_patients_summary_names_no_patient() -> None:
    summary = announced(
        episode(priority="low"),
        scope="patient",
        measured=(Measured("p1", 90, NOW - timedelta(minutes=1), 61.6, 128.4),),
    )
    assert "p1" not in summary.text
    assert kinds(summary) == ["open", "unanswered", "raised", "data"]
    assert "62 to 128 beats a minute" in summary.text
    assert "90 readings" in summary.text
    silent = announced(scope="patient", measured=(Measured("p1", 0),))
    assert kinds(silent) == ["none", "nobody"]


def test_equal_wordings_change_with_the_hour_and_not_with_the_minute() -> None:
    def text(at: timedelta) -> str:
        return summarise("ward", "A", Window(NOW + at, 8), [], [], [Measured("p1", 1)]).text

    assert text(timedelta(minutes=1)) == text(timedelta(minutes=50))
    assert len({text(timedelta(hours=n)) for n in range(24)}) > 1


@pytest.mark.parametrize("scope", ["ward", "patient"])
def test_every_wording_passes_the_verifier_and_calms_nobody(scope: Scope) -> None:
    for kind, rows in summary_table()[scope].items():
        by_slots: dict[frozenset[str], int] = {}
        for text in rows:
            named = tables.slots_of(text)
            by_slots[named] = by_slots.get(named, 0) + 1
            known = facts(kind="other_clinical", audience="care_team", slots=tuple(sorted(named)))
            codes = set(verify(Candidate(text, known, "message", named))) - OF_A_FINDING
            assert codes == set(), (text, codes)
            assert not CALM.search(text), text
        assert all(count >= 3 for count in by_slots.values()), kind


# ---- any night at all

_MINUTES = st.integers(-60 * 14, 60).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def nights(draw: st.DrawFn) -> tuple[list[Episode], list[Call], list[Measured]]:
    """Any episodes, calls and patients around the window."""
    found = []
    for number, one in enumerate(draw(st.lists(events(), max_size=12))):
        raised = NOW + draw(_MINUTES)
        ended = NOW + draw(_MINUTES) if one.phase == "closed" else None
        placed = replace(
            one, episode_id=f"e{number}", event_id="", patient_id=f"p{draw(st.integers(1, 9))}",
            onset=raised,
            detected_at=raised, ended_at=ended,
        )  # fmt: skip
        acknowledged, waiting = draw(st.tuples(st.booleans(), st.booleans()))
        found.append(Episode(placed, raised, acknowledged, waiting=waiting))
    calls = [
        Call(f"a{n}", f"e{n}", f"p{n}", NOW + draw(_MINUTES), draw(st.booleans()))
        for n in range(draw(st.integers(0, 8)))
    ]
    measured = [
        Measured(f"p{n}", draw(st.integers(0, 500)), NOW, 58.2, 131.0)
        for n in range(draw(st.integers(0, 9)))
    ]
    return found, calls, measured


def recounted(
    summary: Summary, found: list[Episode], calls: list[Call], measured: list[Measured]
) -> None:
    """Take every figure from its source again."""
    by_event = {e.event.episode_id: e.event for e in found}
    by_call = {call.action_id: call for call in calls}
    by_patient = {one.patient_id: one for one in measured}
    patients = {e.event.patient_id for e in found} | {c.patient_id for c in calls} | set(by_patient)
    known: dict[str, dict[str, Any]] = {
        "events": by_event,
        "actions": by_call,
        "patients": dict.fromkeys(patients),
    }
    for sentence in summary.sentences:
        for segment in sentence.segments:
            match segment.what, segment.key:
                case "words", _:
                    assert not re.search(r"\d", segment.text), segment
                case "span", "window":
                    assert segment.text == f"{summary.window.hours} hours"
                case "count", "readings":
                    assert segment.text.split()[0] == str(by_patient[segment.ids[0]].readings)
                case "count", key:
                    assert segment.text.split()[0] == str(len(segment.ids))
                    assert set(segment.ids) <= set(known[key])
                case "patient", _:
                    assert (segment.text,) == segment.ids
                    assert segment.text in patients
                case "time", "onset":
                    onset = by_event[segment.ids[0]].onset
                    assert f"{onset:%H:%M}" in segment.text
                case "time", "time":
                    assert f"{by_call[segment.ids[0]].time:%H:%M}" in segment.text
                case "time", _:
                    assert f"{by_patient[segment.ids[0]].newest:%H:%M}" in segment.text
                case "value", "readings.heart_rate":
                    assert segment.text in {"58", "131 beats a minute"}
                case "value", _:
                    rendered = render_slots(by_event[segment.ids[0]], "en")
                    assert segment.text in rendered.values()


@given(nights(), st.sampled_from(["ward", "patient"]), st.sampled_from([8, 12]), st.randoms())
def test_every_figure_can_be_counted_again(night: Any, scope: Any, hours: int, random: Any) -> None:
    """And a summary has at most eight sentences, and the order of what comes does not matter."""
    found, calls, measured = night
    window = Window(NOW, hours)
    summary = summarise(scope, "A", window, found, calls, measured)
    assert len(summary.sentences) <= MAX_SENTENCES
    assert not CALM.search(summary.text)
    assert "{" not in summary.text
    recounted(summary, found, calls, measured)
    for given_ in (found, calls, measured):
        random.shuffle(given_)
    again = summarise(scope, "A", window, iter(found), iter(calls), iter(measured))
    assert encode(again) == encode(summary)


def sparse(ident: str, **changes: Any) -> Episode:
    """Of readings too far apart to say that it lasted."""
    known = {**event().evidence, "duration_observed": False}
    return episode(ident, evidence=known, **changes)


def test_since_is_said_only_of_what_was_observed_all_along() -> None:
    for scope in ("ward", "patient"):
        for ident in ("e1", "e2", "e3"):
            opened, unanswered = announced(sparse(ident), scope=scope).sentences[:2]
            assert "first seen at 06:02 UTC" in opened.text
            assert "first seen at 06:02 UTC" in unanswered.text
            for sentence in (opened, unanswered):
                assert "since" not in sentence.text.lower()
                assert "going on" not in sentence.text.lower()
    assert "since 06:02 UTC" in announced(episode()).sentences[0].text


def test_a_time_before_midnight_is_marked_as_one_too() -> None:
    """So that the page writes it in the reader's zone, as all others."""
    late = sparse("e1", onset=NOW.replace(hour=23, minute=43) - timedelta(days=1))
    for sentence in announced(late).sentences[:2]:
        assert "first seen at 23:43 UTC" in sentence.text
        [time] = [one for one in sentence.segments if one.what == "time"]
        assert (time.text, time.moment) == ("23:43 UTC", late.event.onset)


def test_what_was_first_seen_before_the_last_day_has_its_date() -> None:
    opened, unanswered = announced(sparse("e1", onset=NOW - timedelta(days=9))).sentences[:2]
    assert "first seen on 12 November" in opened.text
    assert "first seen on 12 November" in unanswered.text


def test_every_wording_of_what_is_open_has_one_without_since() -> None:
    for scope in ("ward", "patient"):
        for kind in ("open", "unanswered"):
            listed = summary_table()[scope][kind]
            assert any("first_seen" in text or "oldest" in text for text in listed)
        assert not any("since" in text for text in summary_table()[scope]["unanswered"])


def test_what_is_no_longer_measured_is_not_called_over() -> None:
    over: dict[str, Any] = {"phase": "closed", "ended_at": NOW - timedelta(hours=1)}
    lost = {**event().evidence, "reason": "unobserved"}
    for ident in ("e1", "e2", "e3", "e4"):
        summary = announced(episode(ident, evidence=lost, **over))
        (ended,) = [each for each in summary.sentences if each.kind == "ended"]
        assert "no more readings came" in ended.text.lower()
        assert "1 alert" in ended.text
        assert "ended" not in ended.text.lower()
        both = announced(episode(ident, evidence=lost, **over), episode("e9", **over))
        (ended,) = [each for each in both.sentences if each.kind == "ended"]
        assert "no more readings came of 1 alert" in ended.text


def test_a_priority_that_fell_is_named() -> None:
    known = {**event().evidence, "highest_priority": "high"}
    fallen = announced(episode(priority="medium", evidence=known))
    assert fallen.sentences[0].kind == "open"
    assert "not acknowledged, high priority before" in fallen.sentences[0].text
    steady = announced(episode(priority="high", evidence=known)).sentences[0].text
    assert "before" not in steady
    assert announced(episode(priority="medium")).sentences[0].kind != "open"
