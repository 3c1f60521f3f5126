"""Checkpoints are due again soon after a database that was away came back."""

from __future__ import annotations

import time
from contextlib import closing

import pytest

from tests.support.running import eventually
from tests.support.streaming import Recorder, committed, looping, uploads
from vigil.kafka.clients import Publisher
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings

UNAVAILABLE_SECONDS = 3.0


class Unavailable(Recorder):
    """A recorder whose database is away for a while at its first checkpoint."""

    back_at = 0.0

    def checkpoint(self) -> None:
        """Fails for so long, and then never."""
        now = time.monotonic()
        self.back_at = self.back_at or now + UNAVAILABLE_SECONDS
        if now < self.back_at:
            raise UnavailableError("unavailable", code="unavailable.database", how_to_fix="wait")


@pytest.mark.kafka
def test_the_next_checkpoint_does_not_wait_for_how_long_the_database_was_away(
    settings: Settings,
) -> None:
    prefix, first = uploads(3, 2)
    recorder = Unavailable(prefix)
    with closing(Publisher(settings, "test")) as publisher, looping(recorder, settings):
        publisher.publish(first)
        eventually(lambda: sum(committed(settings, recorder).values()) == len(first))
        _, more = uploads(3, 2)
        publisher.publish(more)
        eventually(lambda: sum(committed(settings, recorder).values()) == 2 * len(first), 20)
