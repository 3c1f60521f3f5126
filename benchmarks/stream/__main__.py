r"""How much one process takes from the topic.

    KAFKA_HOME=… python -m benchmarks.stream [--messages N] [--rounds K] [--only NAME…]
                                             [--peers-python PATH] [--before CHECKOUT]

Starts Apache Kafka and PostgreSQL, fills ``vitals.readings`` with uploads of one reading, lets
every job read it from beginning to end in a process of its own, and prints a table; then the same
with uploads of fifty readings. All jobs of a table had the same topic, in the same run.

The peers need a Python of their own, made once and anywhere:

    python -m venv peers
    peers/bin/pip install quixstreams bytewax faust-streaming 'aiokafka[zstd]' \\
                      confluent-kafka msgspec

``--before`` names a checkout of an earlier build (``git worktree add CHECKOUT COMMIT``): its
z-score and its detectors then run in the same rounds.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.stream import parts, report
from benchmarks.stream.rounds import AGAIN, JOBS, Bench, Job, measure


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--messages", type=int, default=300_000, help="readings on each topic")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="*", choices=[j.name for j in JOBS], help="these jobs")
    parser.add_argument("--uploads", nargs="*", type=int, default=[1, 50], help="readings in each")
    parser.add_argument("--peers-python", type=Path, help="a Python that has the peers")
    parser.add_argument("--before", type=Path, help="a checkout of an earlier build of Vigil")
    return parser.parse_args()


def _content(per_upload: int, options: argparse.Namespace, home: Path, database: str) -> None:
    names = options.only or [j.name for j in JOBS]
    jobs: list[Job] = [
        j for j in JOBS if j.name in names and (per_upload == 1 or j.name in AGAIN)
    ]  # fmt: skip
    with parts.filled(home, options.messages, per_upload) as (bootstrap, messages):
        print(f"\n{messages:,} messages of {per_upload}", file=sys.stderr, flush=True)
        bench = Bench(bootstrap, messages, database, options.peers_python, options.before)
        runs = measure(jobs, bench, options.rounds)
    report.check(runs)
    print(f"\nUploads of {per_upload}: {messages:,} messages, {parts.PARTITIONS} partitions\n")
    print(report.table(runs), flush=True)


def main() -> None:
    """Both contents."""
    options = _options()
    home = os.environ.get("KAFKA_HOME")
    if not home:
        sys.exit("KAFKA_HOME must name an Apache Kafka distribution: only on it do rates compare.")
    with parts.database(options.before) as database:
        for per_upload in options.uploads:
            _content(per_upload, options, Path(home), database)


if __name__ == "__main__":
    main()
