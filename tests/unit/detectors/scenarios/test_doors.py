"""A patient's zone and age band are of the detection configuration, so that they hold by whichever
door readings come: a device's request, a file that is replayed, or the topic itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from detectors.configuration.loading import from_tables
from detectors.engine.engine import Engine
from tests.support.scenarios.form import Scenario, library
from tests.support.scenarios.sending import send
from vigil.contracts import wire
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

ABOUT_THE_PATIENT = [
    scenario
    for scenario in library()
    if scenario.name.startswith(("14_zones/", "19_age/")) and scenario.announced.strip()
]
OF_THE_PATIENT = ("age_band", "time_zone", "utc_offset_hours", "limit", "value")


def through(door: str, scenario: Scenario) -> list[Upload]:
    """A scenario's uploads, as the worker reads them from the topic."""
    if door == "topic":  # another producer's, which no door of Vigil has seen
        return [replace(one, device_id="other-1") for one in through("device", scenario)]
    messages = [wire.to_message(one, "test") for one in send(replace(scenario, door=door)).uploads]
    found = [wire.decode(one.topic, one.value, one.headers) for one in messages]
    return [one for one in found if isinstance(one, Upload)]


def announced(scenario: Scenario, uploads: list[Upload], named: str = "p1") -> list[Any]:
    """Of a ward in which the configuration names one patient."""
    engine = Engine(from_tables({"patients": {named: scenario.tables()}}))
    events, clock = list[Event](), uploads[0].received_at
    for item in uploads:
        while clock + timedelta(minutes=1) <= item.received_at:
            clock += timedelta(minutes=1)
            events += engine.tick(clock)
        events += engine.process(item)
    return [
        (e.kind, e.phase, e.priority, e.onset, {k: e.evidence.get(k) for k in OF_THE_PATIENT})
        for e in [*events, *engine.finish()]
        if e.category == "clinical"
    ]


@pytest.mark.parametrize("scenario", ABOUT_THE_PATIENT, ids=lambda scenario: scenario.name)
def test_by_every_door_a_patient_has_their_own_zone_and_age(scenario: Scenario) -> None:
    by_device = announced(scenario, through("device", scenario))
    assert by_device
    assert announced(scenario, through("file", scenario)) == by_device
    assert announced(scenario, through("topic", scenario)) == by_device
    if scenario.age_band:
        assert {facts["age_band"] for *_, facts in by_device} == {scenario.age_band}


def test_it_is_of_the_patient_that_the_configuration_names_alone() -> None:
    (newborn,) = [s for s in ABOUT_THE_PATIENT if s.name == "19_age/a_newborn_at_75"]
    uploads = through("device", newborn)
    assert announced(newborn, uploads)
    assert announced(newborn, uploads, named="p2") == []
