"""Faults of each sort on a whole running system, and what it must hold after each: the short run.

One system a broker serves them all, in two rounds with people of their own. ``make faults`` makes
as many rounds as one likes, with longer faults (``test_long.py``).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

import pytest

from tests.conftest import BROKERS
from tests.support import acts
from tests.support.faulty import Faulty, faulty
from tests.support.feeding import people
from tests.support.rounds import SEED, survives
from tests.support.schedule import Fault

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.faults,
    pytest.mark.timeout(900),
]


ONE_EACH = [
    pytest.param(kind, marks=pytest.mark.xdist_group(f"faults on {kind}")) for kind in BROKERS
]
"""A system takes long to start: its rounds stay together, beside those of the other broker."""


@pytest.fixture(scope="module", params=ONE_EACH)
def system(request: pytest.FixtureRequest) -> Iterator[Faulty]:
    """A whole Vigil on this broker."""
    with faulty(request.param) as system:
        yield system


def _processes_and_database(system: Faulty, draw: random.Random) -> list[Fault]:
    return [
        *acts.kills(system),
        *acts.crashes(system.database, "database", draw.uniform(1.0, 2.0)),
        *acts.breaks(system.to_database, "database", 0.7),
    ]


def _broker_and_stream(system: Faulty, draw: random.Random) -> list[Fault]:
    crash, bursts = acts.crashes(system.broker, "broker", draw.uniform(1.0, 2.0))
    lasting = [crash] if system.broker.part.keeps_data else []  # Tansu: see test_lost_log.py
    network = acts.breaks(system.to_broker, "broker", 0.7)
    wrong = [acts.poison(system), acts.future(system)]
    return [*lasting, bursts, *network, acts.storm(system, draw, 4), *wrong]


def _topics_and_disk(system: Faulty, draw: random.Random) -> list[Fault]:
    return [
        acts.poison(system), acts.stuck_dead_letters(system), acts.future(system),
        acts.older_database(system, draw.uniform(1.0, 3.0)),
        *acts.full_disk(system, draw.uniform(1.0, 3.0)),
    ]  # fmt: skip


ROUNDS: Mapping[str, Callable[[Faulty, random.Random], list[Fault]]] = MappingProxyType(
    {
        "processes and database": _processes_and_database,
        "broker and stream": _broker_and_stream,
        "topics and disk": _topics_and_disk,
    }
)


@pytest.mark.parametrize("name", ROUNDS)
def test_nothing_is_lost_and_nothing_is_twice(system: Faulty, name: str) -> None:
    seed = SEED + list(ROUNDS).index(name)
    draw = random.Random(seed)  # noqa: S311
    survives(system, people(8, seed, 10), ROUNDS[name](system, draw), draw, seconds=6)
