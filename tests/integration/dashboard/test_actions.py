"""What people do: refused with a reason, or on the topic before it is answered."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from dashboard.service import build
from store.database.connections import connect
from tests.integration.dashboard.conftest import PASSWORD, Board, form_token, submit_login
from tests.support.running import eventually, serving
from tests.support.seed import Seed
from tests.support.timeouts import TIMEOUT
from vigil.contracts import wire
from vigil.domain.action import Action
from vigil.domain.episode import Event
from vigil.kafka.clients import open_consumer
from vigil.service.settings import Settings
from vigil.values.clock import utc_now


def csrf_of(client: httpx.Client) -> dict[str, str]:
    return {"X-Vigil-Csrf": form_token(client.get("/board/").text)}


@pytest.fixture(scope="module")
def episode(board: Board) -> Event:
    with board.seed() as seed:
        seed.patient("p1", "Ann Lee")
        return seed.episode("p1", "heart_rate_high")


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"episode_id": "no-such-event", "verb": "acknowledge"}, 404, "no such episode"),
        ({"event_id": "of-an-older-page", "verb": "acknowledge"}, 404, "no such episode"),
        ({"episode_id": "e", "verb": "comment", "comment": "  "}, 422, "Write something"),
        ({"episode_id": "e", "verb": "discharge"}, 422, "verb"),
        ({"episode_id": "e", "verb": "acknowledge", "actor": "ada"}, 422, "actor"),
        ({"episode_id": "e", "verb": "comment", "comment": "x" * 1001}, 422, "comment"),
        ({"verb": "acknowledge"}, 422, "episode_id"),
    ],
)
def test_what_cannot_be_done_says_why(
    board: Board, body: dict[str, Any], status: int, error: str
) -> None:
    with board.sign_in() as client:
        answer = client.post("/board/actions", json=body, headers=csrf_of(client))
        assert answer.status_code == status
        assert error in answer.text


def test_an_action_needs_the_pages_token(board: Board, episode: Event) -> None:
    body = {"episode_id": episode.episode_id, "verb": "acknowledge"}
    with board.sign_in() as client:
        for headers in ({}, {"X-Vigil-Csrf": "guessed"}, {"X-Vigil-Csrf": ""}):
            answer = client.post("/board/actions", json=body, headers=headers)
            assert answer.status_code == 403


def test_without_a_broker_nothing_is_claimed(board: Board, episode: Event) -> None:
    body = {"episode_id": episode.episode_id, "verb": "acknowledge"}
    with board.sign_in() as client:
        answer = client.post("/board/actions", json=body, headers=csrf_of(client))
        assert answer.status_code == 503
        assert "nothing was recorded" in answer.json()["error"]
    with board.client() as client:
        trouble = client.get("/health/ready").json()["trouble"]
        assert set(trouble) == {"unavailable.broker"}


@pytest.mark.kafka
def test_an_action_is_on_the_topic_when_it_is_answered(settings: Settings) -> None:
    with connect(settings) as connection:
        seed = Seed(connection, utc_now())
        seed.user("kim", PASSWORD)
        seed.patient("p1")
        event = seed.episode("p1", "heart_rate_high")
        seed.commit()
    part = build(settings)
    with serving([part], settings) as url, httpx.Client(base_url=url, timeout=TIMEOUT) as client:
        eventually(lambda: part.context.publisher.trouble is None)
        assert submit_login(client, "kim", PASSWORD).status_code == 303
        body = {"episode_id": event.episode_id, "verb": "comment", "comment": " seen at 12 "}
        answer = client.post("/board/actions", json=body, headers=csrf_of(client))
        assert answer.status_code == 202
    consumer = open_consumer(settings, None)
    try:
        consumer.subscribe(["vitals.actions"])
        found = eventually(
            lambda: [m for batch in consumer.poll(timeout_ms=300).values() for m in batch]
        )
    finally:
        consumer.close()
    action = wire.decode("vitals.actions", found[0].value, found[0].headers)
    assert isinstance(action, Action)
    assert found[0].key == b"p1"
    assert action.action_id == answer.json()["action_id"]
    assert (action.episode_id, action.actor, action.verb) == (event.episode_id, "kim", "comment")
    assert action.comment == "seen at 12"
