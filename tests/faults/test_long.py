"""The long run, by ``make faults``: rounds of many faults at once, and then long absences.

It prints its seed; ``make faults SEED=…`` repeats people, faults, their order and their moments.
How the machine shares its time out among the processes, no seed can repeat.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import BROKERS
from tests.support import acts
from tests.support.faulty import Faulty, faulty
from tests.support.feeding import people
from tests.support.rounds import SEED, survives
from tests.support.schedule import Fault, print_line

ROUNDS = int(os.environ.get("VIGIL_TEST_FAULT_ROUNDS", "0"))
UNAVAILABLE_SECONDS = 60 * float(os.environ.get("VIGIL_TEST_FAULT_AWAY_MINUTES", "10"))
AT_ONCE = 12
"""Faults in a round."""

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.faults,
    pytest.mark.skipif(not ROUNDS, reason="the long run: make faults"),
    pytest.mark.timeout(ROUNDS * 600 + 3 * UNAVAILABLE_SECONDS + 1800),
]


@pytest.mark.parametrize("kind", BROKERS)
def test_many_faults_at_random_and_long_absences(kind: str) -> None:
    minutes = UNAVAILABLE_SECONDS / 60
    print_line(f"\n{kind}, seed {SEED}, {ROUNDS} rounds, then {minutes:g} minutes away")
    with faulty(kind) as system, _logs_kept_of(system):
        for number in range(ROUNDS):
            print_line(f"round {number + 1} of {ROUNDS}")
            seed = SEED + number
            draw = random.Random(seed)  # noqa: S311
            faults = draw.sample(_everything(system, draw), AT_ONCE)
            survives(system, people(10, seed, 24), faults, draw, seconds=40)
        _long_absences(system)


@contextmanager
def _logs_kept_of(system: Faulty) -> Iterator[None]:
    """What the processes said, where it went wrong: the system's folder ends with the test."""
    try:
        yield
    except BaseException:
        kept = Path(tempfile.mkdtemp(prefix="vigil-faults-"))
        shutil.copytree(system.system.folder / ".vigil" / "logs", kept, dirs_exist_ok=True)
        print_line(f"logs kept in {kept}")
        raise


def _everything(system: Faulty, draw: random.Random) -> list[Fault]:
    """Every fault there is, each of a length of its own."""
    pauses = [draw.uniform(1.0, 12.0) for _ in range(4)]
    database = acts.crashes(system.database, "database", pauses[0])
    crash, bursts = acts.crashes(system.broker, "broker", pauses[1])
    return [
        *acts.kills(system), *acts.kills(system), *database, bursts,
        *([crash] if system.broker.part.keeps_data else []),
        *acts.breaks(system.to_database, "database", pauses[2]),
        *acts.breaks(system.to_broker, "broker", pauses[3]),
        acts.half_open(system.to_database, "database", draw.uniform(1.0, 20.0)),
        acts.half_open(system.to_broker, "broker", draw.uniform(1.0, 20.0)),
        acts.storm(system, draw, 4), acts.storm(system, draw, 8), acts.poison(system),
        acts.stuck_dead_letters(system), acts.future(system),
        acts.older_database(system, draw.uniform(1.0, 12.0)),
        *acts.full_disk(system, draw.uniform(1.0, 12.0)),
    ]  # fmt: skip


def _long_absences(system: Faulty) -> None:
    """The database down, then unreachable, for minutes, while readings come."""
    draw = random.Random(SEED - 1)  # noqa: S311

    def unreachable() -> None:
        system.to_database.cut()
        time.sleep(UNAVAILABLE_SECONDS)
        system.to_database.heal()

    down, _ = acts.crashes(system.database, "database", UNAVAILABLE_SECONDS)
    for number, fault in enumerate((down, Fault("network to database cut for long", unreachable))):
        print_line(f"{fault.name}: {UNAVAILABLE_SECONDS / 60:g} minutes")
        uploads = people(10, SEED + ROUNDS + number, 24)
        survives(system, uploads, [fault], draw, seconds=min(60.0, UNAVAILABLE_SECONDS))
