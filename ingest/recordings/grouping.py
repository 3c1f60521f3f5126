"""Rows of several patients → uploads, in an order that depends on the rows alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from ingest.validate import Admitted
from vigil.domain.reading import Measurement, Upload

MAX_HELD = 20_000
"""Measurements held at once, of all patients together."""

_by_time = attrgetter("time")


class Grouping:
    """Gathers each patient's consecutive rows into uploads.

    Time is cut into windows of ``span_seconds``, counted from the epoch. While rows fall into one
    window they are gathered; the first row outside it, one patient's ``max_measurements``-th row
    or ``MAX_HELD`` rows in all sends out everything that is held. The uploads of a window leave in
    the order of ``received_at``, which is the time of an upload's last row, then of patient; so
    where the rows are in order of time, so are the uploads of all patients together.
    """

    def __init__(self, device_id: str, span_seconds: float, max_measurements: int):
        self._device_id = device_id
        self._span_seconds = span_seconds
        self._max_measurements = max_measurements
        self._held: dict[tuple[str, bool], list[Measurement]] = {}
        self._count = 0
        self._start = self._end = datetime.min.replace(tzinfo=UTC)

    def add(self, admitted: Admitted, synthetic: bool) -> Iterator[Upload]:
        """Take a reading; yields the uploads that it completes."""
        measurement = admitted.measurement
        if not self._start <= measurement.time < self._end:
            yield from self.flush()
            self._open_window(measurement.time)
        own = self._held.setdefault((admitted.patient_id, synthetic), [])
        own.append(measurement)
        self._count += 1
        if len(own) >= self._max_measurements or self._count >= MAX_HELD:
            yield from self.flush()

    def flush(self) -> Iterator[Upload]:
        """Send out what is held."""
        held, self._held, self._count = self._held, {}, 0
        uploads = []
        for (patient_id, synthetic), measurements in held.items():
            measurements.sort(key=_by_time)
            last = measurements[-1].time
            uploads.append(
                Upload(
                    patient_id=patient_id,
                    device_id=self._device_id,
                    received_at=last,
                    measurements=tuple(measurements),
                    synthetic=synthetic,
                )
            )
        uploads.sort(key=lambda upload: (upload.received_at, upload.patient_id))
        yield from uploads

    def _open_window(self, time: datetime) -> None:
        number = time.timestamp() // self._span_seconds
        self._start = datetime.fromtimestamp(number * self._span_seconds, UTC)
        self._end = self._start + timedelta(seconds=self._span_seconds)
