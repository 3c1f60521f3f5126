"""What so many patients need: the arithmetic, from figures measured in this run."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from detectors.configuration.loading import DetectionConfig
from detectors.engine.engine import Engine

WARDS = (10_000, 100_000, 1_000_000)
EVERY_SECONDS = (60, 15)
CHECKPOINT_SECONDS = 1
SAMPLE = 20_000
MOST_PATIENTS = 250_000
"""Of a worker: more take long to load when it starts."""
GIGA, MEGA = 1e9, 1e6


@dataclass(frozen=True)
class Sample:
    """What a patient takes in an engine."""

    memory_bytes: float
    """Resident, beside the engine itself."""
    state_bytes: float
    loaded_per_second: float
    """States read into the engine, by processor time."""
    reused: float
    """Share of that memory which others can have, once everybody was forgotten."""


def sample(models: Sequence[bytes], config: DetectionConfig) -> Sample:
    """Many patients in one engine: resident memory before, with them, and with others."""
    engine, process = Engine(config), psutil.Process()
    engine.load_state("first", models[0])
    gc.collect()
    before, begin = process.memory_info().rss, time.process_time()
    _fill(engine, "first", models)
    spent = time.process_time() - begin
    gc.collect()
    full = process.memory_info().rss
    engine.forget(list(engine.known))
    _fill(engine, "second", models)
    gc.collect()
    again = process.memory_info().rss
    return Sample(
        (full - before) / SAMPLE, sum(map(len, models)) / len(models), SAMPLE / spent,
        1 - (again - full) / (full - before),
    )  # fmt: skip


def _fill(engine: Engine, names: str, models: Sequence[bytes]) -> None:
    for number in range(SAMPLE):
        engine.load_state(f"{names}-{number}", models[number % len(models)])


@dataclass(frozen=True)
class Unit:
    """What one of everything was measured to take, and what is planned for."""

    patient: Sample
    worker_rate: float
    """Readings a second that a worker is planned for."""
    table_bytes: float
    """A patient's row among the states, with index and what the last save left dead."""
    message_bytes: float
    """A message of one reading in the broker's log, sent alone: the most that it takes."""


def row(patients: int, every_seconds: int, unit: Unit) -> str:
    """One line of the table."""
    rate = patients / every_seconds
    workers = math.ceil(max(rate / unit.worker_rate, patients / MOST_PATIENTS))
    saves = min(rate, patients / CHECKPOINT_SECONDS)
    memory = patients * unit.patient.memory_bytes
    return (
        f"| {patients:,} | {every_seconds} s | {rate:,.0f} | {workers}"
        f" | {memory / GIGA:.2f} | {memory / workers / GIGA:.2f}"
        f" | {patients * unit.table_bytes / GIGA:.2f}"
        f" | {saves * unit.patient.state_bytes / MEGA:.1f}"
        f" | {rate * unit.message_bytes / MEGA:.2f}"
        f" | {rate * unit.message_bytes * 86_400 * 7 / GIGA:,.0f} |"
    )


COLUMNS = (
    "patients", "a reading every", "readings/s", "workers", "memory, GB", "… a worker, GB",
    "table of states, GB", "states saved, MB/s", "Kafka, MB/s", "its 7 days, GB",
)  # fmt: skip


def report(unit: Unit) -> None:
    """The table."""
    patient = unit.patient
    print(
        f"\nA patient in the engine takes {patient.memory_bytes:,.0f} bytes of memory and"
        f" {patient.state_bytes:,.0f} of state; {patient.loaded_per_second:,.0f} are loaded in a"
        f" second of processor time. Of the memory of who has left it, {patient.reused:.0%} is used"
        f" by who comes.\nPlanned: {unit.worker_rate:,.0f} readings/s and at most {MOST_PATIENTS:,}"
        f" patients a worker, one reading a message, a checkpoint every {CHECKPOINT_SECONDS} s.\n"
    )
    print(f"| {' | '.join(COLUMNS)} |")
    print("|---" * len(COLUMNS) + "|")
    for patients in WARDS:
        for every_seconds in EVERY_SECONDS:
            print(row(patients, every_seconds, unit))
