"""The monitor of one patient: their readings and the clock in, events out.

It owns the patient's id, their state (memories, episodes, what is held back, late data) and their
deadline, and works through the pipeline of the configuration that holds for them. A reading is
taken once: of each signal only what is newer than the newest taken is judged. What comes later than
that is late data (:mod:`detectors.engine.late_readings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from detectors.admission import held_readings
from detectors.admission.held_readings import Held
from detectors.admission.rules import CLOCK, PRESSURE, PULSE, possible
from detectors.admission.sources import Chosen
from detectors.admission.tracks import number_of
from detectors.context import activity
from detectors.contract import NEVER, Finding, Moment
from detectors.engine import intake, missing_data
from detectors.engine.announcer import PatientAnnouncer
from detectors.episodes.memory import open_episodes
from detectors.episodes.tracker import Step
from detectors.late_data import history
from detectors.late_data.memory import LateData
from detectors.withdrawal.forgetting import forget_waiting
from vigil.domain.episode import Event
from vigil.domain.reading import NO_CONTEXT, Measurement, Upload, Withdrawal

_all_known = intake.KNOWN.issuperset


class PatientMonitor(PatientAnnouncer):
    """Judges one patient.

    Args:
        patient_id: whose monitor it is.
        pipeline: of the configuration that holds for them.
        shared: of the engine.
        state: as it was saved; None: nothing was ever received.
    """

    __slots__ = ()

    def process(self, upload: Upload) -> list[Event]:
        """Take an upload; return the events it causes, in order."""
        measurements = upload.measurements
        if len(measurements) > 1:
            measurements = intake.in_order(measurements)
        state, received = self.state, upload.received_at.timestamp()
        oldest = newest = measurements[-1].time.timestamp() if measurements else received
        events = self._settle_clocks(received) if state.devices.clocks.by_device else []
        events += self._judge_clock(upload, newest, received)
        measurements = self._corrected(upload, measurements)
        if state.late is not None:
            events += self.finish(received)
        if measurements and (self._shift or len(measurements) > 1):
            oldest = measurements[0].time.timestamp()
        taken: Iterable[Measurement] = measurements
        if received - oldest > self._pipeline.config.late_after_seconds:
            taken = self._without_waiting(upload, measurements, received, events)
        self._take(upload, taken, received, events)
        return events

    def _take(
        self, upload: Upload, taken: Iterable[Measurement], received: float, events: list[Event]
    ) -> None:
        """Judge measurements in order of time, and append what that causes to ``events``."""
        state, stage = self.state, self._pipeline.intake
        new = self._waited  # that something new came was known when it came
        for sent in taken:
            measurement = sent if _all_known(sent.values) else self._without_unknown(sent)
            if not measurement.values and measurement.context == NO_CONTEXT:
                continue  # it holds nothing: whoever sends only that is silent
            if len(measurement.values) > 1:
                measurement = intake.sorted_by_name(measurement)
            time = measurement.time.timestamp()
            if fault := stage.admission.clock_fault(time, received):
                events += self._report_clock(received, fault)
                continue
            offered: Mapping[str, float] = measurement.values
            findings: list[Finding] = []
            if upload.device_id != state.devices.only:
                chosen = self._choose(upload.device_id, measurement, time, received)
                offered, findings = chosen.values, chosen.findings
                if measurement.values and not offered:
                    events += self._overlook(upload, measurement, findings)
                    continue
            if state.late is not None and stage.ends_waiting(state, offered, time):
                events += self._judge_waiting(state.late)
            number = number_of(upload.device_id, measurement)
            values = stage.take_newer(state, offered, time, number)
            if values is not measurement.values:
                events += self._judge_late(upload, measurement)
                if values is None:
                    continue
            asked = number is not None or PULSE not in values  # almost no reading
            if asked and values and stage.is_sent_again(state, values, time, number):
                self._shared.changed.add(self.patient_id)  # that it was sent again is remembered
            elif not new:
                new, state.synthetic = True, upload.synthetic
                events += self._end_silence(received)
            events += self._judge_reading(measurement, values, time, received, findings)

    def withdraw(self, withdrawal: Withdrawal) -> list[Event]:
        """Take readings back; return the steps of what rested on them, in order."""
        self._shared.changed.add(self.patient_id)
        events: list[Event] = []
        if self.state.late is not None:
            forget_waiting(self.state.late, withdrawal)
            events += self._judge_history()
        events += self._pipeline.withdrawals.apply(self.patient_id, self.state, withdrawal)
        self.set_deadline(max(withdrawal.time.timestamp(), self._shared.clock))
        return events

    def _without_unknown(self, measurement: Measurement) -> Measurement:
        self._shared.unknown_values += len(measurement.values.keys() - intake.KNOWN)
        return intake.without_unknown(measurement)

    def advance(self, now: float) -> list[Event]:
        """Judge what has been held back for too long, and silence that has lasted too long."""
        self._shared.changed.add(self.patient_id)
        state, config, events = self.state, self._pipeline.config, list[Event]()
        self._sender, self._shift = "", self._pipeline.intake.clocks.ahead(state.devices.clocks)
        waits = config.admission.confirm_seconds, config.sources.takeover_seconds
        for row in held_readings.take_overdue(state.held, *waits, now):
            self._pipeline.intake.mark_taken(state, row)
            moment = held_readings.moment_of(row, now, state.episodes.by_kind)
            events += self._judge(moment, [])
        if self._silence_deadline() <= now:
            events += self._announce_silence(now)
        if self._pipeline.episodes.deadline(state.episodes) < now:
            events += self._end_unobserved(now)
        if state.devices.clocks.by_device:
            events += self._settle_clocks(now)
        events += self.finish(now)
        self.set_deadline(now)
        return events

    def finish(self, until: float = NEVER) -> list[Event]:
        """Judge the late readings that wait, if they wait no longer than to a receive time."""
        late = self.state.late
        if late is None or self._pipeline.late.deadline(late) > until:
            return []
        self._shared.changed.add(self.patient_id)
        events = self._judge_history()
        events += self._retrospective(late, self._pipeline.late.finish(self.state))
        return events + self._average_again(late)

    def restart_silence(self, now: float) -> None:
        """Count silence, and how long open episodes are unobserved, from ``now``: the clock itself
        had a gap."""
        opened = [episode for _, episode in open_episodes(self.state.episodes.by_kind)]
        for episode in opened:
            episode.received = max(episode.last_received, now)
        if self._silence_deadline() != NEVER:
            last_seen = self.state.last_seen
            last_seen.silent_from = max(last_seen.silent_from, now)
        elif not opened:
            return
        self.set_deadline(now)
        self._shared.changed.add(self.patient_id)

    def _end_unobserved(self, now: float) -> list[Event]:
        """Nothing was measured for longer than an open episode may bridge."""
        moment = self._moment_between(now)
        return self._events(self._pipeline.episodes.expire(self.state.episodes, moment), moment)

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
        measurement: Measurement,
        values: Mapping[str, float],
        time: float,
        received: float,
        findings: list[Finding],
    ) -> list[Event]:
        """Judge what is new of a reading. ``findings``: of comparing devices."""
        state, stage, events = self.state, self._pipeline.intake, list[Event]()
        if CLOCK in state.episodes.by_kind and not stage.clocks.is_wrong_elsewhere(
            state.devices.clocks, self._sender
        ):
            events += self._take_technical([stage.admission.clock("")], received)
        further: Held | None = None
        number = number_of(self._sender, measurement)
        if state.held and "systolic" in values:
            further = stage.compare_devices(state, values, time, number)
        moment, admitted = stage.admit(state, measurement.context, values, time, received, number)
        past, late = state.past, self._pipeline.config.late
        if past is not None and (
            past.collecting
            or (past.judged and received - past.judged[0].received > late.wait_seconds)
        ):
            self._pipeline.late.remember_judged(state, measurement, values, received, number)
        for signal in admitted.flat:
            since = state.tracks[signal].since
            held_readings.drop_flat_line(state.episodes, signal, since)
        if state.held or admitted.held:
            sure, dropped = held_readings.settle(state.held, admitted, further)
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
        if state.devices.clocks.by_device:
            moment = replace(moment, offset=self._offset(moment))
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
            now = max(moment.received, self._shared.clock)
            steps += pipeline.episodes.take_findings(state.episodes, findings, moment, now)
        events = self._events(steps, moment) if steps else []
        if judges.learn:
            frozen: frozenset[str] | tuple[str, ...] = ()
            if state.episodes.by_kind:
                frozen = pipeline.intake.frozen_signals(state, moment.time)
            for name, learn in judges.learn:
                learn(moment, memories[name], frozen)
        return events

    def _choose(
        self, device: str, measurement: Measurement, time: float, received: float
    ) -> Chosen:
        """What is taken of a reading of one of several devices."""
        chosen = self._pipeline.intake.choose_device(
            self.state, device, measurement, time=time, received=received
        )
        if self.state.held:  # it may wait for another's
            self._shared.changed.add(self.patient_id)
            self.set_deadline(received)
        return chosen

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

    def _is_history(self, lateness: float) -> bool:
        """Whether a reading that is so late is that, and not of a clock that is off."""
        clocks = self.state.devices.clocks
        if clocks.by_device:
            lateness -= self._pipeline.intake.clocks.offset_of(clocks, self._sender, lateness)
        return lateness > self._pipeline.config.late_after_seconds

    def _without_waiting(
        self,
        upload: Upload,
        measurements: Iterable[Measurement],
        received: float,
        events: list[Event],
    ) -> Iterator[Measurement]:
        """Those to judge now, one by one. What of the others is history waits for what may come
        before it: each is history by itself, in whatever upload it comes."""
        state, stage = self.state, self._pipeline.intake
        fresh = self._pipeline.config.late_after_seconds
        for sent in measurements:
            time = sent.time.timestamp()
            if received - time <= fresh and not state.devices.clocks.by_device:
                yield sent
                continue
            measurement = sent if _all_known(sent.values) else self._without_unknown(sent)
            if (
                not stage.has_to_wait(state, measurement, time)
                or stage.admission.clock_fault(time, received)
                or not self._is_history(received - time)
            ):
                yield measurement
                continue
            now = max(received, self._shared.clock)
            late = history.wait(
                state.late, upload, measurement, time=time, now=now, shift=self._shift
            )
            if late is not None:
                state.late = late
                events += self._end_silence(received)
                if len(late.history) >= self._pipeline.config.late.most_waiting:
                    events += self._judge_history()

    def _judge_waiting(self, late: LateData) -> list[Event]:
        """Judge the late data that wait, before a newer reading is."""
        self._shared.changed.add(self.patient_id)
        events = self._judge_history()
        events += self._retrospective(late, self._pipeline.late.judge(self.state))
        return events + self._average_again(late)

    def _judge_history(self) -> list[Event]:
        """Judge the history that waits, as if it had come in order of time."""
        late, events = self.state.late, list[Event]()
        if late is None or not late.history:
            return events
        sender, shift = self._sender, self._shift
        self._waited = True
        for row in history.take(late):
            self._sender, self._shift, self.state.synthetic = row.device, row.shift, row.synthetic
            upload = history.as_upload(row, self.patient_id)
            self._take(upload, upload.measurements, row.received, events)
        self._sender, self._shift, self._waited = sender, shift, False
        if not (late.waiting or late.episodes):
            self.state.late = None
        self._shared.changed.add(self.patient_id)
        self.set_deadline(max(late.received, self._shared.clock))
        return events

    def _judge_late(self, upload: Upload, measurement: Measurement) -> list[Event]:
        """Judge a reading that came after newer ones, where nothing was judged yet."""
        received = upload.received_at.timestamp()
        now = max(received, self._shared.clock)
        steps = self._pipeline.late.fill(self.state, upload, measurement=measurement, now=now)
        if steps is None or self.state.late is None:
            return []
        self._average_late(self.state.late, measurement, received)
        events = self._confirm_behind(self.state.late, received) if self.state.held else []
        self._shared.changed.add(self.patient_id)
        self.set_deadline(now)
        return events + self._retrospective(self.state.late, steps)

    def _average_late(self, late: LateData, measurement: Measurement, received: float) -> None:
        """Add a late pressure to its day, unless it is one that waits, sent again."""
        days, values = self._pipeline.pressure_days, possible(measurement.values)
        if "systolic" not in values or measurement.context.contact is False or not days.signals:
            return
        time, config = measurement.time.timestamp(), self._pipeline.config
        pressure = {name: values[name] for name in PRESSURE if name in values}
        again = [
            row
            for row in late.waiting
            if row.time != time
            and abs(row.time - time) <= config.admission.repeat_seconds
            and pressure.items() <= row.values.items()
        ]
        if not again:
            state = self.state
            here = activity.context_of(config.context, state.context, time, measurement.context)
            moment = Moment(
                time=time,
                received=received,
                values=pressure,
                activity=here.activity,
                period=here.period,
                context_source=here.source,
            )
            days.learn_late(moment, state.memories[days.name])

    def _average_again(self, late: LateData) -> list[Event]:
        """Judge the days before the newest pressure again, to which late ones were added."""
        days, state = self._pipeline.pressure_days, self.state
        newest = state.newest.get("systolic")
        if newest is None or not days.signals:
            return []
        now = max(late.received, self._shared.clock)
        moment = replace(
            self._moment_between(newest), received=now, watched=tuple(state.episodes.by_kind)
        )
        found = days.examine_again(moment, state.memories[days.name])
        steps = self._pipeline.episodes.take_findings(state.episodes, found, moment)
        return self._events(steps, moment)

    def _confirm_behind(self, late: LateData, received: float) -> list[Event]:
        """Judge what is held back, and a reading before it that agrees with it but came later: the
        last of those that wait."""
        state, events = self.state, list[Event]()
        fresh = self._pipeline.config.late_after_seconds
        if not late.waiting or received - late.waiting[-1].time > fresh:
            return events
        rows = self._pipeline.intake.confirmed_behind(state, late.waiting[-1])
        if rows:
            del late.waiting[-1]
        for row in rows:
            moment = held_readings.moment_of(row, rows[-1].time, state.episodes.by_kind)
            events += self._judge(moment, [])
        return events
