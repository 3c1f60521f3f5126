"""The engine: uploads in, events out. Pure: no clock, no broker, no database.

The same log gives the same events, byte for byte, in whatever batches it comes and across any
:meth:`Engine.state_of` / :meth:`Engine.load_state` in between. A reading is taken once: of each
signal only what is newer than the newest taken is judged, so that a log that is read twice changes
nothing the second time.
"""

from __future__ import annotations

from collections.abc import Iterable, KeysView
from datetime import datetime

from detectors.configuration.loading import DetectionConfig
from detectors.contract import NEVER
from detectors.engine import future_state, state
from detectors.engine.announcer import Shared
from detectors.engine.monitor import PatientMonitor
from detectors.engine.pipeline import Pipeline
from vigil.domain.episode import Event
from vigil.domain.reading import Tick, Upload, Withdrawal


class Engine:
    """Detects for the patients of one log: of one partition, or of one recording.

    It finds the monitor of a patient, hands it the upload or the tick, and collects the events.
    """

    def __init__(self, config: DetectionConfig):
        self._config = config
        self._pipelines: dict[int, Pipeline] = {}
        self._pipeline_of: dict[str, Pipeline] = {}
        self._monitors: dict[str, PatientMonitor] = {}
        self._shared = Shared()
        self._watermark: datetime | None = None

    @property
    def watermark(self) -> datetime | None:
        """The last tick: up to here silence was judged. Saved with the offset, and set again."""
        return self._watermark

    @watermark.setter
    def watermark(self, received: datetime | None) -> None:
        self._watermark = received
        self._shared.clock = -NEVER if received is None else received.timestamp()

    def take(self, message: object) -> list[Event]:
        """Take any message of the log; return the events that it causes, in order."""
        kind = type(message)
        if kind is Upload:  # as nearly all are
            return self.process(message)  # type: ignore[arg-type]
        if kind is Tick:
            return self.tick(message.time)  # type: ignore[attr-defined]
        return self.withdraw(message) if kind is Withdrawal else []  # type: ignore[arg-type]

    def process(self, upload: Upload) -> list[Event]:
        """Take an upload; return the events it causes, in order."""
        monitor = self._monitors.get(upload.patient_id)
        if monitor is None:
            monitor = self._begin(upload.patient_id, upload.received_at.timestamp())
        return monitor.process(upload)

    def withdraw(self, withdrawal: Withdrawal) -> list[Event]:
        """Take readings back; return the steps of what rested on them, in order."""
        patient_id = withdrawal.patient_id
        monitor = self._monitors.get(patient_id)
        if monitor is None:
            monitor = self._begin(patient_id, withdrawal.time.timestamp())
        return monitor.withdraw(withdrawal)

    def tick(self, received: datetime) -> list[Event]:
        """Advance the clock; return the events of what has waited, or was silent, too long."""
        now, before = received.timestamp(), self._watermark
        if before is not None:
            if received <= before:
                return []
            self._restart_silence(now - before.timestamp(), now)
        self.watermark = received
        events: list[Event] = []
        for patient_id in self._shared.timers.due(now):
            events += self._monitors[patient_id].advance(now)
        return events

    def finish(self, until: datetime | None = None) -> list[Event]:
        """End a recording: judge the late readings that wait, as the next ticks would have.

        Nothing else is held back, since each step is announced by the reading or tick that made it
        known; and nothing is closed, since the end of the data means nothing for the patient. A
        recording thus gives offline exactly the events that it gives on the stream, which has no
        end.

        Args:
            until: only those that had waited long enough by this receive time; None: all.
        """
        limit = NEVER if until is None else until.timestamp()
        return [event for name in self.patients() for event in self._monitors[name].finish(limit)]

    def take_changed(self) -> set[str]:
        """The patients whose state changed since this was last called."""
        changed, self._shared.changed = self._shared.changed, set()
        return changed

    def take_unknown_values(self) -> int:
        """How many values were passed over since this was last called.

        Their signals are not in the signals table.
        """
        count, self._shared.unknown_values = self._shared.unknown_values, 0
        return count

    def state_of(self, patient_id: str) -> bytes:
        """A patient's state, to be saved."""
        return state.dump(self._monitors[patient_id].state, self._pipeline(patient_id).detectors)

    def load_state(
        self, patient_id: str, saved: bytes, now: datetime | None = None
    ) -> tuple[str, ...]:
        """Take over a saved state; return what of it could not be read and begins afresh.

        Args:
            now: times in the state that are more than a day later are removed; None: none is.

        Raises:
            WireError: the bytes are not a state of this version.
        """
        pipeline = self._pipeline(patient_id)
        loaded = state.load(saved, pipeline.detectors)
        lost = loaded.lost
        if now is not None:
            loaded = future_state.without_future(loaded, pipeline.detectors, now.timestamp())
        if loaded.lost != lost:
            self._shared.changed.add(patient_id)  # what was repaired is saved
        monitor = PatientMonitor(
            patient_id=patient_id, pipeline=pipeline, shared=self._shared, state=loaded
        )
        self._monitors[patient_id] = monitor
        monitor.set_deadline(self._shared.clock)
        return loaded.lost

    def idle(self, now_seconds: float) -> list[str]:
        """Who may leave memory, by id: patients for whom time alone changes nothing any more.

        They have no deadline (their silence was announced and they count as gone, or silence is not
        judged; nothing is held back) and sent nothing for ``silence.idle_after_seconds``. Once what
        changed is saved, ``forget`` them; ``load_state`` before their next reading makes it as if
        they had never left. Costs nothing where nobody is idle.

        Args:
            now_seconds: receive time, as of the last tick.
        """
        idle_after = self._config.everyone.silence.idle_after_seconds
        return self._shared.timers.resting(now_seconds - idle_after)

    def forget(self, patient_ids: Iterable[str]) -> None:
        """Drop patients. Unless their state is loaded first, a later reading begins afresh."""
        for patient_id in patient_ids:
            self._monitors.pop(patient_id, None)
            self._shared.timers.drop(patient_id)
            self._pipeline_of.pop(patient_id, None)
            self._shared.changed.discard(patient_id)

    @property
    def known(self) -> KeysView[str]:
        """Who is in memory, as it changes."""
        return self._monitors.keys()

    def patients(self) -> list[str]:
        """Who is in memory, in order of id."""
        return sorted(self._monitors)

    def _begin(self, patient_id: str, received: float) -> PatientMonitor:
        """A monitor for a patient who never sent anything."""
        monitor = PatientMonitor(patient_id, self._pipeline(patient_id), self._shared)
        self._monitors[patient_id] = monitor
        monitor.set_deadline(received)
        return monitor

    def _pipeline(self, patient_id: str) -> Pipeline:
        pipeline = self._pipeline_of.get(patient_id)
        if pipeline is None:
            config = self._config.config_for(patient_id)
            pipeline = self._pipelines.get(id(config))
            if pipeline is None:
                pipeline = Pipeline(config, self._config.config_hash)
                self._pipelines[id(config)] = pipeline
            self._pipeline_of[patient_id] = pipeline
        return pipeline

    def _restart_silence(self, gap_seconds: float, now: float) -> None:
        """After a gap in the clock itself, count everyone's silence afresh."""
        if gap_seconds > self._config.everyone.silence.clock_gap_seconds:
            for monitor in self._monitors.values():
                monitor.restart_silence(now)
