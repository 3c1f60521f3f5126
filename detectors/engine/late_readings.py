"""Late data: what late readings show, apart from everything that is going on.

A device that was out of reach sends what is new first and its buffer afterwards. By then the
baseline has learned, episodes have begun or ended, silence was announced. None of that is touched:
late readings that fill a gap (:mod:`detectors.engine.gaps`) are judged here, in their own event
time, by the physically possible range and the absolute limits in force, with the same delays and
hysteresis. What they show is a retrospective event, which pages nobody; where an episode of the
kind was announced in its time, there is nothing to add.

Late readings are judged forward through one gap at a time. What is open ends (``late_end``) at its
last reading where the next reading is in another gap, where a reading comes from further back, and
where none came for ``idle_seconds`` of receive time. Nothing is grouped: each kind stands for
itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct

from detectors.admission.held_readings import group_of
from detectors.admission.rules import possible
from detectors.configuration.patient import PatientConfig
from detectors.context import activity
from detectors.context.activity import ContextMemory
from detectors.contract import Detector, Finding, Moment
from detectors.engine import gaps
from detectors.engine.state import LateData, PatientState
from detectors.episodes.memory import PatientEpisodes
from detectors.episodes.tracker import Episodes, Step
from detectors.limits.combination import Combination
from detectors.limits.detector import Limits
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Context, Measurement, Upload

ENDED = "late_end"
"""The reason of an end that no reading showed: no more late ones followed."""
QUALITY_SHARE = 0.02
"""Weight of the newest reading in the running share of what could be judged."""


class LateStep(Struct, frozen=True, gc=False):
    """A step of a retrospective episode, and the moment that it became known by."""

    step: Step
    moment: Moment


class LateReadings:
    """Judges the late readings of one configuration's patients; a patient's state is passed in."""

    def __init__(
        self,
        config: PatientConfig,
        episodes: Episodes,
        rules: frozenset[str],
        detectors: Mapping[str, Detector],
    ):
        self._context = config.context
        self._settings = config.late
        self._episodes = episodes
        self._rules = rules
        self._limits = [
            detectors[name] for name in (Limits.name, Combination.name) if name in detectors
        ]

    def fill(
        self, state: PatientState, upload: Upload, measurement: Measurement, now: float
    ) -> list[LateStep] | None:
        """Judge what of a late reading fills a gap; None: nothing does, and nothing changed.

        Args:
            now: receive time, as far as the clock has come.
        """
        if not self._settings.enabled or not state.first:
            return None
        time, received = measurement.time.timestamp(), upload.received_at.timestamp()
        found = gaps.fill(
            state.past,
            state.known,
            measurement.values,
            time=time,
            received=received,
            settings=self._settings,
        )
        if not found.values:
            return None
        state.past = found.past
        late = state.late = state.late or LateData({}, {})
        steps = self._enter(late, found.until)
        late.received, late.synthetic = max(late.received, now), upload.synthetic
        moment = self._moment(
            late, measurement.context, values=found.values, time=time, received=received
        )
        return steps + self._judge(state, late, moment)

    def finish(self, state: PatientState) -> list[LateStep]:
        """End what late readings showed: no more of them are expected."""
        if state.late is None:
            return []
        steps = self._end(state.late, sorted(state.late.episodes))
        state.late = None
        state.past = gaps.tidied(state.past, state.known, self._settings)
        return steps

    def _enter(self, late: LateData, until: Mapping[str, float]) -> list[LateStep]:
        """Go where the next reading is; what is open on the signals of another gap ends there."""
        left = {group for group, end in until.items() if late.until.get(group, end) != end}
        late.until.update(until)
        touched = [
            kind
            for kind in sorted(late.episodes)
            if not left.isdisjoint(group_of(signal) for signal in KINDS[kind].signals)
        ]
        return self._end(late, touched)

    def _moment(
        self,
        late: LateData,
        context: Context,
        values: Mapping[str, float],
        time: float,
        received: float,
    ) -> Moment:
        """What of a late reading is physically possible, in the context of its own time."""
        if time < late.context.time or time < late.context.quiet_time:
            late.context = ContextMemory()
        activity.take_context(self._context, late.context, time=time, context=context)
        good = {} if context.contact is False else possible(values)
        late.quality += QUALITY_SHARE * (float(len(good) == len(values)) - late.quality)
        if "heart_rate" in good:
            activity.take_heart_rate(
                self._context, late.context, time=time, rate=good["heart_rate"]
            )
        here = activity.context_at(self._context, late.context, time)
        return Moment(
            time=time,
            received=received,
            values=good,
            activity=here.activity,
            period=here.period,
            steps_per_min=context.steps_per_min,
            contact=context.contact,
            watched=tuple(late.episodes),
            scores={},
            context_source=here.source,
        )

    def _judge(self, state: PatientState, late: LateData, moment: Moment) -> list[LateStep]:
        """Hold the absolute limits against a moment, but for episodes announced in their time."""
        found: dict[str, list[Finding]] = {}
        for detector in self._limits:
            for finding in detector.examine(moment, None):
                kind = finding.rule.kind
                if not gaps.covers(state.past, state.episodes.by_kind, kind=kind, time=moment.time):
                    found.setdefault(kind, []).append(finding)
        steps: list[LateStep] = []
        for kind in sorted(found):
            steps += self._take_findings(late, kind, findings=found[kind], moment=moment)
        return steps

    def _take_findings(
        self, late: LateData, kind: str, findings: list[Finding], moment: Moment
    ) -> list[LateStep]:
        episode = late.episodes.pop(kind, None)
        episodes = PatientEpisodes({} if episode is None else {kind: episode}, {})
        steps = self._episodes.retire(episodes, self._rules, moment)
        steps += self._episodes.take_findings(episodes, findings, moment)
        late.episodes.update(episodes.by_kind)
        return [LateStep(step, moment) for step in steps]

    def _end(self, late: LateData, kinds: Iterable[str]) -> list[LateStep]:
        rows: list[LateStep] = []
        for kind in kinds:
            episode = late.episodes.pop(kind)
            here = activity.context_at(self._context, late.context, episode.last)
            moment = Moment(
                time=episode.last,
                received=late.received,
                values={},
                activity=here.activity,
                period=here.period,
            )
            steps = self._episodes.end(PatientEpisodes({kind: episode}, {}), moment, ENDED)
            rows += [LateStep(step, moment) for step in steps]
        return rows
