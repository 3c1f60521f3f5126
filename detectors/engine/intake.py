"""One reading on its way in: what of it is new, what is let through, what may be learned."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from operator import attrgetter, le

from msgspec.structs import replace

from detectors.admission import held_readings, same_time, second_device
from detectors.admission.clocks.offsets import ClockOffsets
from detectors.admission.held_readings import SECOND, Held, group_of
from detectors.admission.rules import (
    CONTACT,
    FAULT,
    PRESSURE,
    Admission,
    Admitted,
    possible,
)
from detectors.admission.sources import Chosen, Sources
from detectors.admission.tracks import Number
from detectors.configuration.patient import PatientConfig
from detectors.context import activity
from detectors.contract import BEYOND, LONG_AGO, Detector, Finding, Moment, Rule
from detectors.engine.missing_data import KNOWN_INTERVALS, record_reading
from detectors.engine.state import PatientState
from detectors.episodes.memory import open_episodes
from detectors.late_data import gaps, judged
from detectors.late_data.memory import LateReading
from detectors.limits.combination import absolute_limits
from vigil.domain.kinds import KINDS
from vigil.domain.reading import NO_CONTEXT, Context, Measurement
from vigil.domain.signals import NAMES

CONTEXT_ALONE = "context"
"""In place of a signal, for a reading that holds activity alone."""
SOON_SECONDS = 300.0
"""Pressures that follow each other so soon are measured by a monitor; our own figure."""
QUALITY_SHARE = 0.02
"""Weight of the newest reading in the running share of what was admitted."""
KNOWN = frozenset(NAMES)
_PRESSURE = frozenset(PRESSURE)
_by_time = attrgetter("time")


def in_order(measurements: tuple[Measurement, ...]) -> tuple[Measurement, ...]:
    """Return an upload's measurements in order of time, in which they are judged.

    The gateway writes them so; another producer's device may send the newest first.
    """
    times = [measurement.time for measurement in measurements]
    if all(map(le, times, times[1:])):
        return measurements
    return tuple(sorted(measurements, key=_by_time))


def without_unknown(measurement: Measurement) -> Measurement:
    """Return a measurement without the signals that are not in the signals table.

    The schema allows any name: a newer Vigil's producer may measure what this one does not know.
    What it does know is judged as if the rest had not been sent.
    """
    values = measurement.values
    return replace(measurement, values={name: values[name] for name in values if name in KNOWN})


def sorted_by_name(measurement: Measurement) -> Measurement:
    """Return a measurement with its values in order of name, as they are on the wire.

    Of two findings of equal weight the first is announced, so the order must not depend on the
    sender.
    """
    names = sorted(measurement.values)
    if names == list(measurement.values):
        return measurement
    return replace(measurement, values={name: measurement.values[name] for name in names})


def _moment(
    values: Mapping[str, float],
    time: float,
    received: float,
    context: Context,
    here: activity.KnownContext,
    watched: Collection[str],
) -> Moment:
    return Moment(
        time,
        received,
        values,
        here.activity,
        here.period,
        context.steps_per_min,
        context.contact,
        watched,
        {},
        here.source,
        pace=here.pace,
    )


def _newer(state: PatientState, values: Mapping[str, float], time: float) -> list[str]:
    """The signals of a reading, or its context alone, that are newer than what was judged."""
    return [name for name in values or (CONTEXT_ALONE,) if time > state.newest.get(name, LONG_AGO)]


class Intake:
    """The first stage of one configuration's pipeline; a patient's state is passed in.

    Args:
        detectors: by name; the absolute limits among them say which pressure asks for another.
    """

    def __init__(self, config: PatientConfig, detectors: Mapping[str, Detector]):
        self.admission = Admission(config.admission)
        self.sources = Sources(config.sources)
        self.clocks = ClockOffsets(
            config.clock_offset,
            tolerance=config.admission.clock_tolerance_seconds,
            oldest=config.admission.clock_oldest_seconds,
        )
        self._context = config.context
        self._late = config.late
        self._motion_seconds = config.admission.motion_seconds
        self._limits = absolute_limits(detectors)
        self._same_moment_seconds = config.sources.same_moment_seconds
        self._adopt_after_seconds = config.baseline.adopt_after_seconds

    def choose_device(
        self,
        state: PatientState,
        device: str,
        measurement: Measurement,
        *,
        time: float,
        received: float,
    ) -> Chosen:
        """Take what one of several devices is preferred for, and what confirms that; nothing of
        what is far behind.

        That the rest was sent is remembered.
        """
        values = measurement.values
        if self.is_far_behind(state, values, time):
            return Chosen({}, [])
        chosen = self.sources.choose(state.devices, device, time, values, state.tracks)
        if "systolic" in values and "systolic" not in chosen.values:
            confirming = self._confirming(state, device, measurement, time, received)
            taken = {**chosen.values, **confirming}
            chosen = replace(chosen, values={name: taken[name] for name in values if name in taken})
        if len(chosen.values) < len(values) and self._late.enabled:
            rest = values.keys() - chosen.values.keys()
            state.past = gaps.remember_overlooked(state.past, state.newest, rest, time)
        return chosen

    def _confirming(
        self,
        state: PatientState,
        device: str,
        measurement: Measurement,
        time: float,
        received: float,
    ) -> Mapping[str, float]:
        """Take a pressure whose device is not preferred, if it confirms the preferred one's."""
        sent, newest = measurement.values, state.newest.get("systolic", LONG_AGO)
        pressure = possible({name: sent[name] for name in PRESSURE if name in sent})
        if measurement.context.contact is False or time < newest or "systolic" not in pressure:
            return {}
        here = activity.context_at(self._context, state.context, time)
        moment = _moment(pressure, time, received, measurement.context, here, ())
        beyond = self._limits_beyond(moment)
        seen = second_device.as_seen_by(device, state.held)
        if SECOND in state.held and not beyond:
            self._contradict(state, device, pressure, time)
            return {}
        sender = (device, measurement.sequence)
        found = second_device.bearing(
            pressure,
            time,
            beyond,
            admission=self.admission,
            tracks=state.tracks,
            held=seen,
            by_kind=state.episodes.by_kind,
            waiting_beyond=self._waiting_beyond(seen, sender, pressure, time),
        )
        if found == "confirms":
            pulse = {"heart_rate": sent["heart_rate"]} if "heart_rate" in sent else {}
            return {**pulse, **pressure}
        if found and time > newest:
            row = held_readings.row_of(pressure, moment)
            row = replace(row, device=device, sequence=measurement.sequence)
            second_device.keep_waiting(state.held, row, found)
        return {}

    def _waiting_beyond(
        self,
        held: Mapping[str, Held],
        sender: tuple[str, int | None],
        pressure: Mapping[str, float],
        time: float,
    ) -> Collection[Rule]:
        """The limits that the pressure which waits is beyond, where this one is a further
        measurement of the same device. ``held``: as seen by it; ``sender``: the device and its
        number of this one."""
        rows = [held[name] for name in second_device.WAITING if name in held]
        if SECOND not in held or not second_device.is_another(
            pressure, time, rows, self.admission, sender
        ):
            return ()
        return self._limits_beyond(held_readings.moment_of(held[SECOND], time, ()))

    def _contradict(
        self, state: PatientState, device: str, pressure: dict[str, float], time: float
    ) -> None:
        """Drop what waits of a device that is not preferred, if it measures an ordinary pressure
        after it: one that would be ordinary where that was measured too, and is not the preferred
        device's, passed on."""
        row = second_device.as_seen_by(device, state.held).get(SECOND, state.held[SECOND])
        there = held_readings.moment_of(replace(row, values=pressure), time, ())
        if self._limits_beyond(there):
            return
        if not self.admission.is_repeated(pressure, time, state.tracks, None):
            second_device.drop_contradicted(state.held, device, pressure, time)

    def _limits_beyond(self, moment: Moment) -> list[Rule]:
        """The absolute limits that a moment's values are beyond, whatever was measured before."""
        found: list[Finding] = []
        for detector in self._limits:
            found += detector.examine(moment, None)
        return [finding.rule for finding in found if finding.stance == BEYOND]

    def compare_devices(
        self,
        state: PatientState,
        values: Mapping[str, float],
        time: float,
        number: Number | None = None,
    ) -> Held | None:
        """Let a pressure confirm or contradict that of a device that is not preferred, if one
        waits; return a further one that waits beside it. A pressure that is sent again, or cannot
        be, does neither."""
        waiting = not state.held.keys().isdisjoint(second_device.WAITING)
        if not waiting or "systolic" not in possible(values):
            return None
        if self.admission.is_repeated(values, time, state.tracks, None):
            return None
        return second_device.compare_with_next(
            values, state.held, state.tracks, self._motion_seconds, number
        )

    def mark_taken(self, state: PatientState, row: Held) -> None:
        """What was held back is judged: if it was not taken as it came, it is not judged again."""
        if all(row.time > state.newest.get(name, LONG_AGO) for name in row.values):
            self.take_newer(state, row.values, row.time, None)

    def confirmed_behind(self, state: PatientState, reading: LateReading) -> list[Held]:
        """What a reading that came behind the newer one which is held back confirms: both, in order
        of time. They are held no longer, and are taken."""
        time, values = reading.time, reading.values
        for group, row in state.held.items():
            own = possible({name: values[name] for name in values if group_of(name) == group})
            known = own and time < row.time and all(name in state.tracks for name in row.values)
            if known and self.admission.agrees_behind(own, time, state.tracks, row.values):
                del state.held[group]
                first = replace(row, time=time, received=reading.received, values=own)
                for taken in (first, row):
                    for name, value in taken.values.items():
                        state.tracks[name].take(value, taken.time)
                return [first, row]
        return []

    def is_far_behind(self, state: PatientState, values: Mapping[str, float], time: float) -> bool:
        """Whether a reading is too much older than what was taken to compare devices."""
        near = time + self._same_moment_seconds
        return bool(values) and all(near < state.newest.get(name, LONG_AGO) for name in values)

    def ends_waiting(self, state: PatientState, values: Mapping[str, float], time: float) -> bool:
        """Whether late data wait that have to be judged before a newer reading: history, or what
        fills a gap up to the newest reading of the same signal."""
        late, newer = state.late, _newer(state, values, time)
        if late is None or not newer:
            return False
        if late.history:
            return True
        groups = {group_of(name) for name in newer}
        return bool(late.waiting) and gaps.reach_newest(
            [(row.time, row.until) for row in late.waiting], state.known, groups, self._late
        )

    def has_to_wait(self, state: PatientState, measurement: Measurement, time: float) -> bool:
        """Whether history is newer than what was judged, and more may come before it."""
        values, newest, past = measurement.values, state.newest, 0.0
        for name in values or (CONTEXT_ALONE,):
            own = time - newest.get(name, LONG_AGO)
            past = max(past, own)
        holds = values or measurement.context != NO_CONTEXT
        if past <= 0.0 or not (self._late.enabled and holds):
            return False
        if state.late is not None and state.late.history:
            return True
        # almost never
        return past > self._late.gap_seconds and past > gaps.least(state.known, self._late)

    def take_newer(
        self, state: PatientState, values: Mapping[str, float], time: float, number: Number | None
    ) -> Mapping[str, float] | None:
        """Take the values that are newer than what was taken before, or different at the same
        time; None: none is.

        ``state.newest`` is the patient's watermark, signal by signal. Where it moves on by more
        than usual it leaves a gap, which late readings may still fill.
        """
        newest, taken, wide, late = state.newest, values, False, self._late
        last_seen, past = state.last_seen, 0.0
        for name in values:
            past = time - newest.get(name, LONG_AGO)
            if past <= 0.0:
                numbered = self.admission.is_later_number(state.tracks, number)
                taken = same_time.newer_of(state.taken, newest, values, time, numbered=numbered)
                wide = bool(taken)
                break
            if past > late.gap_seconds and not wide:
                wide = past > late.usual_intervals * last_seen.usual_seconds
        if not taken and (values or time <= newest.get(CONTEXT_ALONE, LONG_AGO)):
            return None
        if wide and late.enabled:
            self._remember_gaps(state, taken, time)
        if 0.0 < past < -LONG_AGO and (
            last_seen.reading_seconds != past or last_seen.reading_intervals < KNOWN_INTERVALS
        ):
            record_reading(last_seen, past)
        if not taken:
            newest[CONTEXT_ALONE] = time
        first, further = state.taken.first, state.taken.further
        for name in taken:
            if newest.get(name) != time:
                newest[name], first[name] = time, taken[name]
                if further:
                    further.pop(group_of(name), None)
        return taken

    def _remember_gaps(self, state: PatientState, taken: Mapping[str, float], time: float) -> None:
        """Remember what the watermark leaves behind where it moves on by more than usual."""
        if not state.first:
            state.first = time
            groups = {group_of(name) for name in taken}
            state.past = judged.collect(state.past, time, groups, time)
            return
        usual = self._late.usual_intervals * state.last_seen.usual_seconds
        for name in taken:
            if time - state.newest.get(name, LONG_AGO) > usual:
                state.past = gaps.widened(state.past, state.known, taken, time, self._late)
                groups = {group_of(name) for name in taken}
                if state.past is not None and state.episodes.by_kind:
                    gaps.remember_pending(state.past, state.episodes.by_kind, groups)
                state.past = judged.collect(state.past, state.first, groups, time)
                return

    def is_sent_again(
        self,
        state: PatientState,
        values: Mapping[str, float],
        time: float,
        number: Number | None,
    ) -> bool:
        """Whether a reading is nothing but the last measurement again: nothing new came."""
        asked = number is not None or values.keys() <= _PRESSURE
        return asked and self.admission.is_sent_again(values, time, state.tracks, number)

    def admit(
        self,
        state: PatientState,
        context: Context,
        values: Mapping[str, float],
        time: float,
        received: float,
        number: Number | None = None,
    ) -> tuple[Moment, Admitted]:
        """Make the moment of a measurement of what admission lets through, and say what it found.

        Args:
            state: changed.
            context: as sent with the measurement.
            number: the device's own of it.
            time: when it was measured, in seconds since 1970 UTC.
            received: when it was received, in the same unit.
        """
        settings, in_progress = self._context, state.episodes.by_kind
        activity.take_context(settings, state.context, time, context)
        watched = FAULT in in_progress or CONTACT in in_progress
        last = state.tracks.get("systolic")
        rare = last is None or time - last.time > SOON_SECONDS
        admitted = self.admission.admit(
            values, time, context.contact, state.tracks, watched, number
        )
        state.quality += QUALITY_SHARE * ((0.0 if admitted.refused else 1.0) - state.quality)
        rate = admitted.values.get("heart_rate")
        if rate is not None:
            activity.take_heart_rate(settings, state.context, time, rate)
        here = activity.context_of(settings, state.context, time, context)
        moment = _moment(admitted.values, time, received, context, here, in_progress)
        if rare and "systolic" in admitted.held:
            self._ask_again(state, admitted, values, moment)
        return moment, admitted

    def _ask_again(
        self,
        state: PatientState,
        admitted: Admitted,
        values: Mapping[str, float],
        moment: Moment,
    ) -> None:
        """Ask for another measurement at once where a pressure is held back that would be announced
        by itself, and an episode of its kind is open: nothing more may be measured for hours.
        Where pressures follow each other within :data:`SOON_SECONDS`, the next one shows it."""
        held = {name: values[name] for name in PRESSURE if name in admitted.held}
        in_progress = {kind for kind, _ in open_episodes(state.episodes.by_kind)}
        if in_progress and any(
            rule.readings == 1 and rule.kind in in_progress
            for rule in self._limits_beyond(replace(moment, values=held))
        ):
            self.admission.ask_again(admitted, held["systolic"])

    def frozen_signals(self, state: PatientState, time: float) -> frozenset[str]:
        """Signals that have an open episode, not yet long enough to be a new normal."""
        return frozenset(
            signal
            for kind, episode in open_episodes(state.episodes.by_kind)
            if time - episode.onset < self._adopt_after_seconds
            for signal in KINDS[kind].signals
        )
