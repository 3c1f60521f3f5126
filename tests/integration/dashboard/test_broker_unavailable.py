"""An action while the broker is unavailable: refused in time, and not recorded afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dashboard.service import build
from store.database.connections import connect
from tests.conftest import BROKERS, broker_part
from tests.integration.dashboard.conftest import PASSWORD, form_token, submit_login
from tests.support.piece import Piece
from tests.support.running import eventually, serving
from tests.support.seed import Seed
from tests.support.streaming import read_all
from tests.support.timeouts import TIMEOUT, soon_enough
from vigil.contracts import wire
from vigil.domain.action import Action
from vigil.kafka import async_publisher
from vigil.kafka.provisioning import create_topics
from vigil.service.settings import Settings
from vigil.values.clock import utc_now

LIMIT = 2.0
"""Seconds until an action counts as not sent."""
pytestmark = [pytest.mark.kafka, pytest.mark.faults]


class Broker(Piece):
    """A broker with Vigil's topics, which a start makes again where it lost them."""

    def start(self, seconds: float = 90) -> None:
        super().start(seconds)
        create_topics(Settings(kafka_bootstrap=self.part.address, partitions=3))


@pytest.fixture(params=BROKERS)
def fragile(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """A running broker."""
    broker = Broker(broker_part(request.param, tmp_path))
    broker.start()
    yield broker
    broker.stop()


def test_an_action_that_was_refused_is_not_recorded_when_the_broker_is_back(
    fragile: Broker, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(async_publisher, "ACK_SECONDS", LIMIT)
    settings = Settings(
        demo=True,
        kafka_bootstrap=fragile.part.address,
        database_url=database_url,
        log_level="ERROR",
    )
    with connect(settings) as connection:
        seed = Seed(connection, utc_now())
        seed.user("kim", PASSWORD)
        seed.patient("p1")
        episode = seed.episode("p1", "heart_rate_high")
        seed.commit()
    part = build(settings)
    with serving([part], settings) as url, httpx.Client(base_url=url, timeout=TIMEOUT) as client:

        def post(comment: str) -> httpx.Response:
            body = {"episode_id": episode.episode_id, "verb": "comment", "comment": comment}
            return client.post("/board/actions", json=body, headers=csrf)

        eventually(lambda: part.context.publisher.trouble is None)
        assert submit_login(client, "kim", PASSWORD).status_code == 303
        csrf = {"X-Vigil-Csrf": form_token(client.get("/board/").text)}
        assert post("before").status_code == 202

        def refuse() -> float:
            began = time.monotonic()
            refused = post("refused")
            took = time.monotonic() - began
            assert refused.status_code == 503
            assert refused.json() == {
                "error": "The message system does not answer, so nothing was recorded."
                " Try again in a moment."
            }
            return took

        fragile.kill()
        soon_enough(refuse, LIMIT + 1.5)
        fragile.start()  # soon enough for a client that still has the action queued
        eventually(lambda: part.context.publisher.trouble is None)
        assert post("after").status_code == 202
    found = [wire.decode(r.topic, r.value, r.headers) for r in read_all(settings, "vitals.actions")]
    comments = [action.comment for action in found if isinstance(action, Action)]
    assert comments == (["before"] if fragile.part.keeps_data else []) + ["after"]
