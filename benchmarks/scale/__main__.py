"""How Vigil scales out.

    KAFKA_HOME=… python -m benchmarks.scale [--only restart cost spread needs] [--patients N]
                                            [--worker-rate READINGS_PER_SECOND]

restart: a worker starts on a ward of ``--patients`` whose states are saved. cost: what a reading
costs from 1,000 to 100,000 patients. spread: a million patients on partitions and workers. needs:
what 10⁴ to 10⁶ patients need, from memory and bytes that are measured in this run (it runs restart
too, for the bytes in the database and the broker's log).

``--worker-rate`` is what one worker is planned for: half of what ``benchmarks.stream`` gives here.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from benchmarks.detection_speed import report_ward
from benchmarks.scale import needs, restart, spread, states
from detectors.configuration.loading import load

PARTS = ("restart", "cost", "spread", "needs")
WORKERS = (2, 4, 8)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--patients", type=int, default=100_000)
    parser.add_argument("--worker-rate", type=float, default=20_000)
    return parser.parse_args()


def main() -> None:
    """Everything, or what was asked for."""
    options, config = _options(), load(None)
    home = os.environ.get("KAFKA_HOME")
    if "spread" in options.only:
        spread.report(WORKERS)
    if "cost" in options.only:
        report_ward([1_000, 10_000, 100_000], config)
    if not {"restart", "needs"} & set(options.only):
        return
    if not home:
        sys.exit("KAFKA_HOME must name an Apache Kafka distribution.")
    models = states.mature(config)
    patient = needs.sample(models, config)
    found = restart.measure(Path(home), options.patients, models)
    restart.report(found, options.patients)
    if "needs" in options.only:
        unit = needs.Unit(patient, options.worker_rate, found.table_bytes, found.lone_bytes)
        needs.report(unit)


if __name__ == "__main__":
    main()
