"""The summary of a shift and the questions about an alert, on a running board."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from explain import tables
from tests.integration.dashboard.conftest import Board, form_token
from vigil.domain.episode import Event

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)


@pytest.fixture(scope="module")
def announced(board: Board) -> Event:
    """Two wards: one alarm, one that ended unseen, a request for help, and someone silent."""
    with board.seed() as seed:
        seed.patient("p1", "Ann Lee", "North")
        seed.patient("p2", "Bo <b>Rossi</b>", "North")
        seed.patient("p3", "Cy Silva", "South")
        seed.readings("p1", lambda before: 72 + before / 60)
        high = seed.episode("p1", "heart_rate_high", priority="high")
        seed.episode(
            "p3", "heart_rate_low", priority="high", onset=3 * HOUR, phase="closed", ended=HOUR
        )
        seed.episode("p3", "heart_rate_low", onset=30 * HOUR, phase="closed", ended=29 * HOUR)
        seed.action(high, "need_help", "patient", time=seed.now - 5 * MINUTE)
    return high


def test_a_ward_is_described_in_sentences_that_lead_to_their_sources(
    board: Board, announced: Event
) -> None:
    with board.sign_in() as client:
        page = client.get("/board/summary", params={"ward": "North"})
        assert page.status_code == 200
        assert "North: last 8 hours" in page.text
        assert "Ann Lee" in page.text
        assert "Bo &lt;b&gt;Rossi&lt;/b&gt;" in page.text  # silent: nothing came
        assert "Cy Silva" not in page.text
        assert f'href="/board/patient/p1#e-{announced.episode_id}"' in page.text
        assert "1 request" in page.text
        assert 'id="sources-1"' in page.text
        south = client.get("/board/summary", params={"ward": "South"}).text
        assert "Ann Lee" not in south
        assert "1 request" not in south
        everyone = client.get("/board/summary").text
        assert "All wards: last 8 hours" in everyone
        assert "Cy Silva" in everyone


def test_a_source_has_what_an_alert_was_and_whether_it_is_history(board: Board) -> None:
    with board.seed() as seed:
        seed.patient("p8", "Di Moor", "West")
        seed.patient("p9", "Ed Voss", "West")
        seed.event("p8", "heart_rate_high", priority="high")
        seed.episode(
            "p8", "heart_rate_high", priority="medium", phase="updated", sequence=1,
            facts={"change": "eased", "highest_priority": "high"},
        )  # fmt: skip
        seed.episode("p9", "heart_rate_low", priority="high", onset=117 * 24 * HOUR, history=True)
        august = f"{seed.now - 117 * 24 * HOUR:%d %b}"
    with board.sign_in() as client:
        page = client.get("/board/summary", params={"ward": "West"}).text
    assert "Di Moor: Heart rate high (was high, now medium priority, open)" in page
    assert "Ed Voss: Heart rate low (high priority, open, history: nobody was paged)" in page
    assert august in page


def test_the_board_and_the_summary_count_the_same_alerts(board: Board) -> None:
    over: dict[str, Any] = {"phase": "closed"}
    with board.seed() as seed:
        for n in range(9):
            seed.patient(f"c{n}", ward="East")
            seed.readings(f"c{n}", lambda _: 70, minutes=9, every=3)
        seed.episode("c0", "heart_rate_high", priority="high")
        seed.episode("c1", "no_data")
        long_ago: dict[str, Any] = {"onset": 11 * HOUR, "ended": 10 * HOUR, **over}
        seed.episode("c2", "heart_rate_high", priority="high", **long_ago)
        seed.episode("c3", "heart_rate_high", retrospective=True)
        seed.episode("c4", "heart_rate_high", onset=117 * 24 * HOUR, history=True)
        seen = seed.episode("c5", "heart_rate_high", priority="high")
        seed.action(seen, "acknowledge", "kim")
        seed.episode("c6", "heart_rate_high", priority="low", onset=3 * HOUR, ended=HOUR, **over)
        taken = seed.episode("c7", "heart_rate_high", priority="high", ended=MINUTE, **over)
        seed.connection.execute(
            "UPDATE alerts SET withdrawn = 'wrong_patient' WHERE event_id = %s", (taken.episode_id,)
        )
        asked = seed.episode("c8", "heart_rate_high", retrospective=True)
        seed.action(asked, "need_help", "patient")
    with board.sign_in() as client:
        page = client.get("/board/", params={"ward": "East"}).text
        waiting = re.search(r"<strong>(\d+)</strong> <span>alerts not acknowledged", page)
        assert waiting
        assert waiting[1] == "4"  # c0, c1, c2 and c8
        found = client.get("/board/summary", params={"ward": "East"}).text
    sentences = re.findall(r"<p>.*?</p>", found, re.S)
    [sentence] = [one for one in sentences if "the oldest first seen" in one]
    assert "4 alerts" in sentence


def test_a_question_about_what_is_over_says_from_when_to_when(board: Board) -> None:
    over: dict[str, Any] = {"phase": "closed", "onset": 3 * HOUR, "ended": HOUR}
    with board.seed() as seed:
        seed.patient("q1", ward="South")
        whole = seed.episode("q1", "heart_rate_high", **over)
        seed.patient("q2", ward="South")
        unobserved = {"reason": "unobserved", "duration_observed": True}
        lost = seed.episode("q2", "heart_rate_high", facts=unobserved, **over)
        seed.patient("q3", ward="South")
        there = seed.episode("q3", "heart_rate_high")
    with board.sign_in() as client:

        def about(event: Event) -> str:
            address = f"/board/patient/{event.patient_id}/questions/{event.episode_id}"
            [text] = re.findall(r'<p class="about">(.*?)</p>', client.get(address).text, re.S)
            return re.sub(r"<[^>]+>", "", text)

        assert re.search(r"Heart rate high, \S+ \S+ \S+ UTC to ", about(whole))
        assert "since" not in about(whole)
        assert re.search("first seen .* UTC, last measured ", about(lost))
        assert "since" in about(there)


def test_a_patient_has_a_summary_of_their_own(board: Board, announced: Event) -> None:
    with board.sign_in() as client:
        page = client.get("/board/summary", params={"patient": "p3", "hours": "12"}).text
        assert "Cy Silva: last 12 hours" in page
        assert "1 alert" in page  # the one of yesterday is not among them
        assert "No reading" in page or "no reading" in page or "none." in page
        assert "72 readings" in client.get("/board/summary", params={"patient": "p1"}).text
        assert client.get("/board/summary", params={"patient": "nobody"}).status_code == 404


def test_odd_hours_and_wards_are_no_error(board: Board, announced: Event) -> None:
    with board.sign_in() as client:
        for asked in ("0", "-1", "1e9", "x", "99999999999999999999", "8; DROP TABLE"):
            page = client.get("/board/summary", params={"hours": asked})
            assert page.status_code == 200
            assert "last 8 hours" in page.text
        page = client.get("/board/summary", params={"ward": "<script>"})
        assert "<script>" not in page.text
        assert "&lt;script&gt;: last 8 hours" in page.text


def test_the_board_and_the_patients_page_lead_there(board: Board, announced: Event) -> None:
    with board.sign_in() as client:
        assert "/board/summary?hours=8" in client.get("/board/").text
        assert "/board/summary?hours=8&amp;ward=North" in client.get("/board/?ward=North").text
        page = client.get("/board/patient/p1").text
        assert "/board/summary?hours=8&amp;patient=p1" in page
        assert f"/board/patient/p1/questions/{announced.episode_id}?intent=why" in page


def test_nobody_reads_either_without_signing_in(board: Board, announced: Event) -> None:
    with board.client() as client:
        for path in ("/board/summary", f"/board/patient/p1/questions/{announced.episode_id}"):
            assert client.get(path).status_code == 303
        asked = {"question": "why?"}
        path = f"/board/patient/p1/questions/{announced.episode_id}"
        assert client.post(path, data=asked).status_code == 401


def test_the_care_team_asks_by_button_and_in_own_words(board: Board, announced: Event) -> None:
    address = f"/board/patient/p1/questions/{announced.episode_id}"
    action = tables.actions("en")["care_team", "clinical", "now"]["high"]
    with board.sign_in() as client:
        page = client.get(address, params={"intent": "rule"}).text
        assert "Rule heart_rate_high_limit. Limit in force: 120 beats a minute." in page
        assert "<code>limit_clear</code>" in page
        assert client.get(address).status_code == 200
        own = client.post(address, data={"question": "What should I do now?"}).text
        assert action in own
        typed = "<i>is it a heart attack</i> {x.__class__} zebra"
        refused = client.post(address, data={"question": typed})
        assert "That is not answered here" in refused.text
        assert action in refused.text
        assert "zebra" not in refused.text
        assert client.get(address, params={"intent": "<b>"}).status_code == 200
        assert "&lt;b&gt;" not in client.get(address, params={"intent": "<b>"}).text


def test_an_alert_of_another_patient_or_none_is_not_found(board: Board, announced: Event) -> None:
    with board.sign_in() as client:
        for patient, event in (
            ("p2", announced.episode_id),
            ("p1", "nothing"),
            ("zz", announced.episode_id),
        ):
            assert (
                client.get(f"/board/patient/{patient}/questions/{quote(event)}").status_code == 404
            )


def test_another_site_cannot_ask(board: Board, announced: Event) -> None:
    with board.sign_in() as client:
        answer = client.post(
            f"/board/patient/p1/questions/{announced.episode_id}",
            data={"question": "why"}, headers={"Origin": "https://evil.example"},
        )  # fmt: skip
        assert answer.status_code == 403
        assert form_token(client.get("/board/patient/p1").text)
