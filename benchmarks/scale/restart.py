"""A worker starts on a ward whose states are in the database: how long until it works."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import msgspec
import psycopg
from kafka.partitioner.default import murmur2

from benchmarks.scale import states
from benchmarks.scale.restart_job import Moments
from benchmarks.stream import parts as stream_parts
from benchmarks.stream.rounds import ROOT
from benchmarks.stream.task import Task
from detectors.worker import NAME
from local import parts
from store.workers.checkpoints import Checkpoint, Checkpoints, GroupPartition, Saving
from tests.support.processes import open_folder, started
from vigil.contracts import wire
from vigil.kafka.clients import Publisher, open_admin, read_log_id
from vigil.kafka.provisioning import create_topics
from vigil.service.settings import Settings

MESSAGES = 60_000
"""That wait on the topic, of as many patients in turn."""
CHUNK = 5000
LONE = 300
"""Of them sent one by one."""


@dataclass(frozen=True)
class Found:
    """What was measured."""

    moments: Moments
    started: float
    inserted_per_second: float
    """States saved for the first time."""
    updated_per_second: float
    """States saved again: what a checkpoint does."""
    table_bytes: float
    """Of the table of states with its index, a patient; after each state was saved twice."""
    message_bytes: float
    """In the broker's log, compressed, a message of one reading among many."""
    lone_bytes: float
    """The same, sent alone."""


def partition_of(patient_id: str, partitions: int) -> int:
    """Where Kafka's clients send a patient's messages."""
    return int((murmur2(patient_id.encode()) & 0x7FFFFFFF) % partitions)


def measure(kafka_home: Path, patients: int, models: Sequence[bytes]) -> Found:
    """Save everybody's state, fill the topic, and start a worker."""
    with stream_parts.database() as server, stream_parts.fresh(server) as url, open_folder() as on:
        with started(parts.kafka(kafka_home, on / "kafka")) as broker:
            settings = Settings(
                kafka_bootstrap=broker.address, database_url=url,
                partitions=stream_parts.PARTITIONS,
            )  # fmt: skip
            create_topics(settings)
            sizes = _fill(settings, patients, on / "kafka" / "log")
            ward = {f"bench-{n}": models[n % len(models)] for n in range(patients)}
            inserted = patients / _save(settings, ward)
            updated = patients / _save(settings, ward)
            task = Task(broker.address, stream_parts.TOPIC, "detectors", MESSAGES, url, str(on))
            begin = time.time()
            moments = _start(task)
        with psycopg.connect(url) as connection:
            row = connection.execute("SELECT pg_total_relation_size('detector_states')").fetchone()
        assert row is not None
    return Found(moments, begin, inserted, updated, row[0] / patients, *sizes)


def _fill(settings: Settings, patients: int, log: Path) -> tuple[float, float]:
    """Put messages on the topic; bytes of one in the broker's log, among many and sent alone."""
    with _publishing(settings) as publisher:
        source = random.Random(1)
        for number in range(LONE):
            publisher.publish([_message(number, patients, source)])
        lone, sent = _size(log), LONE
        while sent < MESSAGES:
            chunk = range(sent, min(sent + CHUNK, MESSAGES))
            publisher.publish(_message(number, patients, source) for number in chunk)
            sent = chunk.stop
    return (_size(log) - lone) / (MESSAGES - LONE), lone / LONE


def _size(log: Path) -> int:
    files = log.glob(f"{stream_parts.TOPIC}-*/*.log")
    return sum(file.stat().st_size for file in files)


def _message(number: int, patients: int, source: random.Random) -> wire.Outgoing:
    turn, patient = divmod(number, patients)
    time = states.end() + turn * timedelta(minutes=1)
    return wire.to_message(states.upload(f"bench-{patient}", time, source), "ingest")


@contextmanager
def _publishing(settings: Settings) -> Iterator[Publisher]:
    publisher = Publisher(settings, "benchmark")
    try:
        yield publisher
    finally:
        publisher.close()


def _save(settings: Settings, ward: dict[str, bytes]) -> float:
    """Everybody's state, in as many transactions as partitions; seconds in ``save``."""
    with open_admin(settings) as admin:
        log_id = read_log_id(admin)
    shares: dict[int, dict[str, bytes]] = {n: {} for n in range(settings.partitions)}
    for patient_id, state in ward.items():
        shares[partition_of(patient_id, settings.partitions)][patient_id] = state
    checkpoints, seconds = Checkpoints(settings), 0.0
    for number, share in shares.items():
        place = GroupPartition(NAME, stream_parts.TOPIC, number)
        epoch = checkpoints.claim(place, log_id)[0].epoch
        begin = time.perf_counter()
        checkpoints.save([Saving(place, Checkpoint(epoch, 0, None), share)])
        seconds += time.perf_counter() - begin
    checkpoints.close()
    return seconds


def _start(task: Task) -> Moments:
    command = (sys.executable, "-m", "benchmarks.scale.restart_job")
    done = subprocess.run(
        (*command, msgspec.json.encode(task).decode()),
        cwd=ROOT, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"The worker ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Moments)


def report(found: Found, patients: int) -> None:
    """Print it."""
    at = found.moments
    rest = MESSAGES - at.first_messages
    print(f"\nRestart of one worker with {patients:,} patients' states\n")
    for what, moment in (
        ("imported", at.imported), ("given its partitions", at.assigned),
        ("all states loaded", at.loaded), ("first batch handled", at.first_batch),
    ):  # fmt: skip
        print(f"  {what:<22}{moment - found.started:6.1f} s after its start")
    spent = (at.done_processor - at.first_processor) / rest * 1e6
    print(f"  of that {at.first_processor:.1f} s of processor time")
    print(
        f"  then {rest / (at.done - at.first_batch):,.0f} readings/s over {rest:,} readings,"
        f" {spent:.1f} µs of processor time each"
    )
    print(f"  states saved anew {found.inserted_per_second:,.0f}/s, again"
          f" {found.updated_per_second:,.0f}/s; {found.table_bytes:,.0f} bytes a patient"
          " in the table, each saved twice")  # fmt: skip
    print(f"  a message of one reading takes {found.message_bytes:.0f} bytes of the broker's log"
          f" among many, {found.lone_bytes:.0f} sent alone")  # fmt: skip
