"""The size of a batch depends on the readings in its messages."""

from __future__ import annotations

import pytest

from store.writing.batching import FULL_ROWS, LEAST_MESSAGES, MOST_MESSAGES, next_size
from tests.support.messages import NOON, measurement, received, upload
from vigil.domain.reading import Tick


@pytest.mark.parametrize(
    ("readings", "wanted"),
    [(1, MOST_MESSAGES), (5, FULL_ROWS // 5), (50, FULL_ROWS // 50), (500, LEAST_MESSAGES)],
)
def test_a_full_batch_determines_the_size_of_the_next(readings: int, wanted: int) -> None:
    sent = received(upload(*(measurement(i) for i in range(readings))))
    assert next_size([sent] * 40, 40) == wanted


def test_ticks_are_messages_too() -> None:
    assert next_size([received(Tick(NOON))] * 40, 40) == MOST_MESSAGES


def test_a_batch_that_was_not_full_changes_nothing() -> None:
    assert next_size([received(upload(measurement()))] * 39, 40) == 40
