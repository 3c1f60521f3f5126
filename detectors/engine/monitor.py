"""The monitor of one patient: their readings and the clock in, events out.

It owns the patient's id, their state (memories, episodes, what is held back, late data) and their
deadline, and works through the pipeline of the configuration that holds for them. A reading is
taken once: of each signal only what is newer than the newest taken is judged. What comes later than
that is late data (:mod:`detectors.engine.late_readings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from detectors.admission import held_readings
from detectors.admission.rules import CLOCK
from detectors.context import activity
from detectors.contract import LONG_AGO, NEVER, Finding, Moment
from detectors.engine import gaps, intake, missing_data
from detectors.engine.late_readings import LateStep
from detectors.engine.pipeline import Pipeline
from detectors.engine.state import LateData, PatientState
from detectors.engine.timers import Timers
from detectors.episodes.evidence import Origin, event
from detectors.episodes.tracker import Step
from vigil.domain.episode import Event
from vigil.domain.reading import NO_CONTEXT, Context, Measurement, Upload

_all_known = intake.KNOWN.issuperset


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


class PatientMonitor:
    """Judges one patient.

    Args:
        patient_id: whose monitor it is.
        pipeline: of the configuration that holds for them.
        shared: of the engine.
        state: as it was saved; None: nothing was ever received.
    """

    __slots__ = ("_pipeline", "_shared", "patient_id", "state")

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

    def process(self, upload: Upload) -> list[Event]:
        """Take an upload; return the events it causes, in order."""
        measurements = upload.measurements
        if len(measurements) > 1:
            measurements = intake.in_order(measurements)
        events: list[Event] = []
        state, new, received = self.state, False, upload.received_at.timestamp()
        stage = self._pipeline.intake
        for sent in measurements:
            measurement = sent
            if not _all_known(sent.values):
                self._shared.unknown_values += len(sent.values.keys() - intake.KNOWN)
                measurement = intake.without_unknown(sent)
            if not measurement.values and measurement.context == NO_CONTEXT:
                continue  # it holds nothing: whoever sends only that is silent
            if len(measurement.values) > 1:
                measurement = intake.sorted_by_name(measurement)
            time = measurement.time.timestamp()
            fault = stage.admission.clock_fault(time, received)
            if fault:
                events += self._report_clock(received, fault)
                continue
            offered: Mapping[str, float] = measurement.values
            findings: list[Finding] = []
            if upload.device_id != state.devices.only:
                chosen = stage.choose_device(state, upload.device_id, offered, time)
                offered, findings = chosen.values, chosen.findings
                if measurement.values and not offered:
                    events += self._overlook(upload, measurement, findings)
                    continue
            values = stage.take_newer(state, offered, time)
            if values is not measurement.values:
                events += self._judge_late(upload, measurement)
                if values is None:
                    continue
            if not new:
                new, state.synthetic = True, upload.synthetic
                events += self._end_silence(received)
            events += self._judge_reading(measurement.context, values, time, received, findings)
        return events

    def advance(self, now: float) -> list[Event]:
        """Judge what has been held back for too long, and silence that has lasted too long."""
        self._shared.changed.add(self.patient_id)
        state, config, events = self.state, self._pipeline.config, list[Event]()
        confirm_seconds = config.admission.confirm_seconds
        for row in held_readings.take_overdue(state.held, confirm_seconds, now):
            moment = held_readings.moment_of(row, now, state.episodes.by_kind)
            events += self._judge(moment, [])
        if self._silence_deadline() <= now:
            events += self._announce_silence(now)
        if state.late is not None and state.late.received + config.late.idle_seconds <= now:
            late = state.late
            events += self._retrospective(late, self._pipeline.late.finish(state))
        self.set_deadline(now)
        return events

    def restart_silence(self, now: float) -> None:
        """Count silence from ``now``, where it is counted: the clock itself had a gap."""
        if self._silence_deadline() == NEVER:
            return
        last_seen = self.state.last_seen
        last_seen.silent_from = max(last_seen.silent_from, now)
        self.set_deadline(now)
        self._shared.changed.add(self.patient_id)

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
            confirm_seconds = config.admission.confirm_seconds
            due = min(due, held_readings.confirm_deadline(state.held, confirm_seconds))
        if state.late is not None:
            due = min(due, state.late.received + config.late.idle_seconds)
        self._shared.timers.set(self.patient_id, due, now)

    def _silence_deadline(self) -> float:
        """When silence is announced, or when a silent patient counts as gone."""
        silence, state = self._pipeline.config.silence, self.state
        if missing_data.KIND in state.episodes.by_kind:
            return missing_data.gone_deadline(silence, state.last_seen)
        return missing_data.silence_deadline(silence, state.last_seen)

    def _announce_silence(self, now: float) -> list[Event]:
        """The patient was silent for too long; or for so long that they count as gone."""
        state = self.state
        open_episode = state.episodes.by_kind.get(missing_data.KIND)
        finding = missing_data.silence(state.last_seen)
        if open_episode is not None:
            open_episode.reason = missing_data.GONE
            finding, state.last_seen = missing_data.silence_over(), missing_data.LastSeen()
        return self._take_technical([finding], now)

    def _end_silence(self, received: float) -> list[Event]:
        """Something new came: silence, if there was any, is over."""
        self._shared.changed.add(self.patient_id)
        now = max(received, self._shared.clock)
        events: list[Event] = []
        if missing_data.KIND in self.state.episodes.by_kind:
            events += self._take_technical([missing_data.silence_over()], now)
        missing_data.record_upload(self.state.last_seen, now)
        self.set_deadline(now)
        return events

    def _judge_reading(
        self,
        context: Context,
        values: Mapping[str, float],
        time: float,
        received: float,
        findings: list[Finding],
    ) -> list[Event]:
        """Judge what is new of a reading. ``findings``: of comparing devices."""
        state, stage, events = self.state, self._pipeline.intake, list[Event]()
        if CLOCK in state.episodes.by_kind:
            events += self._take_technical([stage.admission.clock("")], received)
        judged = stage.admit(state, context, values, time, received)
        moment, admitted = judged.moment, judged.admitted
        for signal in admitted.flat:
            since = state.tracks[signal].since
            held_readings.drop_flat_line(state.episodes, signal, since)
        if state.held or admitted.held:
            sure, dropped = held_readings.settle(state.held, admitted)
            if dropped:
                state.quality -= intake.QUALITY_SHARE * state.quality
            for row in sure:
                confirmed = held_readings.moment_of(row, time, state.episodes.by_kind)
                events += self._judge(confirmed, [])
            held_readings.keep(state.held, admitted.held, measured=values, moment=moment)
            self.set_deadline(received)
        return events + self._judge(moment, admitted.findings + findings)

    def _judge(self, moment: Moment, findings: list[Finding]) -> list[Event]:
        """Examine, update the episodes, learn. ``findings``: what admission found."""
        state, pipeline = self.state, self._pipeline
        steps: list[Step] = []
        if state.restored:
            state.restored = False
            steps += pipeline.episodes.retire(state.episodes, pipeline.rules, moment)
        memories, judges = state.memories, pipeline.judges(moment.values)
        for name, examine in judges.examine:
            found = examine(moment, memories[name])
            if found:
                findings += found
        if findings:
            steps += pipeline.episodes.take_findings(state.episodes, findings, moment)
        events = self._events(steps, moment) if steps else []
        if judges.learn:
            frozen: frozenset[str] | tuple[str, ...] = ()
            if state.episodes.by_kind:
                frozen = pipeline.intake.frozen_signals(state, moment.time)
            for name, learn in judges.learn:
                learn(moment, memories[name], frozen)
        return events

    def _overlook(
        self, upload: Upload, measurement: Measurement, findings: list[Finding]
    ) -> list[Event]:
        """Take the context of a reading whose device is not preferred, and how the two compare."""
        state, pipeline, time = self.state, self._pipeline, measurement.time.timestamp()
        events: list[Event] = []
        if not pipeline.intake.is_far_behind(state, measurement.values, time):
            settings = pipeline.config.context
            activity.take_context(settings, state.context, time=time, context=measurement.context)
            self._shared.changed.add(self.patient_id)
        if findings:
            events += self._take_technical(findings, time)
        return events + self._judge_late(upload, measurement)

    def _judge_late(self, upload: Upload, measurement: Measurement) -> list[Event]:
        """Judge a reading that came after newer ones, where nothing was judged yet."""
        now = max(upload.received_at.timestamp(), self._shared.clock)
        steps = self._pipeline.late.fill(self.state, upload, measurement=measurement, now=now)
        if steps is None or self.state.late is None:
            return []
        self._shared.changed.add(self.patient_id)
        self.set_deadline(now)
        return self._retrospective(self.state.late, steps)

    def _report_clock(self, received: float, reason: str) -> list[Event]:
        """Report a reading with an impossible time: not judged, a technical event of its own."""
        newest = self.state.newest
        if received <= newest.get(CLOCK, LONG_AGO):
            return []
        newest[CLOCK] = received
        self._shared.changed.add(self.patient_id)
        finding = self._pipeline.intake.admission.clock(reason)
        return self._take_technical([finding], received)

    def _take_technical(self, findings: list[Finding], time: float) -> list[Event]:
        """Take findings at a time that has no reading of its own, but a context as any time has."""
        pipeline, state = self._pipeline, self.state
        here = activity.context_at(pipeline.config.context, state.context, time)
        moment = Moment(
            time=time, received=time, values={}, activity=here.activity, period=here.period
        )
        return self._events(
            pipeline.episodes.take_findings(state.episodes, findings, moment), moment
        )

    def _events(self, steps: list[Step], moment: Moment) -> list[Event]:
        """Make the events of steps of the patient's episodes."""
        pipeline, state = self._pipeline, self.state
        origin = Origin(
            patient_id=self.patient_id,
            config_hash=pipeline.config_hash,
            quality=state.quality,
            synthetic=state.synthetic,
            retrospective=moment.received - moment.time > pipeline.config.late_after_seconds,
        )
        known = [(row, state.memories[name]) for name, row in pipeline.detectors.items()]
        if state.past is not None:
            gaps.remember_closed(state.past, steps)
        return [event(step, moment, origin, known) for step in steps]

    def _retrospective(self, late: LateData, steps: Iterable[LateStep]) -> list[Event]:
        """Make the events of late data: without what the baseline has learned since."""
        origin = Origin(
            patient_id=self.patient_id,
            config_hash=self._pipeline.config_hash,
            quality=late.quality,
            synthetic=late.synthetic,
            retrospective=True,
        )
        return [event(row.step, row.moment, origin, ()) for row in steps]
