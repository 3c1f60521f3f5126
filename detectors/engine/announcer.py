"""What is announced of one patient: the events of steps, and what is found of no reading by itself.

It owns the patient's id, their state and their deadline, makes the events of what the monitor
(:mod:`detectors.engine.monitor`) finds, and judges the clocks of their devices: whether one is off,
and at what times its readings are judged.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from detectors.admission import held_readings
from detectors.admission.clocks.findings import mark
from detectors.admission.rules import CLOCK, PAST
from detectors.context import activity
from detectors.contract import BEYOND, LONG_AGO, NEVER, Finding, Moment
from detectors.engine import missing_data
from detectors.engine.pipeline import Pipeline
from detectors.engine.state import PatientState
from detectors.episodes.evidence import Origin, event
from detectors.episodes.tracker import Step
from detectors.late_data import gaps, history
from detectors.late_data.memory import LateData
from detectors.late_data.passage import LateStep
from detectors.timers import Timers
from vigil.contracts import device_clock
from vigil.domain.episode import Event
from vigil.domain.reading import Measurement, Upload


class Shared:
    """What the monitors of one engine share: the log's clock, the timers, and their reports."""

    __slots__ = ("changed", "clock", "timers", "unknown_values")

    def __init__(self) -> None:
        self.clock = -NEVER
        """Receive time up to which the ticks have come."""
        self.timers = Timers()
        self.changed: set[str] = set()
        """Patients whose state changed since this was last asked."""
        self.unknown_values = 0
        """Values passed over, whose signals are not in the signals table."""


class PatientAnnouncer:
    """Announces what is found of one patient.

    Args:
        patient_id: whose it is.
        pipeline: of the configuration that holds for them.
        shared: of the engine.
        state: as it was saved; None: nothing was ever received.
    """

    __slots__ = ("_pipeline", "_sender", "_shared", "_shift", "_waited", "patient_id", "state")

    def __init__(
        self,
        patient_id: str,
        pipeline: Pipeline,
        shared: Shared,
        state: PatientState | None = None,
    ):
        self.patient_id = patient_id
        self.state = PatientState(pipeline.detectors) if state is None else state
        self._pipeline = pipeline
        self._shared = shared
        self._sender = ""
        """Whose readings are judged now; empty: those that were held back."""
        self._shift = 0.0
        """By how much their times are not those of their device's clock, in seconds."""
        self._waited = False
        """Whether they are history that has waited."""

    def set_deadline(self, now: float) -> None:
        """Set the timer to when time alone changes something next: the earliest of all that waits.

        Args:
            now: receive time, from which a patient without a deadline is idle.
        """
        state, config = self.state, self._pipeline.config
        if missing_data.KIND in state.episodes.by_kind:
            due = missing_data.gone_deadline(config.silence, state.last_seen)
        else:  # almost everyone, at each reading
            due = missing_data.silence_deadline(config.silence, state.last_seen)
        if state.held:
            waits = config.admission.confirm_seconds, config.sources.takeover_seconds
            due = min(due, held_readings.confirm_deadline(state.held, *waits))
        if state.late is not None:
            due = min(due, self._pipeline.late.deadline(state.late))
        if state.episodes.by_kind:
            due = min(due, self._pipeline.episodes.deadline(state.episodes))
        if state.devices.clocks.by_device:
            reported = state.newest.get(CLOCK, LONG_AGO)
            due = min(due, self._pipeline.intake.clocks.deadline(state.devices.clocks, reported))
        self._shared.timers.set(self.patient_id, due, now)

    def _silence_deadline(self) -> float:
        """When silence is announced, or when a silent patient counts as gone."""
        silence, state = self._pipeline.config.silence, self.state
        if missing_data.KIND in state.episodes.by_kind:
            return missing_data.gone_deadline(silence, state.last_seen)
        return missing_data.silence_deadline(silence, state.last_seen)

    def _judge_clock(self, upload: Upload, newest: float, received: float) -> list[Event]:
        """Judge whether a device's clock is off by about the same amount each time."""
        clocks, stage = self.state.devices.clocks, self._pipeline.intake.clocks
        stated, late = upload.sent_at is not None, received - newest
        usual = -stage.tolerance <= late < stage.least_seconds
        if not upload.measurements or (usual and not (stated or clocks.by_device)):
            return []  # almost every upload
        times = [measurement.time.timestamp() for measurement in upload.measurements]
        findings = stage.take(clocks, upload, times, self.state.last_seen.received)
        if findings is not None:
            self._shared.changed.add(self.patient_id)
            self.set_deadline(max(received, self._shared.clock))
        return self._report_offset(findings, received) if findings else []

    def _settle_clocks(self, now: float) -> list[Event]:
        """Judge what is known of clocks once nothing followed for a while, of receive time."""
        state, stage = self.state, self._pipeline.intake.clocks
        clocks, events = state.devices.clocks, list[Event]()
        findings = stage.settle(clocks, now)
        if findings:
            events += self._report_offset(findings, now)
        reported = state.newest.get(CLOCK, LONG_AGO)
        received, due = stage.overdue_past(clocks, reported, now)
        if received:
            self._shared.changed.add(self.patient_id)
            state.newest[CLOCK] = received
            finding = replace(self._pipeline.intake.admission.clock(PAST), since=received)
            events += self._take_technical([finding], due)
        return events

    def _report_offset(self, findings: list[Finding], received: float) -> list[Event]:
        """Report what is found of the offset of clocks; an impossible time that was reported goes
        on as that, since what its times are by is known now."""
        known = self.state.episodes.by_kind.get(CLOCK)
        beyond = findings[0].stance == BEYOND
        if not (beyond and known is not None and known.open and known.rule == CLOCK):
            return self._take_technical(findings, received)
        moment, episodes = self._moment_between(received), self._pipeline.episodes
        return self._events(episodes.go_on_by(self.state.episodes, findings[0], moment), moment)

    def _offset(self, moment: Moment) -> float:
        """How far the clock is known to be off that a moment was measured by, in seconds."""
        clocks, lateness = self.state.devices.clocks, moment.received - moment.time
        offset = self._pipeline.intake.clocks.offset_of(clocks, self._sender, lateness)
        if self._waited and lateness - offset <= self._pipeline.config.late_after_seconds:
            return 0.0  # it was history when it came, and has waited as such
        return offset

    def _corrected(
        self, upload: Upload, measurements: tuple[Measurement, ...]
    ) -> tuple[Measurement, ...]:
        """The measurements of a device whose clock is off, at the times at which they are judged:
        those of its clock wherever they can be."""
        shift = upload.clock_shift_seconds
        if shift and not abs(shift) <= device_clock.MOST_SECONDS:
            shift = 0.0
        self._sender, self._shift = upload.device_id, shift
        clocks = self.state.devices.clocks
        known = clocks.by_device or clocks.shifted
        if not known or self._shift or not measurements:
            return measurements  # almost every upload
        newest, last = self.state.newest, measurements[-1]
        taken = max((newest.get(name, LONG_AGO) for name in last.values), default=LONG_AGO)
        shift = self._pipeline.intake.clocks.shift_of(
            self.state.devices.clocks,
            upload,
            newest=last.time.timestamp(),
            known=history.newest(self.state.late, last.values, taken),
        )
        if shift:
            moved = device_clock.shifted(replace(upload, measurements=measurements), shift)
            measurements, self._shift = moved.measurements, moved.clock_shift_seconds
        return measurements

    def _report_clock(self, received: float, reason: str) -> list[Event]:
        """Report a reading with an impossible time: not judged, a technical event of its own. One
        from long ago may be history, and is reported once nothing newer followed."""
        newest = self.state.newest
        waits = reason == PAST and self._pipeline.intake.clocks.enabled
        if waits or received <= newest.get(CLOCK, LONG_AGO):
            return []
        newest[CLOCK] = received
        self._shared.changed.add(self.patient_id)
        finding = self._pipeline.intake.admission.clock(reason)
        return self._take_technical([finding], received)

    def _take_technical(self, findings: list[Finding], time: float) -> list[Event]:
        """Take findings at a time that has no reading of its own."""
        moment = self._moment_between(time)
        episodes = self._pipeline.episodes
        return self._events(episodes.take_findings(self.state.episodes, findings, moment), moment)

    def _moment_between(self, time: float) -> Moment:
        """A time that has no reading of its own, but a context as any time has."""
        here = activity.context_at(self._pipeline.config.context, self.state.context, time)
        return Moment(
            time=time, received=time, values={}, activity=here.activity, period=here.period
        )

    def _events(self, steps: list[Step], moment: Moment) -> list[Event]:
        """Make the events of steps of the patient's episodes, and set when time ends them."""
        pipeline, state = self._pipeline, self.state
        origin = Origin(
            patient_id=self.patient_id,
            config_hash=pipeline.config_hash,
            quality=state.quality,
            synthetic=state.synthetic,
            retrospective=moment.lateness > pipeline.config.late_after_seconds,
        )
        known = [(row, state.memories[name]) for name, row in pipeline.detectors.items()]
        state.past = gaps.remember_closed(state.past, state.first, steps)
        policies = pipeline.policies
        events = [event(step, moment, origin, policies[step.kind], known) for step in steps]
        if events:
            self.set_deadline(max(moment.received, self._shared.clock))
        return mark(events, moment.offset, self._shift)

    def _retrospective(self, late: LateData, steps: Iterable[LateStep]) -> list[Event]:
        """Make the events of late data: without what the baseline has learned since."""
        origins = {
            retrospective: Origin(
                patient_id=self.patient_id,
                config_hash=self._pipeline.config_hash,
                quality=late.quality,
                synthetic=late.synthetic,
                retrospective=retrospective,
            )
            for retrospective in (True, False)
        }
        policies = self._pipeline.policies
        events = [
            event(row.step, row.moment, origins[row.retrospective], policies[row.step.kind], ())
            for row in steps
        ]
        if events:
            self.set_deadline(max(late.received, self._shared.clock))
        return events
