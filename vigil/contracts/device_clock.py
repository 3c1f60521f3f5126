"""A device's clock that is so wrong, by its own time of sending, that its times cannot be used.

Where a sender states when it sent (``Upload.sent_at``), the time of receipt less that is how far
its clock is behind. A clock that is a few hours behind makes readings that are late by as much,
which detection allows for (:mod:`detectors.admission.clocks`). Times in the future, or of
long ago, can be neither judged nor shown: they are shifted by that offset, as the HL7 Personal
Health Device guide has a gateway do by the coincident timestamp. How far is kept in the upload
(``clock_shift_seconds``), so that each is shifted once, whoever reads it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec.structs import replace

from vigil.domain.reading import Upload

AHEAD_SECONDS = 300.0
"""How far a clock may be ahead: no clock of a network is right to the second."""
BEHIND_SECONDS = 30 * 86_400.0
"""From here on what it measures would be history of before what is judged at all."""
MOST_SECONDS = 100 * 366 * 86_400.0
"""A clock that is further off is none: what it states is a wrong field."""


def shift_of(received: datetime, sent_at: datetime | None, correction_seconds: float) -> float:
    """Seconds to add to a device's times, beside its correction; 0: they are used as they are.

    Args:
        sent_at: when it sent, by its own clock; None: it does not say.
        correction_seconds: what is added to its times by its setting.

    >>> from datetime import UTC
    >>> now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    >>> shift_of(now, datetime(2026, 11, 20, 13, tzinfo=UTC), 0)
    -18000.0
    >>> shift_of(now, datetime(2026, 11, 20, 3, tzinfo=UTC), 0), shift_of(now, None, 0)
    (0.0, 0.0)
    >>> shift_of(now, datetime(2025, 11, 20, 8, tzinfo=UTC), 0) / 86_400
    365.0
    """
    behind = behind_by(received, sent_at, correction_seconds)
    return behind if behind < 0 or behind > BEHIND_SECONDS else 0.0


def behind_by(received: datetime, sent_at: datetime | None, correction_seconds: float) -> float:
    """How far a clock is behind by what its sender states, in seconds; negative: ahead; 0: it is
    right, or nothing usable is stated. The arguments are those of :func:`shift_of`."""
    if sent_at is None:
        return 0.0
    behind = (received - sent_at).total_seconds() - correction_seconds
    return behind if AHEAD_SECONDS < abs(behind) <= MOST_SECONDS else 0.0


def with_usable_times(upload: Upload) -> Upload:
    """The upload with times that can be used; itself: they could be, or were shifted before."""
    if upload.clock_shift_seconds:
        return upload
    shift = shift_of(upload.received_at, upload.sent_at, upload.clock_correction_seconds)
    if not (shift and upload.measurements):
        return upload
    newest = max(one.time for one in upload.measurements)
    return shifted(upload, shift) if is_by_same_clock(newest, upload.received_at, shift) else upload


def is_by_same_clock(newest: datetime, received: datetime, shift: float) -> bool:
    """Whether the newest reading may be by the clock that showed the time of sending: nothing is
    measured after it was sent, and so none is from the future with the shift."""
    try:
        return newest + timedelta(seconds=shift - AHEAD_SECONDS) <= received
    except OverflowError:
        return False


def shifted(upload: Upload, seconds: float) -> Upload:
    """The upload with its times shifted; times that the calendar does not hold stay."""
    try:
        by = timedelta(seconds=seconds)
        measurements = tuple(replace(one, time=one.time + by) for one in upload.measurements)
    except OverflowError:
        return upload
    return replace(upload, measurements=measurements, clock_shift_seconds=seconds)
