"""Divides a batch's readings into transactions: times far apart are not written together.

TimescaleDB records what its averages must compute again as one range of times a chunk and
transaction, from the oldest reading written to the newest. One reading of four days ago, written
together with those of now, would have four days of all patients computed again. So the newest
readings are one transaction, and older ones are divided at every gap between them.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from heapq import nlargest
from itertools import pairwise

from msgspec.structs import replace

from vigil.domain.reading import Measurement, Upload
from vigil.streaming.handler import Received

LIVE = timedelta(minutes=30)
"""Readings measured so long before the newest of their batch are one range, whatever lies between
them. No average is settled so early (the first after an hour, migration 0009), so TimescaleDB
records nothing of them."""
NEAR = timedelta(minutes=2)
"""Older readings whose minutes lie so close are one range: at most one untouched minute between
them is computed again."""
MOST_RANGES = 100
"""Most ranges of a batch, each a transaction of a millisecond or two. Where there would be more,
the smallest gaps are bridged."""


def split_by_time(uploads: Sequence[Received]) -> list[list[Received]]:
    """The uploads by range of time, the newest range first; an upload of several ranges is divided.

    Every reading is in exactly one range, and keeps its place among the others of its upload.
    """
    times = [item.time for one in uploads for item in one.message.measurements]  # type: ignore[union-attr]  # all are uploads
    if not times:
        return []
    newest = max(times)
    if newest - min(times) <= LIVE:
        return [list(uploads)]
    starts = _starts(times, newest - LIVE)
    ranges: list[list[Received]] = [[] for _ in starts]
    for received in uploads:
        for place, part in _divide(received, starts):
            ranges[place].append(part)
    return ranges[::-1]


def _starts(times: Iterable[datetime], live: datetime) -> list[datetime]:
    """Where each range begins, the oldest first; the last are the live readings."""
    minutes = sorted({time.replace(second=0, microsecond=0) for time in times if time < live})
    gaps = [
        (later - earlier, later) for earlier, later in pairwise(minutes) if later - earlier > NEAR
    ]
    cuts = sorted(start for _, start in nlargest(MOST_RANGES - 2, gaps))
    return [minutes[0], *cuts, live]


def _divide(received: Received, starts: Sequence[datetime]) -> Iterator[tuple[int, Received]]:
    """The parts of an upload, each with the place of its range."""
    upload: Upload = received.message  # type: ignore[assignment]
    parts: dict[int, list[Measurement]] = {}
    for item in upload.measurements:
        parts.setdefault(bisect_right(starts, item.time) - 1, []).append(item)
    if len(parts) == 1:
        yield next(iter(parts)), received
        return
    for place, items in parts.items():
        yield place, replace(received, message=replace(upload, measurements=tuple(items)))
