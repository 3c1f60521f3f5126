"""What detection costs: microseconds a reading, bytes a patient, and how it grows with the ward.

    python -m benchmarks.detection_speed [--patients 1000 10000 100000]

Real recordings from ``../shared/data`` where they are, else simulated heart rates. Processor time
of one core, garbage collection frozen as in ``benchmarks.detection_burden``. Beside it stands
river's own bare ``learn_one`` on the same values in the same run.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from unittest.mock import patch

from river.anomaly import GaussianScorer
from river.stats import Mean

from detectors.configuration.loading import DetectionConfig, load
from detectors.engine.engine import Engine
from detectors.registry import BUILT_IN
from ingest.recordings.reader import read_uploads
from vigil.composition.stage import tune_garbage_collection
from vigil.domain.reading import Context, Measurement, Upload

DATA = Path(__file__).parents[2] / "shared" / "data"
SETS = ("wearable_minutes", "icu_hourly")
MOST_UPLOADS = 4_000
PASSES = 5
"""The fastest is reported, since a machine that others use too only ever adds to the time."""
KNOWN_MINUTES, WARD_MINUTES, WARD_PASSES = 3, 8, 3
"""Of a ward: what comes before measuring, and what is measured. The same of every patient, however
many they are: an older patient's reading costs more."""
START = datetime(2026, 1, 5, tzinfo=UTC)


def spent(work: Callable[[], object]) -> float:
    """Processor seconds of a piece of work, garbage searched for as seldom as in a worker."""
    tune_garbage_collection()
    begin = time.process_time()
    work()
    seconds = time.process_time() - begin
    gc.unfreeze()
    return seconds


def simulated(patients: int, minutes: int) -> list[Upload]:
    """Heart rates at rest, a minute of the whole ward after another."""
    source = random.Random(5)
    rest = Context("rest")
    log = []
    for minute in range(minutes):
        now = START + timedelta(minutes=minute)
        for i in range(patients):
            values = {"heart_rate": 70.0 + source.randint(-6, 6)}
            row = Measurement(f"{i}-{minute}", now, values, rest)
            log.append(Upload(f"p{i}", "d", now, (row,)))
    return log


def run(engine: Engine, log: Sequence[Upload]) -> None:
    """One pass."""
    for upload in log:
        engine.process(upload)


def passes(log: Sequence[Upload], config: DetectionConfig, count: int) -> list[float]:
    """Processor seconds of each of several passes, a new engine each, the fastest first."""
    return sorted(spent(partial(run, Engine(config), log)) for _ in range(count))


def report_recording(name: str, log: Sequence[Upload], config: DetectionConfig) -> None:
    """Vigil, its parts, and river alone, on one recording."""
    rows = [m for upload in log for m in upload.measurements]
    values = sum(len(row.values) for row in rows)
    mean, scorer = Mean(), GaussianScorer()

    def bare() -> None:
        for row in rows:
            for value in row.values.values():
                mean.update(value)
                scorer.learn_one(None, value)

    alone = min(spent(bare) for _ in range(PASSES))
    taken = passes(log, config, PASSES)
    fastest, middle = taken[0] / len(rows) * 1e6, statistics.median(taken) / len(rows) * 1e6
    engine = Engine(config)
    run(engine, log)
    sizes = [len(engine.state_of(patient)) for patient in engine.patients()]
    each = values / len(rows)
    print(f"\n{name}: {len(rows):,} readings of {len(sizes)} patients, {each:.1f} values each")
    print(f"  Vigil, everything on   {fastest:7.1f} µs a reading (median pass {middle:.1f})")
    print(f"                         {fastest / each:7.1f} µs a value")
    print(f"  river's learn_one alone{alone / values * 1e6:7.2f} µs a value")
    print(f"  ratio                  {taken[0] / alone:7.1f}")
    print(f"  state: median {statistics.median(sizes):,.0f} bytes, largest {max(sizes):,}")
    report_shares(log, config, taken[0])


def report_shares(log: Sequence[Upload], config: DetectionConfig, whole: float) -> None:
    """What each detector adds: passes with the others alone."""
    for name in BUILT_IN:
        others = MappingProxyType({k: make for k, make in BUILT_IN.items() if k != name})
        with patch("detectors.engine.pipeline.BUILT_IN", others):
            share = whole - passes(log, config, PASSES)[0]
        print(f"    {name:<20}{max(0.0, share) / whole:7.0%}")


def _save(engine: Engine, states: dict[str, bytes]) -> None:
    for patient in engine.patients():
        states[patient] = engine.state_of(patient)


def _load(engine: Engine, states: dict[str, bytes]) -> None:
    for patient, saved in states.items():
        engine.load_state(patient, saved)


def report_ward(counts: Sequence[int], config: DetectionConfig) -> None:
    """How the cost of a reading grows with the ward; and of saving and loading it."""
    print("\nsimulated heart rates, one an upload, patients in turn")
    first = None
    for patients in counts:
        log = simulated(patients, KNOWN_MINUTES + WARD_MINUTES)
        known, measured = log[: KNOWN_MINUTES * patients], log[KNOWN_MINUTES * patients :]
        costs = []
        for _ in range(WARD_PASSES):
            engine = Engine(config)
            run(engine, known)
            costs.append(spent(partial(run, engine, measured)) / len(measured) * 1e6)
        cost = min(costs)
        first = first or cost
        states: dict[str, bytes] = {}
        save = min(spent(partial(_save, engine, states)) for _ in range(PASSES))
        take = min(spent(partial(_load, Engine(config), states)) for _ in range(PASSES))
        print(
            f"  {patients:>7,} patients {cost:6.1f} µs a reading ({cost / first:.2f} x);"
            f" saved {patients / save:,.0f}/s, loaded {patients / take:,.0f}/s"
        )


def main() -> None:
    """Print everything."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", nargs="*", type=int, default=[1_000, 10_000, 100_000])
    counts = parser.parse_args().patients
    config, real = load(), 0
    for name in SETS:
        path = DATA / f"{name}.csv.gz"
        if path.exists():
            real += 1
            report_recording(name, list(islice(read_uploads(path), MOST_UPLOADS)), config)
    if not real:
        report_recording("simulated (no recordings here)", simulated(100, 600), config)
    report_ward(counts, config)


if __name__ == "__main__":
    main()
