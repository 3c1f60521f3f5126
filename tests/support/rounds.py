"""One round: readings flow, faults happen, everything heals, and then nothing may be wrong."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence

import psycopg
from psycopg.rows import dict_row

from store.people import patients
from tests.support.faulty import Faulty
from tests.support.feeding import DoorFeeder, Feeder
from tests.support.schedule import Fault, carry_out, plan
from vigil.domain.reading import Upload

SEED = int(os.environ.get("VIGIL_TEST_FAULT_SEED", "1"))
"""Decides who the people are, and the order, the moments and the lengths of the faults."""
JOIN_SECONDS = 180.0
"""How long the senders may take once nothing is broken any more."""


def survives(
    system: Faulty, uploads: list[Upload], faults: Sequence[Fault], draw: random.Random,
    seconds: float, *, producers: int = 2,
) -> None:  # fmt: skip
    """Send, break, heal, wait, compare.

    Args:
        uploads: of people whom no earlier round had.
        seconds: over which the readings are spread and the faults begin.
        producers: how many send all of it, each at a pace of its own; one begins again at the end.
    """
    system.expect(uploads)
    feeders = [
        Feeder(system.settings, uploads, seconds * draw.uniform(0.6, 1.2)).start()
        for _ in range(producers)
    ]
    door = _at_the_door(system, f"d{draw.randrange(10**9)}", seconds)
    try:
        carry_out(plan(draw, faults, seconds))
    finally:
        system.heal()
    for feeder in feeders:
        feeder.join(JOIN_SECONDS)
    Feeder(system.settings, uploads[-200:], 0.1).start().join(JOIN_SECONDS)
    door.join(JOIN_SECONDS)
    system.accepted |= door.accepted
    system.settle_and_check()


def _at_the_door(system: Faulty, patient_id: str, seconds: float) -> DoorFeeder:
    """A new patient with a device that posts."""
    with psycopg.connect(system.database.part.address, row_factory=dict_row) as connection:
        patients.enrol_many(connection, [patients.Patient(patient_id, "w1")])
        device = patients.Device(f"{patient_id}-watch", patient_id=patient_id)
        key = patients.add_device(connection, device)
    url = system.system.environment()["VIGIL_PUBLIC_URL"]
    return DoorFeeder(url, key, patient_id, 40, seconds).start()
