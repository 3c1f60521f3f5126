"""A patient's readings on the board: chosen, checked, withdrawn; struck through afterwards."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest

from dashboard.patient import reading_pages
from dashboard.service import build
from store.database.connections import connect
from store.writing.writer import write
from tests.integration.dashboard.conftest import PASSWORD, Board, form_token, submit_login
from tests.support.messages import received
from tests.support.running import eventually, serving
from tests.support.seed import Seed
from tests.support.timeouts import TIMEOUT
from vigil.contracts import wire
from vigil.domain.reading import Withdrawal
from vigil.kafka.clients import open_consumer
from vigil.service.settings import Settings
from vigil.values.clock import utc_now

PATH = "/board/patient/r1/readings"


def keys(page: str) -> list[str]:
    """What the boxes of a page stand for."""
    return re.findall(r'type="checkbox" name="reading" value="([^"]+)"', page)


def seeded(seed: Seed) -> None:
    seed.patient("r1", "Ann <Lee>")
    seed.readings("r1", lambda before: 72 + before, minutes=6, every=1)
    seed.episode("r1", "heart_rate_high", onset=timedelta(minutes=9))


@pytest.fixture(scope="module")
def patient(board: Board) -> str:
    with board.seed() as seed:
        seeded(seed)
    return "r1"


def test_the_patients_page_leads_there(board: Board, patient: str) -> None:
    with board.sign_in() as client:
        assert f'href="{PATH}"' in client.get(f"/board/patient/{patient}").text
        page = client.get(PATH)
        assert page.status_code == 200
        assert "Ann &lt;Lee&gt;" in page.text
        assert len(keys(page.text)) >= 5
        assert client.get("/board/patient/nobody/readings").status_code == 404
    with board.client() as client:
        assert client.get(PATH).status_code == 303


def test_it_is_checked_before_anything_is_done(board: Board, patient: str) -> None:
    del patient
    with board.sign_in() as client:
        page = client.get(PATH).text
        chosen = keys(page)[:2]
        form = {
            "csrf": form_token(page), "reading": chosen, "reason": "wrong_device",
            "comment": "a <small> cuff",
        }  # fmt: skip
        check = client.post(f"{PATH}/check", data=form)
        assert check.status_code == 200
        assert "Withdraw 2 readings" in check.text
        assert "wrong device or cuff" in check.text
        assert "a &lt;small&gt; cuff" in check.text
        assert "Heart rate high" in check.text
        assert check.text.count('name="reading"') == 2
        everything = {**form, "shown": keys(page), "everything": "1"}
        assert f"Withdraw {len(keys(page))} readings" in client.post(
            f"{PATH}/check", data=everything
        ).text  # fmt: skip
        assert keys(client.get(PATH).text) == keys(page)  # nothing was done


@pytest.mark.parametrize(
    ("change", "status", "why"),
    [
        ({"csrf": "guessed"}, 403, "earlier sign-in"),
        ({"reading": []}, 422, "Nothing is chosen"),
        ({"reason": ""}, 422, "none of the reasons"),
        ({"reason": "because"}, 422, "none of the reasons"),
        ({"reading": ["2026-01-01T00:00:00Z r-0000000000000000"]}, 422, "is stored as"),
        ({"reading": ["nonsense"]}, 422, "Nothing is chosen"),
        ({"comment": "x" * 1001}, 422, "too long"),
    ],
)
@pytest.mark.parametrize("step", ["check", "withdraw"])
def test_what_cannot_be_withdrawn_says_why(
    board: Board, patient: str, step: str, change: dict[str, object], status: int, why: str
) -> None:
    del patient
    with board.sign_in() as client:
        page = client.get(PATH).text
        form = {"csrf": form_token(page), "reading": keys(page)[:1], "reason": "wrong_patient"}
        answer = client.post(f"{PATH}/{step}", data={**form, **change})
        assert answer.status_code == status
        assert why in answer.text


def test_without_a_broker_nothing_is_withdrawn(board: Board, patient: str) -> None:
    del patient
    with board.sign_in() as client:
        page = client.get(PATH).text
        form = {"csrf": form_token(page), "reading": keys(page)[:1], "reason": "wrong_patient"}
        answer = client.post(f"{PATH}/withdraw", data=form)
        assert answer.status_code == 503
        assert "Nothing was withdrawn" in answer.text


@pytest.mark.kafka
def test_it_is_on_the_topic_when_it_is_answered_and_struck_through_once_stored(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_pages, "CONFIRM_SECONDS", 0.2)
    with connect(settings) as connection:
        seed = Seed(connection, utc_now())
        seed.user("kim", PASSWORD)
        seeded(seed)
        seed.commit()
    part = build(settings)
    with serving([part], settings) as url, httpx.Client(base_url=url, timeout=TIMEOUT) as client:
        eventually(lambda: part.context.publisher.trouble is None)
        assert submit_login(client, "kim", PASSWORD).status_code == 303
        page = client.get(PATH).text
        before = keys(page)
        form = {
            "csrf": form_token(page), "reading": before[:1], "reason": "wrong_patient",
            "comment": "bed 4",
        }  # fmt: skip
        answer = client.post(f"{PATH}/withdraw", data=form)
        assert answer.status_code == 303
        message = _on_topic(settings)
        waiting = client.get(answer.headers["location"]).text
        assert "not recorded yet" in waiting
        assert "1 reading withdrawn" not in waiting
        with connect(settings, autocommit=True) as connection:
            write(connection, [received(message)])
        after = client.get(answer.headers["location"]).text
        assert keys(after) == before[1:]
        assert "1 reading withdrawn" in after
        assert re.search(r"<s>[^<]+</s>", after)
        assert "by kim: wrong patient" in after
        assert "bed 4" in after
        again = client.post(f"{PATH}/withdraw", data=form)
        assert again.status_code == 422
        assert "withdrawn already" in again.text
    assert (message.actor, message.reason, message.comment) == ("kim", "wrong_patient", "bed 4")
    assert [one.kind for one in message.episodes] == ["heart_rate_high"]


def _on_topic(settings: Settings) -> Withdrawal:
    consumer = open_consumer(settings, None)
    try:
        consumer.subscribe(["vitals.readings"])
        found = eventually(
            lambda: [m for batch in consumer.poll(timeout_ms=300).values() for m in batch]
        )
    finally:
        consumer.close()
    assert found[0].key == b"r1"
    message = wire.decode("vitals.readings", found[0].value, found[0].headers)
    assert isinstance(message, Withdrawal)
    return message
