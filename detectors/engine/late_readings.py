"""Late data: what late readings show, apart from everything that is going on.

A device that was out of reach sends what is new first and its buffer afterwards. By then the
baseline has learned, episodes have begun or ended, silence was announced. None of that is touched:
late readings that fill a gap (:mod:`detectors.late_data.gaps`) are judged here, in their own event
time, by the physically possible range and the absolute limits in force, with the same delays and
hysteresis. What they show is a retrospective event, which pages nobody, unless it is no older than
15 minutes: order alone makes nothing history. Where an episode of the kind was announced in its
time, there is nothing to add.

A device may send its buffer in any order, as an app that sends the newest hour first. So late
readings wait, in the state, and are judged in order of time once none came for ``idle_seconds`` of
receive time, the first has waited for ``wait_seconds``, or ``most_waiting`` of them are there.

What is then open ends (``late_end``) at its last reading where a reading that was judged before
lies between it and the next, and at the last of them; unless it adjoins what goes on: where the run
of a kind that goes on began with the reading behind the gap, the late readings are the beginning of
that run, and what they opened goes on with it (:mod:`detectors.engine.joining`). Where readings
that were judged behind the gap are remembered (:mod:`detectors.late_data.judged`), all are judged
in order of time, and what they show up to the newest reading is what goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from msgspec.structs import replace

from detectors.admission.held_readings import group_of
from detectors.admission.repeated_pressure import RepeatedPressure
from detectors.admission.rules import Admission, possible
from detectors.admission.same_time import MOST
from detectors.admission.tracks import Number, number_of
from detectors.configuration.patient import PatientConfig
from detectors.context import activity
from detectors.context.activity import ContextMemory
from detectors.contract import BETWEEN, BEYOND, Detector, Finding, Moment, Stance
from detectors.engine.joining import Joining, late_step
from detectors.engine.missing_data import record_reading
from detectors.engine.state import PatientState
from detectors.episodes import grouping
from detectors.episodes.memory import EpisodeMemory, PatientEpisodes
from detectors.episodes.tracker import Episodes, Step
from detectors.late_data import gaps, judged
from detectors.late_data.judged import Chain
from detectors.late_data.memory import JudgedReading, LateData, LateReading, in_time
from detectors.late_data.passage import LateStep, Passage
from detectors.limits.combination import absolute_limits
from vigil.domain.figures import is_same
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Context, Measurement, Upload

ENDED = "late_end"
"""The reason of an end that no reading showed: no more late ones followed."""
QUALITY_SHARE = 0.02
"""Weight of the newest reading in the running share of what could be judged."""


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
        self._late_after_seconds = config.late_after_seconds
        self._admission = Admission(config.admission)
        self._episodes = episodes
        self._rules = rules
        self._limits = absolute_limits(detectors)
        self._joining = Joining(config, episodes, self._limits)

    def fill(
        self, state: PatientState, upload: Upload, measurement: Measurement, now: float
    ) -> list[LateStep] | None:
        """Take what of a late reading fills a gap; None: nothing does, and nothing changed.

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
        late = state.late
        values, until = found.values, found.until
        if late is not None:
            _add_same_time(late.waiting, measurement.values, time, values, until)
        if not values:
            return None
        state.past = found.past
        if found.nearest:
            record_reading(state.last_seen, found.nearest)
        if late is None:
            late = state.late = LateData({}, {})
        late.received, late.synthetic = max(late.received, now), upload.synthetic
        late.since = late.since or late.received
        number = number_of(upload.device_id, measurement)
        late.waiting.append(LateReading(time, received, values, until, measurement.context, number))
        if len(late.waiting) < self._settings.most_waiting:
            return []
        steps = self.judge(state)
        state.past = gaps.tidied(state.past, state.known, self._settings)
        return steps

    def deadline(self, late: LateData) -> float:
        """Receive time from which on the late readings that wait are judged."""
        settings = self._settings
        fresh = bool(late.waiting) and not late.history
        fresh = fresh and all(
            row.received - row.time <= self._late_after_seconds for row in late.waiting
        )
        idle = late.received + (settings.fresh_seconds if fresh else settings.idle_seconds)
        begun = late.since or late.episodes  # some are open in a state of before
        return min(idle, late.since + settings.wait_seconds) if begun else idle

    def finish(self, state: PatientState) -> list[LateStep]:
        """Judge what waits: no more late readings are expected, or they have waited for long."""
        if state.late is None:
            return []
        steps = self.judge(state)
        state.late = None
        state.past = gaps.tidied(state.past, state.known, self._settings)
        return steps

    def judge(self, state: PatientState) -> list[LateStep]:
        """Judge the late readings that wait, in order of time, and end what they show."""
        late = state.late
        if late is None:
            return []
        waiting, late.waiting, late.since = sorted(late.waiting, key=in_time), [], 0.0
        received = max((row.received for row in waiting), default=late.received)
        passage = Passage([], received, {}, Chain(state.past, state.first), {})
        pressures = RepeatedPressure(self._admission)
        late.until.clear()
        readings: list[LateReading | JudgedReading] = [*waiting, *_judged_after(state, waiting)]
        for reading in sorted(readings, key=in_time):
            if isinstance(reading, JudgedReading):
                values = self._proceed(state, late, reading, passage)
                if not values:
                    continue
            else:
                self._enter(state, late, reading, passage)
                values = reading.values
            moment = self._moment(
                late,
                reading.context,
                values=pressures.without(values, reading.time, reading.number),
                time=reading.time,
                received=reading.received,
            )
            passage.steps += self._judge(state, late, moment, passage)
        self._leave(state, late, set(late.until), passage)
        late.until.clear()
        grouping.free_parts(late.episodes)
        grouping.free_parts(state.episodes.by_kind)
        judged.add_late(state.past, state.first, waiting)
        closed = [row.step for row in passage.steps if row.step.phase == "closed"]
        state.past = gaps.remember_closed(state.past, state.first, closed)
        for step in closed:
            self._joining.part(state, step)
        return passage.steps

    def remember_judged(
        self,
        state: PatientState,
        measurement: Measurement,
        values: Mapping[str, float],
        received: float,
        number: Number | None,
    ) -> None:
        """Remember what is judged behind a gap, as long as late readings may be a part of it."""
        past, seconds = state.past, self._settings.wait_seconds
        if past is None:
            return
        if past.collecting and values:
            time, context = measurement.time.timestamp(), measurement.context
            row = LateReading(time, received, dict(values), {}, context, number)
            kinds = self._kinds(row, {BEYOND, BETWEEN})
            lasts = {group_of(signal) for kind in kinds for signal in KINDS[kind].signals}
            calm = {group_of(name) for name in values} - lasts
            judged.remember(past, state.first, row, calm, seconds)
        else:
            judged.forget_old(past, received, seconds)
            state.past = gaps.kept(past)

    def _kinds(self, row: LateReading | JudgedReading, stances: Collection[Stance]) -> set[str]:
        """The kinds of which a reading is so against a limit."""
        activity, values = row.context.activity, possible(row.values)
        moment = Moment(row.time, row.received, values, activity=activity, period="")
        return {
            finding.rule.kind
            for detector in self._limits
            for finding in detector.examine(moment, None)
            if finding.stance in stances
        }

    def _enter(
        self, state: PatientState, late: LateData, reading: LateReading, passage: Passage
    ) -> None:
        """Go to the next reading; what is open on signals that were judged in between ends, and
        what was on its way where the gap began goes on."""
        chain, time = passage.chain, reading.time
        left = {
            group
            for group in reading.until
            if late.until.get(group, time) < time and not chain.adjoins(group, time, {})
        }
        if left:
            self._leave(state, late, left, passage)
        for kind in [kind for kind in passage.late_only if _is_of(kind, reading.until)]:
            del passage.late_only[kind]
        chain.at.update(dict.fromkeys(reading.until, time))
        entered = {group for group in reading.until if group in left or group not in late.until}
        late.until.update(reading.until)
        if state.past is not None and state.past.pending and entered:
            for kind, episode in gaps.take_pending(state.past, entered, reading.time):
                if kind not in late.episodes:
                    passage.pending[kind] = episode
                    late.episodes[kind] = gaps.copied(episode)

    def _leave(
        self, state: PatientState, late: LateData, groups: set[str], passage: Passage
    ) -> None:
        """Leave the gaps of some signals: what is open goes on behind them, or ends."""
        for kind in sorted({*passage.pending, *late.episodes}):
            if _is_of(kind, groups):
                self._leave_kind(state, late, kind, passage)

    def _leave_kind(self, state: PatientState, late: LateData, kind: str, passage: Passage) -> None:
        """Let what is open, or on its way, go on behind the gap, or end."""
        joining, before = self._joining, passage.pending.pop(kind, None)
        if joining.take_over(state, late, kind, passage.chain, began=before is not None):
            return
        episode = late.episodes.get(kind)
        if kind in passage.late_only and episode is not None and not episode.open:
            alone = passage.late_only[kind]
            if alone is None:
                del late.episodes[kind]
            elif not alone.open:  # else a reading has ended it
                late.episodes[kind] = alone
        if before is not None:
            joining.cut(state, late, kind, before=before)
        if kind not in late.episodes:
            return
        past = late.episodes[kind]
        joined = joining.go_on(state, late, kind, passage.received)
        if joined is None:
            joined = joining.join(state, late, kind, passage.received)
        if joined and joined[0].step.change == "earlier":
            passage.forget_earlier(kind, past.named_by)
        passage.steps += (
            self._end(state, late, kind, passage.received) if joined is None else joined
        )

    def _proceed(
        self, state: PatientState, late: LateData, row: JudgedReading, passage: Passage
    ) -> dict[str, float]:
        """Go on to a reading that was judged behind the late ones; return what of it follows them.

        An episode that was announced in its time is not judged again: what the late readings show
        up to it ends there, or is its beginning.
        """
        chain, time = passage.chain, row.time
        groups = {group for group in row.before if chain.adjoins(group, time, row.before)}
        near, beyond = gaps.least(state.known, self._settings), self._kinds(row, {BEYOND})
        for kind in sorted(late.episodes):
            if not _is_of(kind, groups):
                continue
            far = time - late.episodes[kind].last > near and kind not in beyond
            if far or gaps.covers(state.past, state.episodes.by_kind, kind=kind, time=time):
                until = dict(late.until)
                late.until.update(dict.fromkeys(groups, time))
                self._leave_kind(state, late, kind, passage)
                late.until.clear()
                late.until.update(until)
            elif kind not in passage.late_only:
                passage.late_only[kind] = gaps.copied(late.episodes[kind])
        for kind in beyond.difference(late.episodes):
            passage.late_only.setdefault(kind, None)
        chain.at.update(dict.fromkeys(groups, time))
        held = {name for name, other in state.held.items() if other.time == time}
        return {
            name: value
            for name, value in row.values.items()
            if group_of(name) in groups and group_of(name) not in held
        }

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
            pace=here.pace,
        )

    def _judge(
        self, state: PatientState, late: LateData, moment: Moment, passage: Passage
    ) -> list[LateStep]:
        """Hold the absolute limits against a moment, but for episodes announced in their time."""
        current, found = state.episodes.by_kind, list[Finding]()
        for detector in self._limits:
            for finding in detector.examine(moment, None):
                if not gaps.covers(state.past, current, kind=finding.rule.kind, time=moment.time):
                    found.append(finding)
        if not found:
            return []
        grouping.free_parts(late.episodes)
        episodes = PatientEpisodes(late.episodes, {})
        steps = self._episodes.retire(episodes, self._rules, moment)
        steps += self._episodes.take_findings(episodes, found, moment)
        return [
            self._late_step(state, step, moment, late.episodes.get(step.kind))
            for step in steps
            if not self._is_part(step, state, passage, moment.time)
        ]

    def _late_step(
        self, state: PatientState, step: Step, moment: Moment, episode: EpisodeMemory | None
    ) -> LateStep:
        """A step of late readings. It is history too where what is newer by so much was judged
        before, as of a message that was set aside and is sent again: its readings were received in
        time."""
        row = late_step(step, moment, episode, self._late_after_seconds)
        groups = {group_of(signal) for signal in KINDS[row.step.kind].signals}
        newest = max(gaps.last_of(state.newest, group) for group in groups)
        overtaken = newest - row.moment.time > self._late_after_seconds
        return replace(row, retrospective=True) if overtaken else row

    def _is_part(self, step: Step, state: PatientState, passage: Passage, time: float) -> bool:
        """Whether what opens is a part of an episode that was announced in its time: it does not
        open by itself."""
        late, current = state.late, state.episodes.by_kind
        if step.phase != "opened" or late is None:
            return False
        if not passage.is_part(step, state.past, current, time):
            return False
        late.episodes[step.kind].sequence = -1
        return True

    def _end(
        self, state: PatientState, late: LateData, kind: str, received: float
    ) -> list[LateStep]:
        episode = late.episodes.pop(kind)
        here = activity.context_at(self._context, late.context, episode.last)
        moment = Moment(
            time=episode.last,
            received=received,
            values={},
            activity=here.activity,
            period=here.period,
        )
        steps = self._episodes.end(PatientEpisodes({kind: episode}, {}), moment, ENDED)
        return [self._late_step(state, step, moment, None) for step in steps]


def _judged_after(state: PatientState, waiting: list[LateReading]) -> list[JudgedReading]:
    """The readings that were judged and that late ones may come before."""
    past = state.past
    if past is None or not waiting:
        return []
    return [row for row in past.judged if row.time > waiting[0].time]


def _is_of(kind: str, groups: Collection[str]) -> bool:
    """Whether a kind is of one of some signals, or of the pressure."""
    return any(group_of(signal) in groups for signal in KINDS[kind].signals)


def _differs(values: Mapping[str, float], name: str, value: float) -> bool:
    return name not in values or not is_same(name, values[name], value)


def _add_same_time(
    waiting: Iterable[LateReading],
    sent: Mapping[str, float],
    time: float,
    values: dict[str, float],
    until: dict[str, float],
) -> None:
    """Add to ``values`` what differs from readings that wait and were measured at the same time."""
    alike = [reading for reading in waiting if reading.time == time]
    for group in {group_of(name): None for name in sent}:
        rows = [reading for reading in alike if group in reading.until]
        offered = {name: value for name, value in sent.items() if group_of(name) == group}
        if not rows or len(rows) >= MOST or group in until:
            continue
        if all(any(_differs(row.values, n, v) for n, v in offered.items()) for row in rows):
            values.update(offered)
            until[group] = rows[0].until[group]
