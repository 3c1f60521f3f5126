"""Readings that wait for what may come before them: history that leaves a gap behind it.

A backlog may come in any order: the newest chunk first, or shuffled. What is history pages nobody,
so nobody loses by its waiting; what is judged too early is judged wrong. So a reading waits that
came more than ``late_after_seconds`` after it was measured, if it is newer than what was judged and
leaves a gap behind it, or others wait already, whatever else is in its upload. They are judged in
order of time, as if they had come so, once nothing came for ``idle_seconds`` of receive time, the
first has waited for ``wait_seconds``, ``most_waiting`` of them are there, or a newer reading comes
that is no history. A backlog that comes the oldest first and without a gap waits for nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from detectors.late_data.memory import HistoryReading, LateData, in_time
from vigil.domain.reading import Measurement, Upload


def wait(
    late: LateData | None,
    upload: Upload,
    measurement: Measurement,
    *,
    time: float,
    now: float,
    shift: float = 0.0,
) -> LateData | None:
    """What is remembered of late data with one more that waits; None: it waits already.

    Args:
        time: when it was measured.
        now: receive time, as far as the clock has come.
        shift: by how much its time is not that of its device's clock, in seconds.
    """
    late = late or LateData({}, {})
    row = HistoryReading(
        time=time,
        received=upload.received_at.timestamp(),
        values=dict(measurement.values),
        context=measurement.context,
        device=upload.device_id,
        synthetic=upload.synthetic,
        sequence=measurement.sequence,
        shift=shift,
    )
    if any(other.time == time and _is_same(other, row) for other in late.history):
        return None
    late.history.append(row)
    late.received = max(late.received, now)
    late.since = late.since or late.received
    return late


def newest(late: LateData | None, signals: Iterable[str], known: float) -> float:
    """The time of the newest reading of some signals, of those that wait and one that is known."""
    if late is None or not late.history:
        return known
    wanted = set(signals)
    waiting = [row.time for row in late.history if not wanted.isdisjoint(row.values)]
    return max([known, *waiting])


def take(late: LateData) -> list[HistoryReading]:
    """Take what waits, in order of time."""
    rows, late.history = sorted(late.history, key=in_time), []
    if not late.waiting:
        late.since = 0.0
    return rows


def as_upload(row: HistoryReading, patient_id: str) -> Upload:
    """An upload of one that waited, as it came."""
    received_at = datetime.fromtimestamp(row.received, UTC)
    time = datetime.fromtimestamp(row.time, UTC)
    measurement = Measurement("", time, row.values, row.context, row.sequence)
    return Upload(patient_id, row.device, received_at, (measurement,), row.synthetic)


def _is_same(one: HistoryReading, other: HistoryReading) -> bool:
    """Whether two readings of one time are the same one, sent twice."""
    return (one.values, one.device, one.sequence) == (other.values, other.device, other.sequence)
