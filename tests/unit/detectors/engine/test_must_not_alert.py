"""What must not alert, put into people's own recordings at many places: a flat line, a dropout,
spikes, exercise and one odd pressure make technical events at most."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import pytest

from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from vigil.domain.episode import Event
from vigil.domain.reading import Context, Measurement, Upload

DATA = Path(__file__).parents[5] / "shared" / "data"
CONFIG = load()
EVERY_SECONDS = 4 * 3600.0
ROWS = 40_000


class Row(NamedTuple):
    """A minute of a recording."""

    time: datetime
    values: dict[str, float]
    steps: float | None


Disturb = Callable[[Random, int, Row], Row | None]
"""(randomness, how many readings into the span, a row) → what stands in its place."""


@cache
def people(name: str) -> dict[str, list[Row]]:
    """The beginning of a recording, of the people that may be tuned on."""
    path = DATA / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"the recording {path.name} is not here")
    known: dict[str, list[Row]] = {}
    with gzip.open(path, "rt") as lines:
        for line in islice(csv.DictReader(lines), ROWS):
            if sha256(line["patient_id"].encode()).digest()[0] % 2:
                continue
            values = {
                key: float(line[key])
                for key in ("heart_rate", "systolic", "diastolic")
                if line[key]
            }
            steps = float(line["steps_per_min"]) if line["steps_per_min"] else None
            row = Row(datetime.fromisoformat(line["time"]), values, steps)
            known.setdefault(line["patient_id"], []).append(row)
    return known


@cache
def undisturbed(name: str, person: str) -> set[tuple[str, datetime]]:
    """The clinical episodes of somebody's own recording."""
    return clinical(people(name)[person])


def clinical(rows: Sequence[Row]) -> set[tuple[str, datetime]]:
    """Kind and onset of each clinical episode."""
    runs, events = Engine(CONFIG), list[Event]()
    for i, row in enumerate(rows):
        item = Measurement(str(i), row.time, row.values, Context("unknown", row.steps))
        events += runs.process(Upload("p1", "d1", row.time, (item,)))
    return {(event.kind, event.onset) for event in events if event.category == "clinical"}


def caused(
    after: set[tuple[str, datetime]], before: set[tuple[str, datetime]]
) -> set[tuple[str, datetime]]:
    """The episodes that were not there; one of the recording's own may begin at another minute."""
    return {
        (kind, onset)
        for kind, onset in after
        if not any(k == kind and abs(o - onset) < timedelta(hours=1) for k, o in before)
    }


def disturbed(rows: Sequence[Row], minutes: float, disturb: Disturb) -> tuple[list[Row], int]:
    """The rows with a disturbance in every few hours; and how many there are."""
    random, result, begun, places = Random(4), list[Row](), rows[0].time, 0  # noqa: S311
    into, offset = 0, random.uniform(0, EVERY_SECONDS / 2)
    for row in rows:
        at = (row.time - begun).total_seconds() % EVERY_SECONDS - offset
        inside = 0 <= at < minutes * 60
        places += inside and into == 0
        change = disturb(random, into, row) if inside else row
        into = into + 1 if inside else 0
        if change is not None:
            result.append(change)
    return result, places


def _rate(row: Row, rate: float) -> Row:
    return row._replace(values={**row.values, "heart_rate": min(rate, 220.0)})


def _flat(rate: float) -> Disturb:
    return lambda _random, _into, row: _rate(row, rate)


def _spikes(random: Random, into: int, row: Row) -> Row:
    spike = into % 2 == 1 and random.random() < 0.3
    return _rate(row, row.values["heart_rate"] + random.uniform(50, 100)) if spike else row


def _exercise(random: Random, into: int, row: Row) -> Row:
    level = min(1.0, into / 5) if into < 40 else max(0.0, (55 - into) / 15)
    steps = random.uniform(100, 150) if into < 40 else 0.0
    return _rate(row, row.values["heart_rate"] + 55 * level)._replace(steps=steps)


DISTURBANCES: dict[str, tuple[float, Disturb]] = {
    "flat at 125": (60, _flat(125.0)),
    "flat at 180": (25, _flat(180.0)),
    "flat at 33": (30, _flat(33.0)),
    "dropout": (90, lambda _random, _into, _row: None),
    "spikes": (40, _spikes),
    "exercise": (60, _exercise),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DISTURBANCES))
def test_a_faulty_wrist_sensor_and_a_healthy_effort_make_no_clinical_event(name: str) -> None:
    places, new = 0, set[tuple[str, datetime]]()
    for person, rows in people("wearable_minutes").items():
        changed, count = disturbed(rows, *DISTURBANCES[name])
        new |= caused(clinical(changed), undisturbed("wearable_minutes", person))
        places += count
    assert places >= 30
    assert len(new) <= places / 100, new


@pytest.mark.slow
@pytest.mark.parametrize("pressure", [(205.0, 125.0), (230.0, 90.0), (170.0, 140.0)])
def test_one_odd_pressure_between_normal_ones_makes_no_clinical_event(
    pressure: tuple[float, float],
) -> None:
    places, new = 0, set[tuple[str, datetime]]()
    for person, rows in people("home_blood_pressure").items():
        before = undisturbed("home_blood_pressure", person)
        for place in range(3, len(rows) - 1, 5):
            changed = list(rows)
            odd = dict(zip(("systolic", "diastolic"), pressure, strict=True))
            changed[place] = rows[place]._replace(values={**rows[place].values, **odd})
            new |= caused(clinical(changed), before)
            places += 1
    assert places >= 30
    assert len(new) <= places / 100, new
