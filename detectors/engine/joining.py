"""Late readings that are the beginning of what goes on.

An app that sends the newest first sends the end of a fast hour before its beginning. What goes on
then holds a run that began with the reading behind the gap. Where late readings of the same rule
reach up to there, the two runs are one: it began where the late one did. What the late readings
opened goes on as the open episode; where only both together have lasted long enough, it opens then.
Where it is history when it becomes known, it pages nobody until a reading that is not late shows
that it lasts (:mod:`detectors.episodes.severity`).

What is open already, or has closed since, stays the episode that it is: its onset and its figures
are corrected, and a step of its own says so (``change`` is ``earlier``); a more urgent rule that
only both together have fulfilled for long enough raises it. Its id is made of what it
was opened with (``EpisodeMemory.first_onset``). What the late readings would have opened by
themselves is not announced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter, itemgetter

from msgspec.structs import replace

from detectors.admission.held_readings import group_of
from detectors.configuration.patient import PatientConfig
from detectors.context import activity
from detectors.contract import LONG_AGO, Detector, Finding, Moment
from detectors.engine.state import PatientState
from detectors.episodes.memory import EpisodeMemory, PatientEpisodes, Run
from detectors.episodes.severity import join_furthest
from detectors.episodes.tracker import Episodes, Step
from detectors.late_data import gaps
from detectors.late_data.gaps import Closed
from detectors.late_data.judged import Chain
from detectors.late_data.memory import LateData
from detectors.late_data.passage import LateStep
from vigil.domain.kinds import KINDS, PRIORITY_ORDER


def late_step(
    step: Step, moment: Moment, memory: EpisodeMemory | None, late_after_seconds: float
) -> LateStep:
    """A step of what late readings show. What is no older than ``late_after_seconds`` when it is
    received is no history, in whatever order it came, nor is what goes on and was seen as lately.

    Args:
        memory: the episode, as it goes on; None: it does not.
    """
    if step.phase != "opened":
        return LateStep(step, moment, step.episode.repeat_from == LONG_AGO)
    since = step.episode.onset if memory is None else step.episode.last
    history = moment.received - since > late_after_seconds
    if memory is not None and not history:
        memory.repeat_from = moment.time
    return LateStep(step, moment, history)


class Joining:
    """Joins late episodes to those that go on, of one configuration's patients."""

    def __init__(self, config: PatientConfig, episodes: Episodes, limits: Sequence[Detector]):
        self._context = config.context
        self._late = config.late
        self._late_after_seconds = config.late_after_seconds
        self._policies = config.episodes
        self._episodes = episodes
        self._limits = limits
        self._rises = {name: limit.above is not None for name, limit in config.limits.items()}

    def join(
        self, state: PatientState, late: LateData, kind: str, received: float
    ) -> list[LateStep] | None:
        """Let what goes on, or closed since, begin where the late episode did; None: it adjoins
        neither.

        Args:
            received: when the last of the late readings was received, by its own upload, so that
                where ticks fall among them decides nothing.
        """
        going_on, past = state.episodes.by_kind.get(kind), late.episodes[kind]
        if going_on is None or going_on.open or not self._adjoins(state, late, kind, going_on):
            return self._corrected(state, late, kind, received)
        del late.episodes[kind]
        for name, run in past.runs.items():
            later = going_on.runs.get(name)
            if later is not None and name in self._rises:
                going_on.runs[name] = _joined(run, later, rising=self._rises[name])
        if past.open:
            state.episodes.by_kind[kind] = _continued(past, going_on)
        return self._opened(state, kind, state.episodes.by_kind[kind], received)

    def take_over(
        self, state: PatientState, late: LateData, kind: str, chain: Chain, *, began: bool
    ) -> bool:
        """Let what was judged in order of time, up to the newest reading, be what goes on; whether
        it was, and nothing but that.

        Args:
            chain: how far the pass has come.
            began: whether the kind was on its way where the gap began.
        """
        groups = sorted({group_of(signal) for signal in KINDS[kind].signals})
        if not any(chain.at.get(group) == gaps.last_of(state.newest, group) for group in groups):
            return False
        past, live = late.episodes.get(kind), state.episodes.by_kind.get(kind)
        if live is not None and live.open:
            return False
        if past is None:
            if began and live is not None:
                del state.episodes.by_kind[kind]
            return began
        if live is not None and (live.last > past.last or (live.part_of and past.open)):
            return False
        begun = past.onset if past.open else min(run.since for run in past.runs.values())
        if begun <= state.episodes.ended.get(kind, LONG_AGO):
            return False
        past.received = max(past.received, late.received)
        state.episodes.by_kind[kind] = late.episodes.pop(kind)
        return True

    def go_on(
        self, state: PatientState, late: LateData, kind: str, received: float
    ) -> list[LateStep] | None:
        """Let a late episode go on, where the late readings reach up to the newest reading and only
        that lies behind them; None: they do not. ``received`` is that of :meth:`join`."""
        past, now = late.episodes[kind], state.episodes.by_kind.get(kind)
        newest = _newest(state, late, kind)
        if newest is None or newest - past.last > gaps.least(state.known, self._late):
            return None
        if now is not None and now.open:
            return None
        begun = past.onset if past.open else min(run.since for run in past.runs.values())
        if begun <= state.episodes.ended.get(kind, LONG_AGO):
            return None
        moment, findings = self._last(state, kind, newest, received)
        own = PatientEpisodes({kind: late.episodes.pop(kind)}, {})
        steps = self._episodes.take_findings(own, findings, moment, late.received)
        state.episodes.by_kind.update(own.by_kind)
        state.episodes.ended.update(own.ended)
        return [
            late_step(step, moment, own.by_kind.get(kind), self._late_after_seconds)
            for step in steps
        ]

    def cut(self, state: PatientState, late: LateData, kind: str, *, before: EpisodeMemory) -> None:
        """Let runs on their way that late readings show to have ended in the gap begin behind it.

        Args:
            before: what was on its way where the gap began.
        """
        going_on, shown = state.episodes.by_kind.get(kind), late.episodes.get(kind)
        behind = [late.until.get(group_of(signal)) for signal in KINDS[kind].signals]
        begun = max((time for time in behind if time is not None), default=LONG_AGO)
        if going_on is None or going_on.open:
            return
        for name, run in list(going_on.runs.items()):
            earlier, lasting = before.runs.get(name), shown.runs.get(name) if shown else None
            if earlier is None or run.since != earlier.since:
                continue
            if lasting is not None and lasting.since == earlier.since:
                continue
            run.since, run.extreme = begun, None if run.extreme == earlier.extreme else run.extreme
            run.beyond, run.seen = run.beyond - earlier.beyond, run.seen - earlier.seen
            if run.beyond <= 0:
                del going_on.runs[name]
        if not going_on.runs:
            del state.episodes.by_kind[kind]

    def part(self, state: PatientState, step: Step) -> None:
        """Let nothing that is on its way begin before the end of a late episode, with whose id it
        would share an onset."""
        going_on, ended = state.episodes.by_kind.get(step.kind), step.ended_at
        if going_on is None or going_on.open or ended is None:
            return
        known = state.episodes.ended.get(step.kind, LONG_AGO)
        state.episodes.ended[step.kind] = max(known, ended)

    def _adjoins(
        self, state: PatientState, late: LateData, kind: str, going_on: EpisodeMemory
    ) -> bool:
        """Whether a run that goes on began with the reading behind the gap."""
        past = late.episodes[kind]
        begun = past.onset if past.open else min(run.since for run in past.runs.values())
        if begun <= state.episodes.ended.get(kind, LONG_AGO):
            return False
        return any(
            name in past.runs and self._is_behind(late, kind, run.since)
            for name, run in going_on.runs.items()
        )

    def _is_behind(self, late: LateData, kind: str, begun: float) -> bool:
        """Whether what began then began with the reading behind the gap, and near enough."""
        behind = {late.until.get(group_of(signal)) for signal in KINDS[kind].signals}
        near = begun - late.episodes[kind].last <= self._policies[kind].gap_seconds
        return near and begun in behind

    def _corrected(
        self, state: PatientState, late: LateData, kind: str, received: float
    ) -> list[LateStep] | None:
        """Let an episode that was announced begin where the late one did; None: none adjoins."""
        past, going_on = late.episodes[kind], state.episodes.by_kind.get(kind)
        ended_at: float | None = None
        closed = _closed_at(state, late, kind)
        if closed is not None:
            going_on, ended_at = closed.episode, closed.ended_at
        if going_on is None or not going_on.open:
            return None
        if not self._is_behind(late, kind, going_on.onset):
            return None
        begun = _beginning(past, going_on)
        if begun is None or begun <= _ended_before(state, kind, going_on):
            return None
        del late.episodes[kind]
        if state.past is not None:
            gaps.move_onset(state.past, kind, onset=going_on.onset, begun=begun)
        _move(going_on, past, begun, rises=self._rises)
        moment, findings = self._last(state, kind, going_on.last, received)
        own = next((f for f in findings if f.rule.name == going_on.rule), None)
        if ended_at is not None:
            moment, own = replace(moment, values={}), None
        steps = [self._episodes.began_earlier(kind, going_on, moment, own, ended_at)]
        history, order = going_on.repeat_from == LONG_AGO, PRIORITY_ORDER[going_on.priority]
        urgent = [f for f in findings if PRIORITY_ORDER[f.rule.priority] < order]
        if ended_at is None and urgent:  # only both together have lasted long enough
            raised = self._episodes.take_persisted(state.episodes, kind, urgent, moment)
            if raised and not history:
                going_on.repeat_from = moment.time
            steps += raised
        return [LateStep(step, moment, history) for step in steps]

    def _opened(
        self, state: PatientState, kind: str, going_on: EpisodeMemory, received: float
    ) -> list[LateStep]:
        """Open what has lasted long enough only now, by the last reading of what goes on."""
        moment, findings = self._last(state, kind, going_on.last, received)
        steps = self._episodes.take_persisted(state.episodes, kind, findings, moment)
        return [late_step(step, moment, going_on, self._late_after_seconds) for step in steps]

    def _last(
        self, state: PatientState, kind: str, time: float, received: float
    ) -> tuple[Moment, list[Finding]]:
        """The last reading of what goes on, as far as it is remembered, and what it shows."""
        values = {
            name: track.value
            for name, track in sorted(state.tracks.items(), key=itemgetter(0))  # not kept by a load
            if name in KINDS[kind].signals and track.time == time
        }
        here = activity.context_near(self._context, state.context, time)
        moment = Moment(
            time=time,
            received=max(received, time),
            values=values,
            activity=here.activity,
            period=here.period,
            watched=(kind,),
            scores={},
            context_source=here.source,
        )
        findings = [
            finding
            for detector in self._limits
            for finding in detector.examine(moment, None)
            if finding.rule.kind == kind
        ]
        return moment, findings


def _newest(state: PatientState, late: LateData, kind: str) -> float | None:
    """When the newest reading of a kind's signals was measured, if it ends the gap."""
    for group in sorted({group_of(signal) for signal in KINDS[kind].signals}):
        newest = gaps.last_of(state.newest, group)
        if late.until.get(group) == newest:
            return newest
    return None


def _closed_at(state: PatientState, late: LateData, kind: str) -> Closed | None:
    """The episode of a kind that began behind the gap, and has closed since."""
    behind = {late.until.get(group_of(signal)) for signal in KINDS[kind].signals}
    rows = () if state.past is None else state.past.bordering
    found = [row for row in rows if row.kind == kind and row.episode.onset in behind]
    return found[-1] if found else None


def _ended_before(state: PatientState, kind: str, going_on: EpisodeMemory) -> float:
    """When the kind's last episode before this one ended, as far as it is known: none begins
    before that, so that no two share an onset."""
    ended = state.episodes.ended.get(kind, LONG_AGO)
    return ended if ended <= going_on.onset else LONG_AGO


def _beginning(past: EpisodeMemory, going_on: EpisodeMemory) -> float | None:
    """When the two together began; None: they are not of one rule."""
    if past.open:
        return past.onset
    same = [
        run.since
        for name, run in past.runs.items()
        if name == going_on.rule
        or (name in going_on.runs and going_on.runs[name].since == going_on.onset)
    ]
    return min(same, default=None)


def _move(
    going_on: EpisodeMemory, past: EpisodeMemory, begun: float, *, rises: Mapping[str, bool]
) -> None:
    """Let an episode begin where late readings show that it did, with their figures."""
    runs = past.runs.values()
    going_on.samples += past.samples if past.open else max(run.seen for run in runs)
    going_on.beyond += past.beyond if past.open else max(run.beyond for run in runs)
    inside = past.longest_gap if past.open else max(run.longest_gap for run in runs)
    going_on.longest_gap = max(going_on.longest_gap, inside, going_on.onset - past.last)
    for name, run in past.runs.items():
        later = going_on.runs.get(name)
        if later is not None and later.since == going_on.onset and name in rises:
            going_on.runs[name] = _joined(run, later, rising=rises[name])
    if past.open and (past.signal, past.direction) == (going_on.signal, going_on.direction):
        extreme = past.extreme
    else:
        same = past.runs.get(going_on.rule)
        extreme = None if same is None else same.extreme
    values = [value for value in (going_on.extreme, extreme) if value is not None]
    worst = max if going_on.direction == "above" else min
    going_on.extreme = worst(values, default=None)
    if past.open:
        highest = past.highest or past.priority
        before = going_on.highest or going_on.priority
        worse = PRIORITY_ORDER[highest] < PRIORITY_ORDER[before]
        going_on.highest = highest if worse else before
    join_furthest(going_on, past)
    going_on.first_onset, going_on.onset = going_on.named_by, begun


def _joined(run: Run, later: Run, rising: bool) -> Run:
    """One run of two. ``rising``: the rule is one on values above a limit."""
    values = [value for value in (run.extreme, later.extreme) if value is not None]
    return Run(
        since=run.since,
        last=later.last,
        beyond=run.beyond + later.beyond,
        seen=run.seen + later.seen,
        extreme=(max if rising else min)(values, default=None),
        longest_gap=max(run.longest_gap, later.since - run.last, later.longest_gap),
        same_minute=run.same_minute or later.same_minute,
        same_time=run.same_time + later.same_time,
    )


def _continued(past: EpisodeMemory, going_on: EpisodeMemory) -> EpisodeMemory:
    """The late episode, as it goes on."""
    runs = going_on.runs.values()
    longest = max(runs, key=attrgetter("seen"))
    if longest.seen > past.samples:
        past.samples, past.same_time = longest.seen, longest.same_time
    past.beyond = max(past.beyond, *(run.beyond for run in runs))
    past.longest_gap = max(past.longest_gap, *(run.longest_gap for run in runs))
    past.runs = going_on.runs
    past.last, past.received = going_on.last, going_on.received
    past.clear_seen = 0
    return past
