"""The summary of a shift and the questions about an alert, on a running board."""

from __future__ import annotations

from datetime import timedelta
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


def test_a_ward_is_told_in_sentences_that_lead_to_their_sources(
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
