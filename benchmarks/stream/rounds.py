"""Runs the jobs, a process each, in rounds whose order alternates."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from benchmarks.stream import parts
from benchmarks.stream.task import Outcome, Task

ROOT = Path(__file__).parents[2]
LONGEST_SECONDS = 600
BEFORE = "_before"


@dataclass(frozen=True)
class Job:
    """What is compared."""

    name: str
    title: str
    peer: bool = False
    """Runs in the Python that holds the other libraries."""
    before: bool = False
    """Runs from an earlier checkout of Vigil, on a database that it migrated itself."""

    @property
    def module(self) -> str:
        """What it runs; an earlier build runs its own of the same name."""
        return f"benchmarks.stream.jobs.{self.name.removesuffix(BEFORE)}"


JOBS = (
    Job("limit", "kafka-python: fetch and decode alone (the limit)"),
    Job("vigil_limit", "Vigil's consumer: fetch and decode alone"),
    Job("confluent_limit", "confluent-kafka: fetch and decode alone", peer=True),
    Job("vigil_zscore", "z-score on Vigil's loop, durable"),
    Job("quixstreams_zscore", "z-score in quixstreams, RocksDB and changelog", peer=True),
    Job("bytewax_zscore", "z-score in bytewax, no recovery", peer=True),
    Job("bytewax_recovery_zscore", "z-score in bytewax, with recovery", peer=True),
    Job("faust_zscore", "z-score in faust-streaming, table in memory, changelog", peer=True),
    Job("detectors", "Vigil's detectors, durable"),
    Job(f"vigil_zscore{BEFORE}", "the earlier build: z-score on Vigil's loop", before=True),
    Job(f"detectors{BEFORE}", "the earlier build: Vigil's detectors", before=True),
)
AGAIN = (
    "limit",
    "vigil_limit",
    "confluent_limit",
    "vigil_zscore",
    "detectors",
    f"vigil_zscore{BEFORE}",
    f"detectors{BEFORE}",
)
"""Run on the topic of larger uploads too."""


@dataclass
class Runs:
    """What a job's runs gave."""

    job: Job
    outcomes: list[Outcome] = field(default_factory=list)
    failure: str = ""
    """Why it did not run, if it did not; it is then not tried again."""

    def rates(self) -> list[float]:
        """Readings a second of each run, the best first."""
        return sorted((o.readings / o.seconds for o in self.outcomes), reverse=True)

    def microseconds(self) -> float:
        """Processor time a reading of the cheapest run."""
        return min(o.processor_seconds / o.readings for o in self.outcomes) * 1e6


@dataclass(frozen=True)
class Bench:
    """Where the runs of one topic content take place."""

    bootstrap: str
    messages: int
    database: str
    peers_python: Path | None
    before: Path | None = None
    """The checkout of an earlier build."""


def measure(jobs: Sequence[Job], bench: Bench, rounds: int) -> list[Runs]:
    """Every job once a round; every other round in the opposite order."""
    all_runs = [Runs(job) for job in jobs]
    for number in range(rounds):
        for runs in all_runs if number % 2 == 0 else reversed(all_runs):
            if not runs.failure:
                _once(runs, bench, number)
    return all_runs


def _once(runs: Runs, bench: Bench, number: int) -> None:
    job, python, root = runs.job, Path(sys.executable), ROOT
    if job.peer:
        if bench.peers_python is None:
            runs.failure = "no --peers-python"
            return
        python = bench.peers_python
    if job.before:
        if bench.before is None:
            runs.failure = "no --before"
            return
        root = bench.before
    template = parts.TEMPLATE_BEFORE if job.before else parts.TEMPLATE
    with parts.fresh(bench.database, template) as url, tempfile.TemporaryDirectory() as folder:
        task = Task(
            bench.bootstrap, parts.TOPIC, f"{job.name}-{number}", bench.messages, url, folder
        )
        command = (str(python), "-m", job.module, msgspec.json.encode(task).decode())
        found = _run(command, root)
    if isinstance(found, Outcome):
        runs.outcomes.append(found)
        print(
            f"  {job.name}: {found.readings / found.seconds:,.0f} readings/s,"
            f" result {found.result:,}",
            file=sys.stderr, flush=True,
        )  # fmt: skip
    else:
        runs.failure = found
        print(f"  {job.name}: {found}", file=sys.stderr, flush=True)


def _run(command: Sequence[str], root: Path) -> Outcome | str:
    """The outcome, or in a line why there is none."""
    try:
        done = subprocess.run(
            command, cwd=root, env=parts.environment(root), capture_output=True, text=True,
            check=False, timeout=LONGEST_SECONDS,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not done after {LONGEST_SECONDS} s"
    if done.returncode:
        return next(_lines(done.stderr), f"ended with {done.returncode}")
    return msgspec.json.decode(next(_lines(done.stdout)), type=Outcome)


def _lines(text: str) -> Iterator[str]:
    """Lines with something on them, the last first."""
    return (line for line in reversed(text.splitlines()) if line.strip())
