"""The real recordings: who is in them, what is known to have happened, how they are scored.

The recordings lie in ``../shared/data`` beside the repository and are not part of it. A set that is
not there raises :class:`Absent`, which says what is missing; the runner skips it with that reason.
Reading the largest takes about ten seconds, so each is read once a process.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec.structs import replace

from benchmarks.detection.split import Group, group_of
from ingest.recordings.reader import read_uploads
from vigil.domain.reading import Context, Measurement, Upload

DATA = Path(__file__).parents[3] / "shared" / "data"
MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
IN_BED: Mapping[str, Any] = MappingProxyType({"context": {"unknown_activity": "rest"}})
"""Configuration of a monitored bed: nobody there is active unless a device says so."""
UPLOAD_SECONDS = 600.0


class Absent(Exception):  # noqa: N818  (it is an answer, not an error)
    """The set is not on this machine."""


class Setting(NamedTuple):
    """How a set is scored (``../shared/data/README.md``)."""

    warm_up_seconds: float
    """Of each person: learned from, not scored."""
    merge_seconds: float
    """Alerts closer than this are one episode."""
    own: Mapping[str, Any] = MappingProxyType({})
    """Vigil's configuration for it, where it differs from the defaults."""


SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {
        "wearable_infection": Setting(21 * DAY, 30 * MINUTE),
        "wearable_minutes": Setting(7 * DAY, 30 * MINUTE),
        "wearable_seconds": Setting(7 * DAY, 30 * MINUTE),
        # Most last a day: a week of warm-up would leave nothing (see the injected scenario).
        "home_blood_pressure": Setting(0.0, 30 * MINUTE),
        "icu_hourly": Setting(6 * HOUR, 12 * HOUR, IN_BED),
        "bedside_alarms": Setting(60.0, 30 * MINUTE, IN_BED),
        "holter_rhythm": Setting(0.0, 30 * MINUTE, IN_BED),
    }
)


class Recording(NamedTuple):
    """All that was measured of one person, in order of time."""

    patient_id: str
    measurements: tuple[Measurement, ...]

    @property
    def group(self) -> Group:
        """The side of the split."""
        return group_of(self.patient_id)

    @property
    def start(self) -> float:
        """Seconds since 1970, as everywhere here."""
        return self.measurements[0].time.timestamp()

    @property
    def end(self) -> float:
        """The last reading's time."""
        return self.measurements[-1].time.timestamp()

    def bare(self) -> Recording:
        """Without steps and activity, as of a device that sends neither."""
        rows = (replace(row, context=Context()) for row in self.measurements)
        return Recording(self.patient_id, tuple(rows))

    def uploads(self) -> Iterator[Upload]:
        """As a device would send it: every ten minutes, received with its last reading."""
        held: list[Measurement] = []
        window = -1.0
        for measurement in self.measurements:
            own = measurement.time.timestamp() // UPLOAD_SECONDS
            if own != window and held:
                yield Upload(self.patient_id, "recording", held[-1].time, tuple(held))
                held = []
            window = own
            held.append(measurement)
        if held:
            yield Upload(self.patient_id, "recording", held[-1].time, tuple(held))


@lru_cache(maxsize=3)
def load(name: str) -> tuple[Recording, ...]:
    """A set's people, by id.

    Raises:
        Absent: the file is not there.
    """
    found: dict[str, list[Measurement]] = {}
    for upload in read_uploads(_path(f"{name}.csv.gz")):
        found.setdefault(upload.patient_id, []).extend(upload.measurements)
    return tuple(
        Recording(patient, tuple(sorted(rows, key=lambda row: row.time)))
        for patient, rows in sorted(found.items())
    )


def labels(name: str) -> tuple[dict[str, str], ...]:
    """A set's labels as they stand in its file.

    Raises:
        Absent: the file is not there.
    """
    with _path(f"{name}.labels.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(csv.DictReader(lines))


def seconds_of(text: str) -> float:
    """A label's time; one without an offset is UTC.

    >>> seconds_of("1970-01-02"), seconds_of("1970-01-01T00:01:00Z")
    (86400.0, 60.0)
    """
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def patient_days(
    recording: Recording, warm_up_seconds: float = 0.0, left_out: tuple[float, float] | None = None
) -> float:
    """Days worn: hours with a reading, over 24, from the end of the warm-up on.

    ``left_out``: a span that is not counted, as the weeks around an illness.
    """
    first = recording.start + warm_up_seconds
    low, high = left_out or (0.0, 0.0)
    times = (row.time.timestamp() for row in recording.measurements)
    hours = {time // HOUR for time in times if time >= first and not low <= time < high}
    return len(hours) / 24


def calendar_days(recording: Recording, warm_up_seconds: float = 0.0) -> int:
    """Days with a reading: for a cuff that is used a few times a day."""
    first = recording.start + warm_up_seconds
    times = (row.time.timestamp() for row in recording.measurements)
    return len({time // DAY for time in times if time >= first})


def _path(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        raise Absent(f"{path.name} is not in ../shared/data")
    return path
