"""A web process ends at once, whatever it waits for."""

from __future__ import annotations

import time

from dashboard.service import build
from local.parts import free_port
from tests.support.running import serving
from tests.support.timeouts import soon_enough
from vigil.service.settings import Settings


def test_it_does_not_wait_for_an_attempt_to_reach_a_broker(database_url: str) -> None:
    settings = Settings(
        demo=True,
        database_url=database_url,
        kafka_bootstrap=f"127.0.0.1:{free_port()}",
        log_level="ERROR",
    )

    def end() -> float:
        with serving([build(settings)], settings):
            began = time.monotonic()
        return time.monotonic() - began

    soon_enough(end, 2.0)  # an attempt to connect takes 3 s
