"""A device's clock that is constantly off: a wrong zone, a stale daylight-saving offset, or slow.

The *lateness* of an upload is the time from its newest reading to its receipt. A clock that is
right is hardly late; a buffer is late, but less so with each upload that catches up with it; a slow
connection is late by another amount each time. A clock that is off is late by about the same amount
in upload after upload. The offset is then the least of these, since a connection only adds to it.

A sender that states its own time of sending (``Upload.sent_at``; the *coincident timestamp* of the
HL7 Personal Health Device implementation guide) is known from the first upload: the offset is the
time of receipt less ``sent_at``. There a buffer, however late, is no wrong clock.

A clock that is ahead is found by the same two: its readings are from the future by about the same
amount, or ``sent_at`` is.

What is found is a technical event, and explains lateness: a reading of such a device is as late as
it is beyond the offset. So it is no history, and a severe alarm pages; that its time is uncertain
stands in the evidence (``time_uncertain``, with ``offset_seconds``).

Times are used as they are wherever they can be: to put them right is a setting of the device,
applied where its readings come in. They cannot be used where the clock is ahead, where it is behind
by more than is judged at all, and where it shows a time before that of the newest reading, as a
clock that falls back by an hour does for an hour: there readings are judged at their time by the
offset (:meth:`ClockOffsets.shift_of`).

An upload is judged once it is whole, which is when the next one comes: all messages of one device
and receive time are one upload, so that to split or to repeat one changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from detectors.admission.clocks import evidence
from detectors.admission.clocks.configuration import ClockOffsetConfig
from detectors.admission.clocks.evidence import is_alike, slack_of
from detectors.admission.clocks.findings import RULE, findings_of, is_any_wrong
from detectors.admission.clocks.memory import Clocks, DeviceClock, Shifted
from detectors.contract import NEVER, Finding
from vigil.contracts import device_clock
from vigil.domain.reading import Upload

SETTLED_SECONDS = 300.0
"""After so long an upload is whole, and a device that sent nothing but readings from long ago has
no history to add that ends in the present."""
MOST_DEVICES = 8
"""Of one patient whose clocks are remembered; the one that was silent longest is forgotten."""


class ClockOffsets:
    """Finds clocks that are constantly off; a patient's memory is passed in, and changed.

    Args:
        config: when a clock counts as off.
        tolerance: seconds that a clock may be off where the sender states its own time.
        oldest: seconds from which on lateness is another fault (``from_the_past``).
    """

    def __init__(self, config: ClockOffsetConfig, tolerance: float, oldest: float):
        self._config = config
        self.enabled = config.enabled
        self.tolerance = tolerance
        self.least_seconds = config.least_seconds
        """An upload that is less late tells nothing of a clock that nothing is remembered of."""
        self._tolerance = tolerance
        self._oldest = oldest

    def rules(self) -> list[str]:
        """Names of the rules that are in force."""
        return [RULE.name] if self._config.enabled else []

    def take(
        self, clocks: Clocks, upload: Upload, times: Sequence[float], known_until: float
    ) -> list[Finding] | None:
        """Take an upload; return what is found of the clocks; None: nothing changed.

        Args:
            times: of its readings, one or more, in seconds since 1970 UTC.
            known_until: receive time of the newest upload that was taken of the patient.
        """
        received, device = upload.received_at.timestamp(), upload.device_id
        clock = clocks.by_device.get(device)
        if not self._config.enabled or (clock is not None and received < clock.received):
            return None
        if clock is None and received < known_until:
            return None  # a log that is read again
        if clock is not None and received == clock.received:
            return [] if clock.see(times) else None
        before = is_any_wrong(clocks)
        offset: float | None = None
        if upload.sent_at is not None:
            sent = upload.sent_at.timestamp() + upload.clock_correction_seconds
            offset = received - sent
        seen = DeviceClock(received, newest=times[0])
        seen.see(times)
        if offset is None:
            self._take_late(clocks, device, clock, seen)
        else:
            self._take_sent(clocks, device, clock, seen, offset)
        if clock is None and not clocks.by_device:
            return None
        self._forget(clocks, received)
        own = clocks.by_device.get(device)
        shows = (own is not None and own.offset) or is_any_wrong(clocks) != before
        return findings_of(clocks, device, before) if shows else []

    def _take_sent(
        self,
        clocks: Clocks,
        device: str,
        clock: DeviceClock | None,
        seen: DeviceClock,
        offset: float,
    ) -> None:
        """The sender states its time of sending: its clock is as far off as that differs."""
        if not self._tolerance < abs(offset) <= device_clock.MOST_SECONDS:
            clocks.by_device.pop(device, None)  # right, or no clock at all
            return
        again = clock is not None and clock.by_sent_at
        seen.since = clock.since if again and clock is not None else seen.received
        seen.rests_on = clock.rests_on + 1 if again and clock is not None else 1
        seen.offset, seen.by_sent_at = offset, True
        clocks.by_device[device] = seen

    def _take_late(
        self, clocks: Clocks, device: str, clock: DeviceClock | None, seen: DeviceClock
    ) -> None:
        """Judge the upload before this one, which is whole now; remember this one."""
        late = self._is_off(seen.received - seen.newest)
        if clock is None:
            if late:
                clocks.by_device[device] = seen
            return
        self._judge(clock)
        clock.received, clock.newest, clock.before = seen.received, seen.newest, seen.before
        if not late and not clock.uploads and not clock.offset:
            del clocks.by_device[device]

    def _judge(self, clock: DeviceClock) -> None:
        """Let a whole upload be one of those that are late alike, or the first of others."""
        config, late = self._config, clock.received - clock.newest
        if clock.uploads and clock.newest == clock.time:
            return  # sent again
        self._hold_against_known(clock, late)
        if not self._is_off(late) or (not clock.offset and evidence.is_sampled(clock, config)):
            clock.uploads = 0
            return
        if clock.uploads and evidence.was_delayed(clock, late, config):
            clock.delayed += 1
        elif clock.uploads and is_alike(clock, late, config):
            if clock.newest < clock.time:
                return  # sent again, from further back
            clock.least, clock.most = min(clock.least, late), max(clock.most, late)
            clock.uploads += 1
        else:
            clock.since, clock.least, clock.most = clock.received, late, late
            clock.uploads, clock.delayed = 1, 0
        clock.time, clock.last = clock.newest, clock.received
        if evidence.is_shown(clock, config):
            clock.offset, clock.rests_on, clock.by_sent_at = clock.least, clock.uploads, False
            clock.spread = clock.most - clock.least

    def _hold_against_known(self, clock: DeviceClock, late: float) -> None:
        """Let a whole upload end the offset that is known, or bring it down: it is the least."""
        if not clock.offset:
            return
        right_again = clock.offset < 0 and (clock.by_sent_at or not self._is_off(late))
        if right_again or late < clock.offset - slack_of(clock, self._config):
            clock.offset, clock.rests_on, clock.by_sent_at = 0.0, 0, False
            clock.spread = 0.0
        elif late < clock.offset and self._is_off(late) and not clock.by_sent_at:
            clock.spread += clock.offset - late
            clock.offset = late

    def _is_off(self, late: float) -> bool:
        """Whether an upload may be of a clock that is off: late, or from the future."""
        return late >= self._config.least_seconds or late < -self.tolerance

    def settle(self, clocks: Clocks, now: float) -> list[Finding]:
        """Judge uploads that are whole by a receive time; return what is found of the clocks."""
        before, device, rows = is_any_wrong(clocks), "", clocks.by_device
        for name in sorted(rows, key=lambda name: (rows[name].received, name)):
            clock = rows[name]
            if self._is_awaited(clock) and clock.received + SETTLED_SECONDS <= now:
                self._judge(clock)
                device = name
        changed = device and is_any_wrong(clocks) != before
        return findings_of(clocks, device, before) if changed else []

    def deadline(self, clocks: Clocks, reported: float) -> float:
        """Receive time at which time alone shows something of the clocks; ``NEVER``: at none.

        Args:
            reported: receive time of the last reading that was reported as impossible.
        """
        due = [self._past_due(clock, reported) for clock in clocks.by_device.values()]
        for clock in clocks.by_device.values():
            if self._is_awaited(clock):
                due.append(clock.received + SETTLED_SECONDS)
        return min(due, default=NEVER)

    def overdue_past(self, clocks: Clocks, reported: float, now: float) -> tuple[float, float]:
        """Of a device that sends nothing but readings from longer ago than is judged: when it was
        received, and since when that is known; (0, 0): none does. What such a device sends may be
        history that goes on to the present, in any number of uploads; so this is known once the
        last of them is no less late than the first and nothing followed for
        :data:`SETTLED_SECONDS`. The arguments are those of :meth:`deadline`."""
        for clock in clocks.by_device.values():
            due = self._past_due(clock, reported)
            if due <= now and clock.received < now:  # it is whole
                return clock.received, due
        return 0.0, 0.0

    def is_wrong_elsewhere(self, clocks: Clocks, device: str) -> bool:
        """Whether the newest reading of another device cannot be by a right clock."""
        return any(
            name != device and not clock.offset and self._is_impossible(clock)
            for name, clock in clocks.by_device.items()
        )

    def _past_due(self, clock: DeviceClock, reported: float) -> float:
        past = clock.received - clock.newest > self._oldest
        if clock.offset or not past or clock.received <= reported:
            return NEVER
        alike = clock.uploads and self._is_alike(clock)
        return (clock.since if alike else clock.received) + SETTLED_SECONDS

    def _is_impossible(self, clock: DeviceClock) -> bool:
        return not -self.tolerance <= clock.received - clock.newest <= self._oldest

    def _is_alike(self, clock: DeviceClock) -> bool:
        """Whether the newest upload is as late as those before it."""
        return is_alike(clock, clock.received - clock.newest, self._config)

    def _is_awaited(self, clock: DeviceClock) -> bool:
        """Whether the newest upload is the one by which an offset may be known."""
        fresh = clock.newest > clock.time and not clock.offset
        return fresh and clock.uploads >= evidence.SPARSE_UPLOADS - 1 and self._is_alike(clock)

    def _forget(self, clocks: Clocks, received: float) -> None:
        """Forget devices that were silent for too long, or are too many."""
        rows = clocks.by_device
        for device in [
            name
            for name, clock in rows.items()
            if received - clock.received > self._config.forget_seconds
        ]:
            del rows[device]
        while len(rows) > MOST_DEVICES:
            del rows[min(rows, key=lambda name: (rows[name].received, name))]

    def offset_of(self, clocks: Clocks, device: str, lateness: float) -> float:
        """The offset that explains the lateness of a reading, in seconds; 0: none does. Where
        uploads are rare, so does the lateness of those before it, if it is the same.

        Args:
            device: its sender; empty: not known, as of a reading that was held back.
            lateness: from measurement, by the device's clock, to receipt, in seconds.
        """
        rows = clocks.by_device
        if not rows:
            return 0.0
        asked = [rows[device]] if device in rows else [] if device else list(rows.values())
        config = self._config
        offsets = [
            row.offset for row in asked if 0 < row.offset <= lateness + slack_of(row, config)
        ]
        known = max(offsets, default=0.0)
        return known or max((evidence.presumed(row, lateness, config) for row in asked), default=0)

    def shift_of(self, clocks: Clocks, upload: Upload, newest: float, known: float) -> float:
        """Seconds to add to the times of an upload, which cannot be used as they are; 0: they can.

        Args:
            newest: time of its newest reading.
            known: the newest time that was taken of its signals.
        """
        received = upload.received_at
        stated = device_clock.shift_of(received, upload.sent_at, upload.clock_correction_seconds)
        clock, now = clocks.by_device.get(upload.device_id), received.timestamp()
        if stated and newest + stated > now + device_clock.AHEAD_SECONDS:
            return 0.0  # what was measured after it was sent is by another clock
        if stated:
            return stated
        if clock is None or now < clock.received:  # it may be a log that is read again
            row = clocks.shifted.get(upload.device_id)
            return row.offset if row is not None and row.since <= now <= row.until else 0.0
        offset, shown = clock.offset, now - clock.offset + slack_of(clock, self._config)
        passed = clock.newest <= shown < known
        if not (offset < 0 or (offset and (passed or now - newest > self._oldest))):
            return 0.0
        return self._shifted_by(clocks, upload.device_id, clock, now)

    def _shifted_by(self, clocks: Clocks, device: str, clock: DeviceClock, now: float) -> float:
        """By how much an upload is shifted, which is remembered: as the one before it where the
        offset is about the same still, since a log that is read again shifts them alike."""
        rows, row, offset = clocks.shifted, clocks.shifted.get(device), clock.offset
        near = row is not None and abs(row.offset - offset) <= slack_of(clock, self._config)
        rows[device] = (
            Shifted(row.since, now, row.offset) if row and near else Shifted(now, now, offset)
        )
        while len(rows) > MOST_DEVICES:
            del rows[min(rows, key=lambda name: (rows[name].until, name))]
        return row.offset if row and near else offset

    def ahead(self, clocks: Clocks) -> float:
        """The offset of a clock that is ahead; 0: none is."""
        return min((row.offset for row in clocks.by_device.values() if row.offset < 0), default=0.0)
