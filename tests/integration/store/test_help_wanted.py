"""Who waits for an answer: the same rows in whichever order calls and answers are stored."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

import pytest

from store.database.connections import Connection
from tests.support.messages import NOON
from tests.support.seed import Seed
from vigil.domain.episode import Event

MINUTE = timedelta(minutes=1)
ACTIONS = (
    ("need_help", "patient", 0),
    ("acknowledge", "kim", 5),
    ("need_help", "patient", 10),
)


def wanted(connection: Connection) -> list[str]:
    return [row["event_id"] for row in connection.execute("SELECT event_id FROM help_wanted")]


def act(seed: Seed, event: Event, verb: str, actor: str, minute: int) -> None:
    seed.action(event, verb, actor, time=NOON + minute * MINUTE)


@pytest.fixture
def seed(connection: Connection) -> Seed:
    return Seed(connection, NOON)


def test_an_answer_ends_it_whatever_came_first(seed: Seed) -> None:
    answered = (*ACTIONS, ("acknowledge", "lee", 15))
    for number, order in enumerate(permutations(answered)):
        event = seed.event(f"p{number}", "heart_rate_high")
        for step in order:
            act(seed, event, *step)
    assert wanted(seed.connection) == []


def test_a_call_after_the_answer_waits_whatever_came_first(seed: Seed) -> None:
    expected = set()
    for number, order in enumerate(permutations(ACTIONS)):
        event = seed.event(f"p{number}", "heart_rate_high")
        expected.add(event.episode_id)
        for step in order:
            act(seed, event, *step)
    assert set(wanted(seed.connection)) == expected


def test_what_is_no_answer_ends_nothing(seed: Seed) -> None:
    event = seed.event("p1", "heart_rate_high")
    act(seed, event, "need_help", "patient", 0)
    act(seed, event, "acknowledge", "patient", 1)
    act(seed, event, "comment", "kim", 2)
    act(seed, event, "acknowledge", "kim", -1)
    other = seed.event("p2", "heart_rate_high")
    act(seed, other, "acknowledge", "kim", 3)
    assert wanted(seed.connection) == [event.episode_id]
