"""What river's detectors are chosen on: a person's five-minute means, and their nights.

Both are read of a recording once, without the engine, so that thousands of made-up episodes cost
seconds: an episode moves blocks or nights, and the detector that has learned what came before is
asked about them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

from benchmarks.detection import sets, trials
from benchmarks.detection.sets import DAY, HOUR, MINUTE, Recording
from detectors.resting_heart_rate.nights import SLOT_SECONDS, Night
from detectors.resting_heart_rate.reference import Known

SETS = ("wearable_infection", "wearable_minutes")
BLOCK_SECONDS = 5 * MINUTE
BLOCK_READINGS = 3
NIGHT_HOURS = 7.0
LEAST_HOURS = 3.0


class Person(NamedTuple):
    """One person's slow series."""

    recording: Recording
    first: float
    """The end of the warm-up."""
    left_out: tuple[float, float] | None
    """The weeks around a known illness: nothing there is false."""
    onset: float | None
    """Of symptoms, where known."""
    blocks: tuple[tuple[float, float], ...]
    """(end, mean heart rate) of five minutes, whatever the person did."""
    nights: tuple[Known, ...]

    def counts(self, time: float) -> bool:
        """Whether an alert then would be false."""
        low, high = self.left_out or (0.0, 0.0)
        return time >= self.first and not low <= time < high


@lru_cache(maxsize=1)
def people() -> tuple[Person, ...]:
    """Everybody of the wearable sets.

    Raises:
        Absent: a set is not there.
    """
    return tuple(_person(name, one) for name in SETS for one in sets.load(name))


def _person(name: str, recording: Recording) -> Person:
    onsets = {
        row["patient_id"]: sets.seconds_of(row["symptom_onset"])
        for row in (sets.labels(name) if name == "wearable_infection" else ())
        if row["symptom_onset"]
    }
    who = recording.patient_id
    return Person(
        recording,
        recording.start + sets.SETTINGS[name].warm_up_seconds,
        trials.illness(name).get(who),
        onsets.get(who),
        tuple(_blocks(recording)),
        tuple(_nights(recording)),
    )


def _blocks(recording: Recording) -> Iterator[tuple[float, float]]:
    end, rates = 0.0, list[float]()
    for row in recording.measurements:
        rate = row.values.get("heart_rate")
        if rate is None:
            continue
        time = row.time.timestamp()
        if time >= end:
            if len(rates) >= BLOCK_READINGS:
                yield end, sum(rates) / len(rates)
            end, rates = (time // BLOCK_SECONDS + 1) * BLOCK_SECONDS, []
        rates.append(rate)


def _nights(recording: Recording) -> Iterator[Known]:
    """As the engine gathers them: minutes without steps, from midnight to seven."""
    night = Night()
    for row in recording.measurements:
        time, rate = row.time.timestamp(), row.values.get("heart_rate")
        if rate is None:
            continue
        if time >= night.ends and night.counts:
            if night.hours >= LEAST_HOURS:
                yield Known(night.ends, night.value(), night.hours)
            night = Night()
        into, minute = time % DAY, int(time // MINUTE)
        resting = into < NIGHT_HOURS * HOUR and not row.context.steps_per_min
        if resting and minute > night.minute:
            night.ends = time - into + NIGHT_HOURS * HOUR
            night.add(rate, minute, int(into // SLOT_SECONDS))
