"""How much the whole way carries, and how long a reading takes to become an event and an alert.

    python -m benchmarks.pipeline [--readings N] [--seconds S]
    python -m benchmarks.pipeline --rate 10000 --minutes 5

Starts a complete Vigil (``vigil up``: every process, on Apache Kafka where KAFKA_HOME is set), and
measures on the same machine, the load generator included:

1. readings a second from HTTP until all are stored and all are judged by the detectors;
2. at a steady 1,000 readings a second, the time from the moment the door accepts a reading (its
   HTTP answer has come) to the moment its event can be read from ``vitals.events`` and its alert
   from ``vitals.alerts``. It can be negative by a hair where one overtakes the answer.

With ``--rate`` instead: as many people as readings a second, each with a reading a second, sent 20
at once; whether the store and the detectors keep up, by their groups' lag every few seconds. It
ends with 1 where they do not.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.pipeline.latency import latency
from benchmarks.pipeline.steady import steady
from benchmarks.pipeline.throughput import throughput
from benchmarks.pipeline.ward import PEOPLE, enrol, settings_of
from tests.support.whole import whole
from vigil.service.settings import Settings


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--readings", type=int, default=200_000)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--rate", type=int, help="hold so many readings a second")
    parser.add_argument("--minutes", type=float, default=5)
    return parser.parse_args()


def _show(what: str, times: Sequence[float]) -> None:
    cuts = statistics.quantiles(times, n=100, method="inclusive")
    print(
        f"accept → {what} on the topic: n={len(times)}"
        f" p50={cuts[49] * 1000:.0f} ms p99={cuts[98] * 1000:.0f} ms"
        f" max={times[-1] * 1000:.0f} ms"
    )


def _both(settings: Settings, key: str, options: argparse.Namespace) -> None:
    for name, rate in throughput(settings, key, options.readings).items():
        print(f"{name:>9}: {rate:8.0f} readings/s")
    for what, times in latency(settings, key, options.seconds).items():
        _show(what, times)


def main() -> None:
    """Run what was asked for, on a Vigil of its own."""
    options = _options()
    kafka_home = os.environ.get("KAFKA_HOME")
    print("broker:", "Apache Kafka" if kafka_home else "Tansu")
    kept = True
    with tempfile.TemporaryDirectory() as folder, whole(Path(folder), kafka_home) as system:
        settings = settings_of(system)
        key = enrol(settings, options.rate or PEOPLE)
        if options.rate:
            kept = steady(settings, key, options.rate, options.minutes)
        else:
            _both(settings, key, options)
    sys.exit(not kept)


if __name__ == "__main__":
    main()
