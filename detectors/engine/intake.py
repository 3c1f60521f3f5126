"""One reading on its way in: what of it is new, what is let through, what may be learned."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter, le

from msgspec import Struct
from msgspec.structs import replace

from detectors.admission.rules import CONTACT, FAULT, Admission, Admitted
from detectors.admission.sources import Chosen, Sources
from detectors.configuration.patient import PatientConfig
from detectors.context import activity
from detectors.contract import LONG_AGO, Moment
from detectors.engine import gaps
from detectors.engine.state import PatientState
from detectors.episodes.memory import open_episodes
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Context, Measurement
from vigil.domain.signals import NAMES

CONTEXT_ALONE = "context"
"""In place of a signal, for a reading that holds activity alone."""
QUALITY_SHARE = 0.02
"""Weight of the newest reading in the running share of what was admitted."""
KNOWN = frozenset(NAMES)
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


class Judged(Struct, frozen=True, gc=False):
    """A reading as the detectors see it, and what admission found."""

    moment: Moment
    admitted: Admitted


class Intake:
    """The first stage of one configuration's pipeline; a patient's state is passed in."""

    def __init__(self, config: PatientConfig):
        self.admission = Admission(config.admission)
        self.sources = Sources(config.sources)
        self._context = config.context
        self._late = config.late
        self._same_moment_seconds = config.sources.same_moment_seconds
        self._adopt_after_seconds = config.baseline.adopt_after_seconds

    def choose_device(
        self, state: PatientState, device: str, values: Mapping[str, float], time: float
    ) -> Chosen:
        """Take what one of several devices is preferred for; nothing of what is far behind.

        That the rest was sent is remembered.
        """
        if self.is_far_behind(state, values, time):
            return Chosen({}, [])
        taken = self.sources.choose(state.devices, device, time, values, state.tracks)
        if len(taken.values) < len(values) and self._late.enabled:
            rest = values.keys() - taken.values.keys()
            state.past = gaps.remember_overlooked(state.past, state.newest, rest, time)
        return taken

    def is_far_behind(self, state: PatientState, values: Mapping[str, float], time: float) -> bool:
        """Whether a reading is too much older than what was taken to compare devices."""
        near = time + self._same_moment_seconds
        return bool(values) and all(near < state.newest.get(name, LONG_AGO) for name in values)

    def take_newer(
        self, state: PatientState, values: Mapping[str, float], time: float
    ) -> Mapping[str, float] | None:
        """Take the values that are newer than what was taken before; None: none is.

        ``state.newest`` is the patient's watermark, signal by signal. Where it moves on by more
        than usual it leaves a gap, which late readings may still fill.
        """
        newest, taken, wide, late = state.newest, values, False, self._late
        far = max(late.gap_seconds, late.usual_intervals * state.last_seen.mean_seconds)
        for name in values:
            before = newest.get(name, LONG_AGO)
            if time <= before:
                taken = {n: values[n] for n in values if time > newest.get(n, LONG_AGO)}
                wide = bool(taken)
                break
            if time - before > far:
                wide = True
        if not taken and (values or time <= newest.get(CONTEXT_ALONE, LONG_AGO)):
            return None
        if wide and late.enabled:
            self._remember_gaps(state, taken, time)
        for name in taken or (CONTEXT_ALONE,):
            newest[name] = time
        return taken

    def _remember_gaps(self, state: PatientState, taken: Mapping[str, float], time: float) -> None:
        """Remember what the watermark leaves behind where it moves on by more than usual."""
        if not state.first:
            state.first = time
            return
        usual = self._late.usual_intervals * state.last_seen.mean_seconds
        for name in taken:
            if time - state.newest.get(name, LONG_AGO) > usual:
                state.past = gaps.widened(state.past, state.known, taken, time, self._late)
                return

    def admit(
        self,
        state: PatientState,
        context: Context,
        values: Mapping[str, float],
        time: float,
        received: float,
    ) -> Judged:
        """Make the moment of a measurement of what admission lets through.

        Args:
            state: changed.
            context: as sent with the measurement.
            time: when it was measured, in seconds since 1970 UTC.
            received: when it was received, in the same unit.
        """
        settings, in_progress = self._context, state.episodes.by_kind
        activity.take_context(settings, state.context, time, context)
        watched = FAULT in in_progress or CONTACT in in_progress
        admitted = self.admission.admit(values, time, context.contact, state.tracks, watched)
        state.quality += QUALITY_SHARE * ((0.0 if admitted.refused else 1.0) - state.quality)
        rate = admitted.values.get("heart_rate")
        if rate is not None:
            activity.take_heart_rate(settings, state.context, time, rate)
        here = activity.context_at(settings, state.context, time)
        moment = Moment(
            time,
            received,
            admitted.values,
            here.activity,
            here.period,
            context.steps_per_min,
            context.contact,
            in_progress,
            {},
            here.source,
        )
        return Judged(moment, admitted)

    def frozen_signals(self, state: PatientState, time: float) -> frozenset[str]:
        """Signals that have an open episode, not yet long enough to be a new normal."""
        return frozenset(
            signal
            for kind, episode in open_episodes(state.episodes.by_kind)
            if time - episode.onset < self._adopt_after_seconds
            for signal in KINDS[kind].signals
        )
