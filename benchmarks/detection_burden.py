"""How many alarms the default limits make on real recordings, and what detection costs.

    python -m benchmarks.detection_burden [SET …]

One causal pass in time order over the recordings in ``../shared/data``, no warm-up left out. An
*alarm* is an episode, under the highest priority that it reached. A patient-day is 24 hours in
which something was measured; in ``home_blood_pressure``, where a cuff is used a few times a day, a
calendar day. ``in bed``: the ward's configuration says that nobody is active unless a device says
so, as for a monitored bed. The limits are the standards' figures, not fitted to these people.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from detectors.configuration.loading import DetectionConfig, from_tables
from detectors.engine.engine import Engine
from ingest.recordings.reader import read_uploads
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Upload

DATA = Path(__file__).parents[2] / "shared" / "data"
IN_BED = {"context": {"unknown_activity": "rest"}}


class Scenario(NamedTuple):
    """A set of recordings, and the configuration that it is judged by."""

    recording: str
    setting: str
    own: dict[str, dict[str, str]]
    by_calendar: bool = False


SCENARIOS = (
    Scenario("wearable_minutes", "defaults", {}),
    Scenario("wearable_infection", "defaults", {}),
    Scenario("home_blood_pressure", "defaults", {}, by_calendar=True),
    Scenario("holter_rhythm", "defaults", {}),
    Scenario("holter_rhythm", "in bed", IN_BED),
    Scenario("icu_hourly", "defaults", {}),
    Scenario("icu_hourly", "in bed", IN_BED),
)


class Outcome(NamedTuple):
    """What one pass gave."""

    patients: int
    readings: int
    patient_days: float
    episodes: Counter[tuple[str, str]]
    """(kind, highest priority) → how many."""
    microseconds: float
    """Of processor time, a reading."""
    state_bytes: int
    """The largest of any patient."""


def measure(config: DetectionConfig, uploads: Sequence[Upload], by_calendar: bool) -> Outcome:
    """One pass over a recording."""
    engine = Engine(config)
    events: list[Event] = []
    gc.collect()
    gc.freeze()
    begin = time.process_time()
    for upload in uploads:
        events += engine.process(upload)
    spent = time.process_time() - begin
    gc.unfreeze()
    form = "%Y-%m-%d" if by_calendar else "%Y-%m-%d %H"
    spans = {(u.patient_id, m.time.strftime(form)) for u in uploads for m in u.measurements}
    readings = sum(len(upload.measurements) for upload in uploads)
    return Outcome(
        patients=len({upload.patient_id for upload in uploads}),
        readings=readings,
        patient_days=len(spans) / (1 if by_calendar else 24),
        episodes=Counter((last.kind, last.priority) for last in _last_steps(events)),
        microseconds=spent / readings * 1e6,
        state_bytes=max(len(engine.state_of(patient)) for patient in engine.patients()),
    )


def _last_steps(events: Sequence[Event]) -> Iterable[Event]:
    """Each episode's last step, which has its highest priority: it never falls."""
    return {event.episode_id: event for event in events}.values()


def report(scenario: Scenario, outcome: Outcome) -> None:
    """Print a scenario's table."""
    days = outcome.patient_days
    print(
        f"\n{scenario.recording}, {scenario.setting}: {outcome.patients} patients,"
        f" {days:.0f} patient-days, {outcome.readings:,} readings,"
        f" {outcome.microseconds:.1f} µs a reading, state ≤ {outcome.state_bytes} bytes"
    )
    levels = ("high", "medium", "low")
    print(f"  {'alarms per patient-day':<28}" + "".join(f"{x:>8}" for x in (*levels, "all")))
    alarm_kinds = {kind for kind, _ in outcome.episodes}
    total = [sum(outcome.episodes[kind, level] for kind in alarm_kinds) for level in levels]
    rows = {
        kind: [outcome.episodes[kind, x] for x in levels] for kind in KINDS if kind in alarm_kinds
    }
    for name, counts in (*rows.items(), ("all kinds", total)):
        figures = [count / days for count in (*counts, sum(counts))]
        print(f"  {name:<28}" + "".join(f"{figure:8.3f}" for figure in figures))


def main() -> None:
    """Run the scenarios that were asked for; all, if none was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recording", nargs="*", help="names of sets; none: all")
    wanted = parser.parse_args().recording
    for scenario in SCENARIOS:
        if wanted and scenario.recording not in wanted:
            continue
        path = DATA / f"{scenario.recording}.csv.gz"
        if not path.exists():
            print(f"\n{scenario.recording}: skipped, {path} is not there")
            continue
        config = from_tables(scenario.own)
        report(scenario, measure(config, list(read_uploads(path)), scenario.by_calendar))


if __name__ == "__main__":
    main()
