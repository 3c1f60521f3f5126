"""Takes readings back from what a patient's monitor knows.

An episode *rests on* a withdrawn reading where that is of one of its signals and was measured
between its onset and its last reading. Each such episode is judged again by the readings that
remain (:mod:`detectors.withdrawal.remaining`):

- it still began where it began: it *stands*. If it is open its figures are corrected, and if they
  changed an ``updated`` step says so (``change`` is ``corrected``); if the remaining readings show
  that it is over, it is closed where they show it. One that was over is corrected by a last step
  (:mod:`detectors.withdrawal.ended`). Who was paged at a priority that it had by the withdrawn
  readings alone is informed: ``withdrawal`` then states that priority;
- it cannot be judged again: it stands where its first reading counts and most of them do
  (:mod:`detectors.withdrawal.majority`);
- it does not stand: it is closed, at its last reading, with the reason ``reading_withdrawn``. One
  that was closed long ago gets a last step with that reason, so that nobody reads a false history
  unmarked;
- whatever else the remaining readings show in its stretch, then or after a later withdrawal, is an
  episode of its own, with an onset and an id of its own: retrospective where it is over;
- what they show on its way goes on from there, also where a withdrawn reading had ended it.

Every step carries ``withdrawal`` in its evidence. A withdrawal that is read twice, or that names
readings that were never judged, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from msgspec.structs import replace

from detectors.configuration.patient import PatientConfig
from detectors.contract import LONG_AGO, NEVER, Detector
from detectors.episodes.configuration import EpisodePolicy
from detectors.episodes.memory import EpisodeMemory
from detectors.episodes.tracker import Episodes
from detectors.withdrawal.case import (
    CORRECTED,
    WITHDRAWN,
    Case,
    Patient,
    delays_of,
    onsets_of,
    times_of,
)
from detectors.withdrawal.ended import EndedEpisodes
from detectors.withdrawal.forgetting import forget, forget_announced
from detectors.withdrawal.majority import Left, corrected_memory, left_of
from detectors.withdrawal.remaining import Remaining, Spell
from detectors.withdrawal.standing import going_on, reached_by, standing, standing_at
from detectors.withdrawal.steps import WithdrawalSteps, step_of
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.domain.reading import Withdrawal

_JUDGED = ("onset", "priority", "rule", "extreme", "samples", "limit", "limit_clear", "runs")
"""What of an open episode a withdrawn reading can have changed."""
MOST_REMEMBERED = 64
"""Ids of withdrawals kept of one patient, so that each is applied once."""


class Withdrawals:
    """Applies withdrawals for the patients of one configuration."""

    def __init__(
        self,
        config: PatientConfig,
        policies: Mapping[str, EpisodePolicy],
        detectors: Mapping[str, Detector],
        config_hash: str,
    ):
        self._detectors, self._late = detectors, config.late
        self._steps = WithdrawalSteps(policies, config.late_after_seconds, config_hash)
        episodes = Episodes(policies, late_after_seconds=-NEVER)  # nothing is announced again
        self._remaining = Remaining(config, episodes, detectors)
        self._ended = EndedEpisodes(policies, self._steps, self._remaining)

    def apply(self, patient_id: str, state: Patient, withdrawal: Withdrawal) -> list[Event]:
        """Take the readings back; return the steps of what rested on them, in order."""
        if withdrawal.withdrawal_id in state.withdrawals:
            return []
        state.withdrawals = [*state.withdrawals, withdrawal.withdrawal_id][-MOST_REMEMBERED:]
        case = self._case(patient_id, state, withdrawal)
        moments = tuple(self._remaining.moments(withdrawal.readings, case.received))
        forget(case, self._detectors, moments, self._late)
        live = dict(state.episodes.by_kind)
        events: list[Event] = []
        for kind, episode in sorted(live.items()):
            begin = _begin(case, kind, episode)
            if episode.open and case.covers(kind, episode.signal, begin=begin, end=episode.last):
                events += self._settle_open(case, kind, episode)
        for one in withdrawal.episodes:
            current = live.get(one.kind)
            if current is None or not current.open or current.onset != one.onset.timestamp():
                opened = {e.onset.timestamp() for e in events if e.kind == one.kind}
                events += self._ended.settle(case, one, opened)
        for kind, spells in sorted(case.again.spells.items()):
            events += self._uncover(case, kind, spells)
        by_kind = state.episodes.by_kind
        for kind in sorted({*by_kind, *case.again.pending}):
            if kind not in by_kind or not by_kind[kind].open:
                self._replace_runs(case, kind)
        return events

    def _case(self, patient_id: str, state: Patient, withdrawal: Withdrawal) -> Case:
        """What the readings show with and without those that are withdrawn."""
        received, times = withdrawal.time.timestamp(), times_of(withdrawal)
        taken_back = {reading.reading_id for reading in withdrawal.readings}
        remaining = [r for r in withdrawal.remaining if r.reading_id not in taken_back]
        judge = self._remaining.judge
        return Case(
            patient_id=patient_id,
            state=state,
            withdrawal=withdrawal,
            received=received,
            times=times,
            remaining=remaining,
            again=judge(remaining, times, received),
            before=judge([*remaining, *withdrawal.readings], times, received),
            delays=delays_of(withdrawal),
        )

    def _replace_runs(self, case: Case, kind: str) -> None:
        """What is only on its way goes on as the remaining readings have it, or not at all; so does
        what a withdrawn reading had ended."""
        by_kind, shown = case.state.episodes.by_kind, case.again.pending.get(kind)
        episode = by_kind.get(kind)
        if episode is None:
            if shown is None or shown.open:
                return
            received = case.state.last_seen.received
            episode = EpisodeMemory(runs={}, last=shown.last, received=received)
        own = {} if shown is None else shown.runs
        for name, run in list(episode.runs.items()):
            if case.covers(kind, episode.signal, begin=run.since, end=run.last):
                del episode.runs[name]
                if name in own and run.since >= case.since:
                    episode.runs[name] = own[name]
        before = case.before.pending.get(kind)
        for name, run in own.items():
            if before is None or before.runs.get(name) != run:
                episode.runs[name] = run
        if episode.runs:
            episode.onset = _may_begin(case, kind, episode)
            by_kind[kind] = episode
        else:
            by_kind.pop(kind, None)

    def _settle_open(self, case: Case, kind: str, episode: EpisodeMemory) -> Iterator[Event]:
        """Judge an open episode again: it goes on, or is closed, and another one may be open."""
        if not self._remaining.may_judge(episode.rule, begin=episode.onset, since=case.since):
            left = left_of(
                case,
                kind,
                episode.signal,
                episode.direction,
                begin=episode.onset,
                end=episode.last,
            )
            if left is not None:
                yield from self._correct_kept(case, kind, episode=episode, left=left)
                return
        judge = self._remaining.spells
        spells = judge(case.again, case.since, kind, episode.rule, begin=episode.onset)
        stands = standing(case, kind, spells, onset=episode.onset, first_onset=episode.first_onset)
        reached = reached_by(case, kind, stands, onset=episode.onset)
        if stands is not None and stands.ended is None:
            shown = going_on(case, kind, episode, stands)
            if any(getattr(shown, name) != getattr(episode, name) for name in _JUDGED):
                yield self._correct(case, kind, episode=episode, spell=stands, reached=reached)
            return
        yield self._close(case, kind, episode=episode, spell=stands, reached=reached)
        for spell in spells:
            if spell is not stands and spell.onset > episode.onset:
                yield from self._steps.announce(case, kind, spell, received=episode.received)
                if spell.ended is not None:
                    ended = case.state.episodes.ended
                    ended[kind] = max(ended[kind], spell.ended)

    def _close(
        self, case: Case, kind: str, *, episode: EpisodeMemory, spell: Spell | None, reached: str
    ) -> Event:
        """Close an open episode: where the remaining readings show its end, else withdrawn."""
        episodes = case.state.episodes
        ended, reason, shown = episode.last, WITHDRAWN, episode
        if spell is not None and spell.ended is not None:
            ended, reason = spell.ended, spell.memory.reason
            shown = going_on(case, kind, episode, spell)
        closed = replace(
            shown,
            sequence=episode.sequence + 1,
            reason=reason,
            known=max(episode.known, case.received),
        )
        step = step_of(kind, "closed", closed, ended_at=ended)
        forget_announced(case, kind, episode.onset)
        episodes.by_kind[kind] = EpisodeMemory(
            runs=dict(episode.runs), last=episode.last, received=episode.received
        )
        until = episode.last if reason != WITHDRAWN else _next_reading(case, kind, episode)
        episodes.ended[kind] = max(episodes.ended.get(kind, until), until)
        for other in episodes.by_kind.values():
            if other.part_of == kind:
                other.part_of = ""
        return self._steps.event(case, step, None, reached=reached)

    def _correct_kept(
        self, case: Case, kind: str, *, episode: EpisodeMemory, left: Left
    ) -> Iterator[Event]:
        """Let an open episode that cannot be judged again go on without the withdrawn readings."""
        corrected = corrected_memory(episode, left)
        if corrected == episode:
            return
        corrected.sequence += 1
        corrected.known = max(episode.known, case.received)
        case.state.episodes.by_kind[kind] = corrected
        facts = {"change": CORRECTED}
        yield self._steps.event(case, step_of(kind, "updated", corrected), None, facts=facts)

    def _correct(
        self, case: Case, kind: str, *, episode: EpisodeMemory, spell: Spell, reached: str
    ) -> Event:
        """Let an open episode be what the remaining readings show of it."""
        rises = PRIORITY_ORDER[spell.memory.priority] < PRIORITY_ORDER[episode.priority]
        corrected = replace(
            going_on(case, kind, episode, spell),
            sequence=episode.sequence + 1,
            announced_at=spell.memory.last,
            known=max(episode.known, case.received),
            received=episode.received,
            repeat_from=episode.repeat_from,
        )
        case.state.episodes.by_kind[kind] = corrected
        facts = {"change": "raised" if rises else CORRECTED}
        step = step_of(kind, "updated", corrected)
        return self._steps.event(case, step, case.again.last, facts=facts, reached=reached)

    def _uncover(self, case: Case, kind: str, spells: Iterable[Spell]) -> Iterator[Event]:
        """Announce what a withdrawn reading hid: it lay within, and ended what led up to it."""
        by_kind, received = case.state.episodes.by_kind, case.state.last_seen.received
        listed = [one for one in case.withdrawal.episodes if one.kind == kind]
        known = [
            (one.onset.timestamp(), (one.ended_at or case.withdrawal.time).timestamp())
            for one in listed
            if one.evidence.get("reason") != WITHDRAWN
        ]
        shown = [(one.onset, one.until) for one in case.before.spells.get(kind, ())]
        named = {onset for one in listed for onset in onsets_of(one)}
        floor = case.state.episodes.ended.get(kind, LONG_AGO)
        for found in spells:
            spell, current, last = found, by_kind.get(kind), found.until
            announced = any(begin <= last and spell.onset <= end for begin, end in [*known, *shown])
            hidden = any(spell.onset < t < last for t in case.measured(KINDS[kind].signals))
            if spell.ended is None and any(spell.onset <= time < floor <= last for time in named):
                begin = min((t for t in _counted(case, kind) if t >= floor), default=spell.onset)
                spell = _from(spell, begin)  # one that was withdrawn has its id
            after = spell.onset >= floor and spell.onset not in named
            if hidden and after and not announced and not (current and current.open):
                yield from self._steps.announce(case, kind, spell, received=received)


def _begin(case: Case, kind: str, episode: EpisodeMemory) -> float:
    """The onset of an episode, or where the remaining readings show it to have begun earlier."""
    spell = standing_at(case.again.spells.get(kind, ()), episode.onset)
    return episode.onset if spell is None else spell.onset


def _next_reading(case: Case, kind: str, episode: EpisodeMemory) -> float:
    """The first remaining reading of a kind's signals after the onset that an episode's id is made
    of: what is found there has another id."""
    onset = max(episode.onset, episode.first_onset)
    return min((time for time in _remaining(case, kind) if time > onset), default=episode.last)


def _may_begin(case: Case, kind: str, pending: EpisodeMemory) -> float:
    """Where a run that began before the last episode of its kind ended may open one
    (:attr:`EpisodeMemory.onset`): at a reading that counts, and at the onset of no other episode,
    since an id is made of that."""
    floor = case.state.episodes.ended.get(kind, LONG_AGO)
    if floor < case.since or all(run.since > floor for run in pending.runs.values()):
        return pending.onset
    times = _counted(case, kind)
    if floor in times:
        return 0.0
    return min((time for time in times if time > floor), default=floor)


def _counted(case: Case, kind: str) -> set[float]:
    """When the remaining readings of a kind's signals were measured at which no episode began."""
    listed = [one for one in case.withdrawal.episodes if one.kind == kind]
    return _remaining(case, kind) - {onset for one in listed for onset in onsets_of(one)}


def _remaining(case: Case, kind: str) -> set[float]:
    """When the remaining readings of a kind's signals were measured."""
    return case.remaining_times(KINDS[kind].signals)


def _from(spell: Spell, onset: float) -> Spell:
    """What is going on, from a later onset on."""
    return replace(spell, onset=onset, memory=replace(spell.memory, onset=onset))
