"""What is remembered of the clocks of one patient's devices."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import Struct
from msgspec.structs import astuple

MOST = 1e10
"""No time, in seconds since 1970, and no offset is further from 0: it is the year 2286."""


class DeviceClock(Struct, array_like=True):
    """What is remembered of the clock of a device that is late. Times are seconds since 1970."""

    received: float
    """Receive time of its newest upload, which is not judged yet."""
    newest: float
    """Time of the newest reading in it."""
    since: float = 0.0
    """Receive time of the first of the uploads that are late by about the same amount."""
    last: float = 0.0
    """Receive time of the last of them."""
    time: float = 0.0
    """Time of the newest reading in the last of them."""
    least: float = 0.0
    """The least lateness among them, in seconds."""
    most: float = 0.0
    """The largest."""
    uploads: int = 0
    """How many they are."""
    delayed: int = 0
    """How many since the first were much later than they."""
    offset: float = 0.0
    """Seconds to add to the device's times; 0: they are right, or nothing is known."""
    rests_on: int = 0
    """How many uploads ``offset`` rests on."""
    by_sent_at: bool = False
    """Whether it rests on the sender's own time of sending."""
    before: float = 0.0
    """Time of the reading before the newest one in its newest upload; 0: it has one alone."""
    spread: float = 0.0
    """How far apart the uploads are that ``offset`` rests on, in seconds of lateness."""

    def see(self, times: Iterable[float]) -> bool:
        """Take times of readings of the newest upload; return whether that changed anything."""
        known = self.newest, self.before
        for time in times:
            if time > self.newest:
                self.before, self.newest = self.newest, time
            elif self.before < time < self.newest:
                self.before = time
        return known != (self.newest, self.before)


class Shifted(Struct, array_like=True):
    """Uploads of one device that were judged at their times by its offset. A log that is read again
    shifts them again, so that they are known."""

    since: float
    """Receive time of the first of them, in seconds since 1970 UTC."""
    until: float
    """Receive time of the last."""
    offset: float
    """Seconds that were added to the times of the last."""


class Clocks(Struct, array_like=True):
    """What is remembered of one patient's clocks: of those alone that are or may be off."""

    by_device: dict[str, DeviceClock] = {}
    shifted: dict[str, Shifted] = {}
    """Device → the uploads of it that were shifted last, also after its clock was put right."""


def forget_impossible(clocks: Clocks) -> bool:
    """Forget what no clock can have been, as of a saved state that was damaged: a number that is
    not finite, a time of another epoch, a count below 0. Return whether anything was."""
    rows: list[dict[str, DeviceClock] | dict[str, Shifted]] = [clocks.by_device, clocks.shifted]
    found = False
    for known in rows:
        for device in [name for name, row in known.items() if not _is_possible(row)]:
            del known[device]
            found = True
    return found


def _is_possible(row: DeviceClock | Shifted) -> bool:
    least_count = min(row.uploads, row.delayed, row.rests_on) if isinstance(row, DeviceClock) else 0
    return least_count >= 0 and all(-MOST <= value <= MOST for value in astuple(row))
