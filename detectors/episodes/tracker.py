"""Findings to episodes: the one place that knows delay, hysteresis, inhibition and re-arming.

A kind is *pending* in a patient from its first BEYOND on. Each of its rules has a run: since when
it has been beyond, over how many readings. The kind opens when a run has lasted the rule's
``seconds`` (``unknown_seconds`` while nobody knows the activity) and its ``readings``, at least
half of the run's readings were beyond, and the present one is. Readings further apart than
``gap_seconds`` are not one run.

Open, it takes the highest priority that any run reaches and never a lower one. It closes when
``clear_readings`` readings over ``clear_seconds`` were past the hysteresis of every rule; a reading
beyond in between continues the same episode, so that a value dancing on its limit makes one
episode, not many. ``ended_at`` is the first of those clear readings.

Inhibition and grouping (:mod:`detectors.episodes.grouping`): a kind that has persisted while a more
urgent episode of the same cause or on the same signal is open does not open. It becomes a *part* of
that
episode: the evidence of each later step lists it, and if it has clinical weight an ``updated`` step
announces it, one in ``update_seconds`` at most. Of kinds that persist at the same moment the most
urgent opens and the others are its parts. A part changes neither priority nor end of its lead; one
that becomes more urgent than the lead opens an episode of its own, and leads from then on. When the
lead closes and a part still holds, the part opens, with its true onset. What was open already when
a more urgent kind opened stays so, announces no worsening meanwhile, and its own values close it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from detectors.contract import BEYOND, CLEAR, LONG_AGO, MUTED, Finding, Moment, Rule
from detectors.episodes.configuration import EpisodePolicy
from detectors.episodes.grouping import Part, described, join, lead_of, parts_of, weighs
from detectors.episodes.memory import EpisodeMemory, PatientEpisodes, Run
from vigil.domain.episode import Phase
from vigil.domain.figures import figure
from vigil.domain.kinds import PRIORITY_ORDER


class Step(Struct, frozen=True, gc=False):
    """What is to be announced: one event."""

    kind: str
    phase: Phase
    episode: EpisodeMemory
    ended_at: float | None = None
    finding: Finding | None = None
    """What its rule found at this moment; None where it found nothing, as when it is withdrawn."""
    parts: tuple[Part, ...] = ()
    """Other kinds that hold and are announced within this episode."""


class _Ready(Struct, frozen=True, gc=False):
    """A kind whose condition has persisted."""

    kind: str
    episode: EpisodeMemory
    finding: Finding


class Episodes:
    """Holds the policies of a configuration; a patient's episodes are passed in, and changed."""

    def __init__(self, policies: Mapping[str, EpisodePolicy]):
        self._policies = policies

    def take_findings(
        self, episodes: PatientEpisodes, findings: Iterable[Finding], moment: Moment
    ) -> list[Step]:
        """Take one moment's findings; return what is to be announced, the most urgent first.

        A kind goes forward in time only: what is older than what it has taken is left out.
        """
        by_kind, ready = episodes.by_kind, list[_Ready]()
        steps: list[Step] = []
        found = sorted(findings, key=_by_kind)
        for kind, group in groupby(found, key=_by_kind):
            own = list(group)
            episode = by_kind.get(kind)
            if episode is None:
                if not any(finding.stance == BEYOND for finding in own):
                    continue
                if moment.time <= episodes.ended.get(kind, LONG_AGO):
                    continue
                episode = by_kind[kind] = EpisodeMemory(runs={})
            if moment.time < episode.last:
                continue
            episode.last = moment.time
            self._take_kind(kind, episode, own, moment, ready, steps)
            if not episode.open and not episode.runs:
                del by_kind[kind]
        _remove_closed(episodes, steps, moment)
        ready.sort(key=lambda r: (PRIORITY_ORDER[r.finding.rule.priority], r.finding.rule.rank))
        for candidate in ready:
            steps.extend(self._announce(episodes, candidate, moment))
        if ready:
            steps.extend(self._announce_parts(episodes, steps, findings=found, moment=moment))
        if len(by_kind) > 1:
            steps = [_with_parts(episodes, step, moment.time) for step in steps]
        return sorted(steps, key=lambda s: (PRIORITY_ORDER[s.episode.priority], s.kind))

    def retire(
        self, episodes: PatientEpisodes, rules: Collection[str], moment: Moment
    ) -> list[Step]:
        """Close what no rule in force judges any more, as after a change of configuration."""
        steps = []
        for kind, episode in list(episodes.by_kind.items()):
            for name in [name for name in episode.runs if name not in rules]:
                del episode.runs[name]
            if episode.open and episode.rule not in rules:
                episode.reason = "rule_withdrawn"
                steps.append(
                    _step(
                        kind,
                        "closed",
                        episode=episode,
                        moment=moment,
                        finding=None,
                        ended_at=moment.time,
                    )
                )
            elif not episode.open and not episode.runs:
                del episodes.by_kind[kind]
        _remove_closed(episodes, steps, moment)
        return steps

    def end(self, episodes: PatientEpisodes, moment: Moment, reason: str) -> list[Step]:
        """Close what is open, and drop what is pending: nothing more will be judged."""
        opened = [(kind, episode) for kind, episode in episodes.by_kind.items() if episode.open]
        episodes.by_kind = dict(opened)
        steps = []
        for kind, episode in opened:
            episode.reason = reason
            steps.append(
                _step(
                    kind,
                    "closed",
                    episode=episode,
                    moment=moment,
                    finding=None,
                    ended_at=moment.time,
                )
            )
        _remove_closed(episodes, steps, moment)
        return steps

    def _take_kind(
        self,
        kind: str,
        episode: EpisodeMemory,
        findings: list[Finding],
        moment: Moment,
        ready: list[_Ready],
        steps: list[Step],
    ) -> None:
        """One kind: its runs, then whether it has persisted or has ended."""
        policy = self._policies[kind]
        oldest = moment.time - policy.gap_seconds
        for name in [name for name, run in episode.runs.items() if run.last < oldest]:
            del episode.runs[name]
        for finding in findings:
            _extend(episode, finding, moment)
        episode.samples += episode.open
        if any(finding.stance == BEYOND for finding in findings):
            episode.clear_seen = 0
            if episode.open:
                _keep_extreme(episode, findings)
            persisted = [f for f in findings if _persisted(episode, f, moment)]
            if persisted:
                worst = min(persisted, key=lambda f: PRIORITY_ORDER[f.rule.priority])
                ready.append(_Ready(kind, episode, worst))
        elif (
            episode.open
            and not episode.runs
            and all(f.stance == CLEAR for f in findings)
            and _cleared(episode, policy, moment.time)
        ):
            own = next((f for f in findings if f.rule.name == episode.rule), None)
            ended_at = episode.clear_since
            steps.append(
                _step(
                    kind, "closed", episode=episode, moment=moment, finding=own, ended_at=ended_at
                )
            )

    def _announce(self, episodes: PatientEpisodes, ready: _Ready, moment: Moment) -> Iterable[Step]:
        """Open, join, raise, or announce a worsening."""
        kind, episode, finding = ready.kind, ready.episode, ready.finding
        rule = finding.rule
        if not episode.open:
            lead = _lead(episodes, kind, urgent=rule, moment=moment)
            if lead is not None:
                join(episode, lead, finding)
                return ()
            return (_opened(episodes, ready, moment),)
        if PRIORITY_ORDER[rule.priority] < PRIORITY_ORDER[episode.priority]:
            _govern(episode, finding, moment)
            return (_step(kind, "updated", episode=episode, moment=moment, finding=finding),)
        worse = self._due(kind, episode, moment) and _worse_by(episode) >= self._step_of(kind)
        if worse and _lead(episodes, kind, urgent=episode, moment=moment) is None:
            return (_step(kind, "updated", episode=episode, moment=moment, finding=finding),)
        return ()

    def _announce_parts(
        self,
        episodes: PatientEpisodes,
        steps: Iterable[Step],
        findings: list[Finding],
        moment: Moment,
    ) -> list[Step]:
        """Announce parts that joined, where no step of the lead is announced now anyway."""
        by_kind = episodes.by_kind
        announced = {step.kind for step in steps if step.phase != "closed"}
        more: list[Step] = []
        for lead in sorted({episode.part_of for episode in by_kind.values() if episode.part_of}):
            episode = by_kind[lead]
            parts = parts_of(by_kind, lead)
            waiting = any(weighs(kind, part) and not part.part_announced for kind, part in parts)
            if waiting and lead not in announced and self._due(lead, episode, moment):
                own = next((f for f in findings if f.rule.name == episode.rule), None)
                more.append(_step(lead, "updated", episode=episode, moment=moment, finding=own))
                announced.add(lead)
            if lead in announced:
                for _, part in parts:
                    part.part_announced = True
        return more

    def _due(self, kind: str, episode: EpisodeMemory, moment: Moment) -> bool:
        return moment.time - episode.announced_at >= self._policies[kind].update_seconds

    def _step_of(self, kind: str) -> float:
        return self._policies[kind].update_step


_by_kind = attrgetter("rule.kind")


def _remove_closed(episodes: PatientEpisodes, steps: Iterable[Step], moment: Moment) -> None:
    """Remove what was closed; its parts stand alone."""
    for step in steps:
        if step.phase == "closed":
            del episodes.by_kind[step.kind]
            episodes.ended[step.kind] = moment.time
            for _, part in parts_of(episodes.by_kind, step.kind):
                part.part_of = ""


def _cleared(episode: EpisodeMemory, policy: EpisodePolicy, time: float) -> bool:
    """Count a clear reading; whether enough of them have come for long enough."""
    if not episode.clear_seen:
        episode.clear_since = time
    episode.clear_seen += 1
    lasted = time - episode.clear_since
    return episode.clear_seen >= policy.clear_readings and lasted >= policy.clear_seconds


def _extend(episode: EpisodeMemory, finding: Finding, moment: Moment) -> None:
    """Carry a rule's run on, begin it, or end it."""
    name = finding.rule.name
    run = episode.runs.get(name)
    if finding.stance in {CLEAR, MUTED}:
        episode.runs.pop(name, None)
        return
    if run is None:
        if finding.stance != BEYOND:
            return
        since = moment.time if finding.since is None else finding.since
        run = episode.runs[name] = Run(since, moment.time)
    run.last = moment.time
    run.seen += 1
    if finding.stance == BEYOND:
        run.beyond += 1
        run.extreme = _worst(finding.rule.direction, (run.extreme, finding.value))


def _persisted(episode: EpisodeMemory, finding: Finding, moment: Moment) -> bool:
    """Whether a rule that is beyond has been so for long enough."""
    if finding.stance != BEYOND:
        return False
    run, rule = episode.runs[finding.rule.name], finding.rule
    enough = run.beyond >= rule.readings and 2 * run.beyond >= run.seen
    return enough and moment.time - run.since >= needed_seconds(rule, moment)


def needed_seconds(rule: Rule, moment: Moment) -> float:
    """The persistence delay in force."""
    return rule.unknown_seconds if moment.activity == "unknown" else rule.seconds


def _worst(direction: str, values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not (known and direction):
        return None
    return max(known) if direction == "above" else min(known)


def _keep_extreme(episode: EpisodeMemory, findings: list[Finding]) -> None:
    """Keep the worst value of the signal that the open episode is announced by."""
    same = [
        finding.value
        for finding in findings
        if finding.stance == BEYOND
        and (finding.rule.signal, finding.rule.direction) == (episode.signal, episode.direction)
    ]
    episode.extreme = _worst(episode.direction, (episode.extreme, *same))


def _govern(episode: EpisodeMemory, finding: Finding, moment: Moment) -> None:
    """Let a finding be what the episode is announced by."""
    rule = finding.rule
    known = episode.runs[rule.name].extreme
    if (episode.signal, episode.direction) == (rule.signal, rule.direction):
        known = _worst(rule.direction, (episode.extreme, known))
    episode.extreme = known
    episode.rule, episode.signal, episode.direction = rule.name, rule.signal, rule.direction
    episode.priority, episode.rank = rule.priority, rule.rank
    episode.limit, episode.limit_clear = finding.limit, finding.clear
    episode.condition_seconds, episode.readings = needed_seconds(rule, moment), rule.readings
    episode.reason = finding.reason


def _lead(
    episodes: PatientEpisodes, kind: str, urgent: Rule | EpisodeMemory, moment: Moment
) -> str | None:
    """The open episode that a kind of this priority and rank would be a part of."""
    urgency = (PRIORITY_ORDER[urgent.priority], urgent.rank)
    return lead_of(episodes.by_kind, kind, urgency=urgency, time=moment.time)


def _opened(episodes: PatientEpisodes, ready: _Ready, moment: Moment) -> Step:
    """The first step of an episode, which begins where its run did."""
    kind, episode, finding = ready.kind, ready.episode, ready.finding
    _govern(episode, finding, moment)
    begun = min(run.since for run in episode.runs.values())
    episode.onset = max(begun, episodes.ended.get(kind, LONG_AGO))
    episode.samples = max(run.seen for run in episode.runs.values())
    episode.part_of, episode.part_announced, episode.value = "", False, None
    return _step(kind, "opened", episode=episode, moment=moment, finding=finding)


def _with_parts(episodes: PatientEpisodes, step: Step, time: float) -> Step:
    parts = parts_of(episodes.by_kind, step.kind)
    return replace(step, parts=described(parts, time)) if parts else step


def _worse_by(episode: EpisodeMemory) -> float:
    """How far the extreme went past what was last announced."""
    if episode.extreme is None or episode.announced_extreme is None:
        return 0.0
    now, before = episode.extreme, episode.announced_extreme
    gap = figure(episode.signal, now) - figure(episode.signal, before)
    return gap if episode.direction == "above" else -gap


def _step(
    kind: str,
    phase: Phase,
    episode: EpisodeMemory,
    moment: Moment,
    finding: Finding | None,
    ended_at: float | None = None,
) -> Step:
    """The next step of an episode, which counts as announced from now on."""
    episode.sequence += 1
    episode.announced_extreme = episode.extreme
    episode.announced_at = moment.time
    episode.known = max(episode.known, moment.time if moment.known is None else moment.known)
    return Step(kind=kind, phase=phase, episode=episode, ended_at=ended_at, finding=finding)
