"""The engine: uploads in, events out. Pure: no clock, no broker, no database.

The same log gives the same events, byte for byte, in whatever batches it comes and across any
:meth:`Engine.state_of` / :meth:`Engine.load_state` in between. A reading is taken once: of each
signal only what is newer than the newest taken is judged, so that a log that is read twice changes
nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView, Mapping, Sequence
from datetime import datetime

from detectors.admission import held_readings
from detectors.admission.rules import CLOCK, Admitted
from detectors.admission.sources import Chosen
from detectors.configuration.loading import DetectionConfig
from detectors.context import activity as context
from detectors.contract import Finding, Moment
from detectors.engine import deadlines, future_state, gaps, intake, missing_data, state
from detectors.engine.late_readings import Lane, Told
from detectors.engine.pipeline import Pipeline
from detectors.engine.state import Patient
from detectors.engine.timers import Timers
from detectors.episodes.evidence import Origin, event
from detectors.episodes.memory import NEVER
from detectors.episodes.tracker import Step
from vigil.domain.episode import Event
from vigil.domain.reading import NO_CONTEXT, Measurement, Upload


class Engine:
    """Detects for the patients of one log: of one partition, or of one recording."""

    def __init__(self, config: DetectionConfig):
        self._config = config
        self._pipelines: dict[int, Pipeline] = {}
        self._of: dict[str, Pipeline] = {}
        self._patients: dict[str, Patient] = {}
        self._timers = Timers()
        self._changed: set[str] = set()
        self.unknown_values = 0
        """Values passed over so far, whose signals are not in the signals table."""
        self.watermark: datetime | None = None
        """The last tick: up to here silence was judged. Saved with the offset, and set again."""

    def process(self, upload: Upload) -> list[Event]:  # noqa: PLR0912  (hot: no call for each)
        """Take an upload; return the events it causes, in order."""
        patient_id = upload.patient_id
        pipeline = self._pipeline(patient_id)
        received = upload.received_at.timestamp()
        patient = self._patients.get(patient_id)
        if patient is None:
            patient = self._patients[patient_id] = Patient(pipeline.detectors)
            self._set_deadline(patient_id, patient, received)
        events: list[Event] = []
        new, late, several = False, pipeline.config.late, len(upload.measurements) > 1
        is_known = intake.KNOWN.issuperset
        in_order = intake.in_order(upload.measurements) if several else upload.measurements
        for sent in in_order:
            if not is_known(sent.values):
                self.unknown_values += len(sent.values.keys() - intake.KNOWN)
                sent = intake.known(sent)  # noqa: PLW2901  (the rest was never sent)
            if not sent.values and sent.context == NO_CONTEXT:
                continue  # it tells nothing: whoever sends only that is silent
            measurement = intake.by_name(sent) if len(sent.values) > 1 else sent
            time = measurement.time.timestamp()
            wrong = pipeline.admission.clock_fault(time, received)
            if wrong:
                events += self._wrong_clock(patient_id, patient, received, wrong)
                continue
            offered: Mapping[str, float] = measurement.values
            findings: list[Finding] = []
            if upload.device_id != patient.devices.only:
                offered, findings = self._chosen(patient, upload, measurement, time)
                if measurement.values and not offered:
                    events += self._overlooked(patient_id, patient, upload, measurement, findings)
                    continue
            values = intake.newer(patient, offered, time, late)
            if values is not measurement.values:
                events += self._late(patient_id, patient, upload, measurement)
                if values is None:
                    continue
            if not new:
                new, patient.synthetic = True, upload.synthetic
                events += self._hear(patient_id, patient, received)
            if CLOCK in patient.watches:
                right = pipeline.admission.clock("")
                events += self._technical(patient_id, patient, right, received)
            moment, admitted = intake.admit(
                pipeline, patient, measurement.context, values, (time, received)
            )
            for signal in admitted.flat:
                held_readings.let_go(patient.book, signal, patient.tracks[signal].since)
            if patient.held or admitted.held:
                events += self._hold(patient_id, patient, moment, admitted, values)
            events += self._judge(patient_id, patient, moment, admitted.findings + findings)
        return events

    def tick(self, received: datetime) -> list[Event]:
        """The clock: return the events of what has waited, and of who was silent, too long."""
        now = received.timestamp()
        if self.watermark is not None:
            if received <= self.watermark:
                return []
            self._forgive_absence(now - self.watermark.timestamp(), now)
        self.watermark = received
        events: list[Event] = []
        for patient_id in self._timers.due(now):
            events += self._overdue(patient_id, self._patients[patient_id], now)
        return events

    def finish(self) -> list[Event]:
        """The end of a recording: nothing more to tell, ever.

        Each step is told by the reading or tick that made it known, so nothing is held back; and
        nothing is closed, since that the data end says nothing of the patient. A recording thus
        gives offline exactly the events that it gives on the stream, which has no end.
        """
        return []

    def changed(self) -> set[str]:
        """The patients whose state changed since this was last asked."""
        changed, self._changed = self._changed, set()
        return changed

    def state_of(self, patient_id: str) -> bytes:
        """A patient's state, to be saved."""
        return state.dump(self._patients[patient_id], self._pipeline(patient_id).detectors)

    def load_state(
        self, patient_id: str, saved: bytes, now: datetime | None = None
    ) -> tuple[str, ...]:
        """Take over a saved state; return what of it could not be read and begins afresh.

        Args:
            now: no state is believed that says it is a day later; None: any is.

        Raises:
            WireError: the bytes are not a state of this version.
        """
        pipeline = self._pipeline(patient_id)
        patient = state.load(saved, pipeline.detectors)
        lost = patient.lost
        if now is not None:
            patient = future_state.healed(patient, pipeline.detectors, now.timestamp())
        if patient.lost != lost:
            self._changed.add(patient_id)  # what was healed is saved
        self._patients[patient_id] = patient
        since = float("-inf") if self.watermark is None else self.watermark.timestamp()
        self._set_deadline(patient_id, patient, since)
        return patient.lost

    def idle(self, now_seconds: float) -> list[str]:
        """Who may leave memory, by id: patients for whom time alone changes nothing any more.

        They have no deadline (their silence was told and they count as gone, or silence is not
        judged; nothing is held back) and nothing of theirs came for ``silence.idle_after_seconds``.
        Once what changed is saved, ``forget`` them; ``load_state`` before their next reading makes
        it as if they had never left. Costs nothing where nobody is idle.

        Args:
            now_seconds: receive time, as of the last tick.
        """
        return self._timers.resting(now_seconds - self._config.everyone.silence.idle_after_seconds)

    def forget(self, patient_ids: Iterable[str]) -> None:
        """Let go of patients. Unless their state is loaded first, a later reading begins afresh."""
        for patient_id in patient_ids:
            self._patients.pop(patient_id, None)
            self._timers.drop(patient_id)
            self._of.pop(patient_id, None)
            self._changed.discard(patient_id)

    @property
    def known(self) -> KeysView[str]:
        """Who is in memory, as it changes."""
        return self._patients.keys()

    def patients(self) -> list[str]:
        """Who is known."""
        return sorted(self._patients)

    def _pipeline(self, patient_id: str) -> Pipeline:
        pipeline = self._of.get(patient_id)
        if pipeline is None:
            config = self._config.of(patient_id)
            pipeline = self._pipelines.get(id(config))
            if pipeline is None:
                pipeline = self._pipelines[id(config)] = Pipeline(config)
            self._of[patient_id] = pipeline
        return pipeline

    def _judge(
        self, patient_id: str, patient: Patient, moment: Moment, findings: list[Finding]
    ) -> list[Event]:
        """Examine, hold against the episodes, learn. ``findings``: what admission found."""
        pipeline, watches = self._of[patient_id], patient.watches
        steps: list[Step] = []
        if patient.restored:
            patient.restored = False
            steps += pipeline.episodes.retire(patient.book, pipeline.rules, moment)
        memories, judges = patient.memories, pipeline.judges(moment.values)
        for name, examine in judges.examine:
            found = examine(moment, memories[name])
            if found:
                findings += found
        if findings:
            steps += pipeline.episodes.note(patient.book, findings, moment)
        events = self._events(patient_id, patient, steps, moment) if steps else []
        if judges.learn:
            frozen = intake.frozen(pipeline, patient, moment.time) if watches else ()
            for name, learn in judges.learn:
                learn(moment, memories[name], frozen)
        return events

    def _hold(
        self,
        patient_id: str,
        patient: Patient,
        moment: Moment,
        admitted: Admitted,
        measured: Mapping[str, float],
    ) -> list[Event]:
        """Judge what this reading confirms of what was held back, and hold back what it steps."""
        events: list[Event] = []
        sure, dropped = held_readings.settle(patient.held, admitted)
        if dropped:
            patient.quality -= intake.QUALITY_SHARE * patient.quality
        for row in sure:
            believed = held_readings.moment(row, moment.time, patient.watches)
            events += self._judge(patient_id, patient, believed, [])
        held_readings.keep(patient.held, admitted.held, measured, moment)
        self._set_deadline(patient_id, patient, moment.received)
        return events

    def _chosen(
        self, patient: Patient, upload: Upload, measurement: Measurement, time: float
    ) -> Chosen:
        """What one of several devices is believed about; nothing of what is far behind."""
        pipeline, values = self._of[upload.patient_id], measurement.values
        if intake.far_behind(pipeline, patient, values, time):
            return Chosen({}, [])
        return intake.chosen(pipeline, patient, upload.device_id, values, time)

    def _overlooked(
        self,
        patient_id: str,
        patient: Patient,
        upload: Upload,
        measurement: Measurement,
        findings: list[Finding],
    ) -> list[Event]:
        """The reading of a device that another is preferred to: its context, and the comparison."""
        time, pipeline, events = measurement.time.timestamp(), self._of[patient_id], list[Event]()
        if not intake.far_behind(pipeline, patient, measurement.values, time):
            context.note(pipeline.config.context, patient.heard, time, measurement.context)
            self._changed.add(patient_id)
        if findings:
            events += self._without_reading(patient_id, patient, findings, time)
        return events + self._late(patient_id, patient, upload, measurement)

    def _overdue(self, patient_id: str, patient: Patient, now: float) -> list[Event]:
        """What was held back for too long is judged; who was silent for too long is told."""
        self._changed.add(patient_id)
        config, events = self._of[patient_id].config, list[Event]()
        for row in held_readings.overdue(patient.held, config.admission.confirm_seconds, now):
            moment = held_readings.moment(row, now, patient.watches)
            events += self._judge(patient_id, patient, moment, [])
        if deadlines.silence_due(config, patient) <= now:
            finding = missing_data.silent(patient.hearing)
            if missing_data.KIND in patient.watches:
                patient.watches[missing_data.KIND].reason = missing_data.GONE
                finding, patient.hearing = missing_data.heard_again(), missing_data.Hearing()
            events += self._technical(patient_id, patient, finding, now)
        if patient.lane is not None and deadlines.lane_due(config, patient) <= now:
            lane = patient.lane
            told = intake.caught_up(self._of[patient_id], patient)
            events += self._retrospective(patient_id, lane, told)
        self._set_deadline(patient_id, patient, now)
        return events

    def _late(
        self, patient_id: str, patient: Patient, upload: Upload, measurement: Measurement
    ) -> list[Event]:
        """A reading that came after newer ones: judged apart, where nothing was judged yet."""
        now = upload.received_at.timestamp()
        if self.watermark is not None:  # receive time does not go back behind the clock
            now = max(now, self.watermark.timestamp())
        told = intake.fill(self._of[patient_id], patient, upload, measurement, now)
        if told is None or patient.lane is None:
            return []
        self._changed.add(patient_id)
        self._set_deadline(patient_id, patient, now)
        return self._retrospective(patient_id, patient.lane, told)

    def _retrospective(self, patient_id: str, lane: Lane, told: Iterable[Told]) -> list[Event]:
        """Events of the late lane: marked so, and without what the baseline has learned since."""
        origin = Origin(patient_id, self._config.config_hash, lane.quality, lane.synthetic, True)
        return [event(step, moment, origin, ()) for step, moment in told]

    def _wrong_clock(
        self, patient_id: str, patient: Patient, received: float, reason: str
    ) -> list[Event]:
        """A reading with an impossible time: not judged, and a technical event of its own."""
        if received <= patient.newest.get(CLOCK, NEVER):
            return []
        patient.newest[CLOCK] = received
        self._changed.add(patient_id)
        finding = self._of[patient_id].admission.clock(reason)
        return self._technical(patient_id, patient, finding, received)

    def _hear(self, patient_id: str, patient: Patient, received: float) -> list[Event]:
        """Something new came: silence, if there was any, is over."""
        self._changed.add(patient_id)
        now = received
        if self.watermark is not None:
            now = max(now, self.watermark.timestamp())
        events: list[Event] = []
        if missing_data.KIND in patient.watches:
            events += self._technical(patient_id, patient, missing_data.heard_again(), now)
        missing_data.hear(patient.hearing, now)
        self._set_deadline(patient_id, patient, now)
        return events

    def _technical(
        self, patient_id: str, patient: Patient, finding: Finding, now: float
    ) -> list[Event]:
        """A finding on receive time, about no reading."""
        return self._without_reading(patient_id, patient, [finding], now)

    def _without_reading(
        self, patient_id: str, patient: Patient, findings: list[Finding], time: float
    ) -> list[Event]:
        """Findings at a time that has no reading of its own, but a context as any time has."""
        pipeline = self._of[patient_id]
        here = context.place(pipeline.config.context, patient.heard, time)
        moment = Moment(time, time, {}, here.activity, here.period)
        steps = pipeline.episodes.note(patient.book, findings, moment)
        return self._events(patient_id, patient, steps, moment)

    def _events(
        self, patient_id: str, patient: Patient, steps: Sequence[Step], moment: Moment
    ) -> list[Event]:
        pipeline = self._of[patient_id]
        late = moment.received - moment.time > pipeline.config.late_after_seconds
        origin = Origin(
            patient_id, self._config.config_hash, patient.quality, patient.synthetic, late
        )
        known = [(row, patient.memories[name]) for name, row in pipeline.detectors.items()]
        if patient.past is not None:
            gaps.note_closed(patient.past, steps)
        return [event(step, moment, origin, known) for step in steps]

    def _set_deadline(self, patient_id: str, patient: Patient, now: float) -> None:
        config = self._of[patient_id].config
        if patient.held or patient.lane is not None or missing_data.KIND in patient.watches:
            due = deadlines.due(config, patient)
        else:  # of almost everyone, at each reading
            due = missing_data.deadline(config.silence, patient.hearing)
        self._timers.set(patient_id, due, now)

    def _forgive_absence(self, gap_seconds: float, now: float) -> None:
        """After a gap in the clock itself, count everyone's silence afresh, where it is counted."""
        if gap_seconds <= self._config.everyone.silence.clock_gap_seconds:
            return
        for patient_id, patient in self._patients.items():
            if deadlines.silence_due(self._of[patient_id].config, patient) == missing_data.NEVER:
                continue
            patient.hearing.quiet_from = max(patient.hearing.quiet_from, now)
            self._set_deadline(patient_id, patient, now)
            self._changed.add(patient_id)
