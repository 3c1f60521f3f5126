"""Findings to episodes: the one place that knows delay, hysteresis, inhibition and re-arming.

A kind is *pending* in a patient from its first BEYOND on. Each of its rules has a run: since when
it has been beyond, over how many readings. The kind opens when a run has lasted the rule's
``seconds`` (``unknown_seconds`` while nobody knows the activity) and its ``readings``, at least
half of the run's readings were beyond, and the present one is. Readings further apart than
``gap_seconds`` are not one run.

Open, it takes the highest priority that any run reaches, and a lower one once nothing of the higher
was measured for ``ease_seconds`` (:mod:`detectors.episodes.severity`). It is announced as worse by
whichever signal of the kind went further, and by that from then on. It closes when
``clear_readings`` readings over ``clear_seconds`` were past the hysteresis of every rule; a reading
beyond in between continues the same episode, so that a value dancing on its limit makes one
episode, not many. ``ended_at`` is the first of those clear readings. Where nothing was judged for
``unobserved_seconds`` it ends at its last reading, with the reason ``unobserved``: what comes then
begins anew.

Inhibition and grouping (:mod:`detectors.episodes.grouping`): a kind that has persisted while a more
urgent episode of the same cause or on the same signal is open does not open. It becomes a *part* of
that episode: the evidence of each later step lists it, and if it has clinical weight an ``updated``
step announces it, one in ``update_seconds`` at most; one that is of high priority by itself at
once (``joined``), and again where it goes further. Of kinds that persist at the same moment the
most urgent opens and the others are its parts. A part changes neither priority nor end of its lead;
one that becomes more urgent than the lead opens an episode of its own, and leads from then on. When
the lead closes and a part still holds, the part opens, with its true onset. What was open already
when a more urgent kind opened stays so, announces no worsening meanwhile, and its own values close
it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from copy import copy
from itertools import groupby
from operator import attrgetter

from msgspec import Struct
from msgspec.structs import replace

from detectors.contract import BEYOND, CLEAR, LONG_AGO, MUTED, NEVER, Finding, Moment, Rule
from detectors.episodes import severity
from detectors.episodes.configuration import EpisodePolicy
from detectors.episodes.grouping import Part, described, holding, join, lead_of, parts_of, weighs
from detectors.episodes.memory import EpisodeMemory, PatientEpisodes, Run, open_episodes
from vigil.domain.episode import Phase
from vigil.domain.figures import figure
from vigil.domain.kinds import PRIORITY_ORDER, Priority

UNOBSERVED = "unobserved"
"""The reason of an end that no reading showed: none came for too long."""
MINUTE = 60.0


class Step(Struct, frozen=True, gc=False):
    """What is to be announced: one event."""

    kind: str
    phase: Phase
    episode: EpisodeMemory
    """As it was then."""
    ended_at: float | None = None
    finding: Finding | None = None
    """What its rule found at this moment; None where it found nothing, as when it is withdrawn."""
    parts: tuple[Part, ...] = ()
    """Other kinds that hold and are announced within this episode."""
    change: severity.Change = ""
    """Why an ``updated`` step is announced."""


class _Ready(Struct, frozen=True, gc=False):
    """A kind whose condition has persisted."""

    kind: str
    episode: EpisodeMemory
    finding: Finding
    runs: tuple[Run, ...]
    """Those that the onset is of."""
    findings: tuple[Finding, ...]
    """What is beyond at this moment, of what has persisted and of what has not."""
    persisted: tuple[Finding, ...]


class Episodes:
    """Holds the policies of a configuration; a patient's episodes are passed in, and changed.

    Args:
        policies: kind → how its episodes are held together.
        repeat: priority → after how many seconds an episode that lasts is announced again; 0, or
            none: never.
        late_after_seconds: a reading received later than this after it was measured is history.
    """

    def __init__(
        self,
        policies: Mapping[str, EpisodePolicy],
        *,
        repeat: Mapping[Priority, float] | None = None,
        late_after_seconds: float = NEVER,
    ):
        self._policies = policies
        self._repeat = repeat or {}
        self._late_after_seconds = late_after_seconds

    def take_findings(
        self,
        episodes: PatientEpisodes,
        findings: Iterable[Finding],
        moment: Moment,
        now: float | None = None,
    ) -> list[Step]:
        """Take one moment's findings; return what is to be announced, the most urgent first.

        A kind goes forward in time only: what is older than what it has taken is left out.

        Args:
            now: receive time, as far as the clock has come; None: that of the moment.
        """
        by_kind, ready, steps = episodes.by_kind, list[_Ready](), list[Step]()
        found = sorted(findings, key=_by_kind)
        unobserved = self._end_unobserved(episodes, found, moment) if by_kind else []
        for kind, group in groupby(found, key=_by_kind):
            own = list(group)
            episode = by_kind.get(kind)
            if episode is None:
                beyond = any(finding.stance == BEYOND for finding in own)
                if not beyond or moment.time <= episodes.ended.get(kind, LONG_AGO):
                    continue
                episode = by_kind[kind] = EpisodeMemory(runs={})
            if moment.time < episode.last:
                continue
            _observe(episode, moment.time, moment.received if now is None else now)
            self._take_kind(kind, episode, own, moment, ready, steps)
            if not episode.open and not episode.runs:
                del by_kind[kind]
        _remove_closed(episodes, steps, moment)
        ready.sort(key=_urgency)
        for candidate in ready:
            steps.extend(self._announce(episodes, candidate, moment))
        if ready:
            steps.extend(self._announce_parts(episodes, steps, findings=found, moment=moment))
        if len(by_kind) > 1:
            steps = [_with_parts(episodes, step, moment.time) for step in steps]
        return unobserved + sorted(steps, key=_by_priority)

    def take_persisted(
        self, episodes: PatientEpisodes, kind: str, findings: Iterable[Finding], moment: Moment
    ) -> list[Step]:
        """Announce a kind whose run turns out to be longer than was known.

        Args:
            findings: of the kind, at its last reading, which it has taken already.
        """
        episode = episodes.by_kind[kind]
        own = list(findings)
        persisted = [
            finding
            for finding in own
            if finding.rule.name in episode.runs and _persisted(episode, finding, moment)
        ]
        if not persisted:
            return []
        worst = min(persisted, key=lambda f: PRIORITY_ORDER[f.rule.priority])
        ready = _readied(kind, episode, worst=worst, findings=own, persisted=persisted)
        return list(self._announce(episodes, ready, moment))

    def began_earlier(
        self,
        kind: str,
        episode: EpisodeMemory,
        moment: Moment,
        finding: Finding | None,
        ended_at: float | None,
    ) -> Step:
        """Announce that an episode began earlier than was known when it was opened.

        Args:
            finding: of its rule, at its last reading.
            ended_at: when it ended; None: it is open.
        """
        phase: Phase = "updated" if ended_at is None else "closed"
        step = _step(
            kind, phase, episode=episode, moment=moment, finding=finding, ended_at=ended_at
        )
        return replace(step, change="earlier")

    def go_on_by(self, episodes: PatientEpisodes, finding: Finding, moment: Moment) -> list[Step]:
        """Let an open episode go on by another rule of its kind, by which more is known of it."""
        kind = finding.rule.kind
        episode = episodes.by_kind[kind]
        episode.runs = {}
        _observe(episode, moment.time, moment.received)
        _extend(episode, finding, moment)
        _govern(episode, finding, moment)
        return [self._updated(kind, episode, moment, finding, "continues")]

    def deadline(self, episodes: PatientEpisodes) -> float:
        """Receive time past which the first open episode ends unobserved; ``NEVER``: none does."""
        return min(
            (
                episode.last_received + self._policies[kind].unobserved_seconds
                for kind, episode in open_episodes(episodes.by_kind)
            ),
            default=NEVER,
        )

    def expire(self, episodes: PatientEpisodes, moment: Moment) -> list[Step]:
        """Close what was not observed for too long, of receive time, at its last reading."""
        overdue = [
            kind
            for kind, episode in open_episodes(episodes.by_kind)
            if episode.last_received + self._policies[kind].unobserved_seconds < moment.time
        ]
        return _closed(episodes, sorted(overdue), moment, UNOBSERVED)

    def _end_unobserved(
        self, episodes: PatientEpisodes, findings: Iterable[Finding], moment: Moment
    ) -> list[Step]:
        """Close what was not observed for too long before this moment."""
        kinds = {finding.rule.kind for finding in findings}
        overdue = [
            kind
            for kind, episode in open_episodes(episodes.by_kind)
            if kind in kinds
            and moment.time - episode.last > self._policies[kind].unobserved_seconds
        ]
        return _closed(episodes, sorted(overdue), moment, UNOBSERVED) if overdue else []

    def retire(
        self, episodes: PatientEpisodes, rules: Collection[str], moment: Moment
    ) -> list[Step]:
        """Close what no rule in force judges any more, as after a change of configuration."""
        withdrawn = []
        for kind, episode in list(episodes.by_kind.items()):
            for name in [name for name in episode.runs if name not in rules]:
                del episode.runs[name]
            if episode.open and episode.rule not in rules:
                withdrawn.append(kind)
            elif not episode.open and not episode.runs:
                del episodes.by_kind[kind]
        return _closed(episodes, withdrawn, moment, "rule_withdrawn")

    def end(self, episodes: PatientEpisodes, moment: Moment, reason: str) -> list[Step]:
        """Close what is open, and drop what is pending: nothing more will be judged."""
        episodes.by_kind = dict(open_episodes(episodes.by_kind))
        return _closed(episodes, list(episodes.by_kind), moment, reason)

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
        episode.within = not any(_is_past(finding) for finding in findings)
        if episode.part_of:
            _keep_part(episode, findings)
        if episode.open:
            episode.samples += 1
            severity.record_findings(episode, findings, moment.time)
        if any(finding.stance == BEYOND for finding in findings):
            episode.clear_seen = 0
            if episode.open:
                episode.beyond += 1
                _keep_extreme(episode, findings)
            persisted = [f for f in findings if _persisted(episode, f, moment)]
            if persisted:
                worst = min(persisted, key=lambda f: PRIORITY_ORDER[f.rule.priority])
                ready.append(
                    _readied(kind, episode, worst=worst, findings=findings, persisted=persisted)
                )
        elif (
            episode.open
            and not episode.runs
            and all(f.stance == CLEAR for f in findings)
            and _cleared(episode, policy, moment.time)
        ):
            steps.append(_cleared_step(kind, episode, findings, moment))

    def _announce(self, episodes: PatientEpisodes, ready: _Ready, moment: Moment) -> Iterable[Step]:
        """Open, join, raise, or announce a worsening."""
        kind, episode, finding = ready.kind, ready.episode, ready.finding
        rule = finding.rule
        if not episode.open:
            lead = _lead(episodes, kind, urgent=rule, moment=moment)
            if lead is not None:
                join(episode, lead, finding)
                return ()
            episode.repeat_from = moment.time if self._is_live(moment) else LONG_AGO
            return (_opened(episodes, ready, moment),)
        worst = _worsened(ready)
        change = self._change(ready, moment, worst)
        if not change:
            return ()
        if change in {"raised", "eased"}:
            if change == "eased":  # to rise again, the other rules must persist anew
                episode.runs = {rule.name: episode.runs[rule.name]}
            _govern(episode, finding, moment)
        elif _lead(episodes, kind, urgent=episode, moment=moment) is not None:
            return ()
        else:
            finding = worst if change == "worse" else _shown(episode, ready.findings) or finding
            _name(episode, finding, moment)
        return (self._updated(kind, episode, moment, finding, change),)

    def _change(self, ready: _Ready, moment: Moment, worst: Finding) -> severity.Change:
        """What there is to announce of an open episode.

        Args:
            worst: by which it worsened the most, if it did.
        """
        kind, episode, rule = ready.kind, ready.episode, ready.finding.rule
        policy, order = self._policies[kind], PRIORITY_ORDER[episode.priority]
        if PRIORITY_ORDER[rule.priority] < order:
            return "raised"
        repeat = self._repeat.get(episode.priority, 0.0)
        less = PRIORITY_ORDER[rule.priority] > order
        touched = severity.last_severe(episode) > moment.time - policy.ease_seconds
        lasts = (not less or touched) and self._is_live(moment)
        if lasts and severity.is_due(episode, repeat, moment.time):
            return "continues"  # before "worse", which pages only who has acknowledged
        due = self._due(kind, episode, moment)
        if severity.is_worse(episode, worst.rule, step=policy.update_step, due=due):
            return "worse"
        eases = less and severity.has_eased(episode, policy, moment.time)
        return "eased" if eases else ""

    def _is_live(self, moment: Moment) -> bool:
        return moment.lateness <= self._late_after_seconds

    def _updated(
        self,
        kind: str,
        episode: EpisodeMemory,
        moment: Moment,
        finding: Finding | None,
        change: severity.Change,
    ) -> Step:
        if change in severity.REPEATED_FROM and self._is_live(moment):
            episode.repeat_from = moment.time
        step = _step(kind, "updated", episode=episode, moment=moment, finding=finding)
        return replace(step, change=change)

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
            parts = holding(parts_of(by_kind, lead), moment.time)
            change = "" if lead in announced else self._joins(lead, episode, parts, moment)
            if change:
                own = self._own(lead, episode, findings, moment)
                more.append(self._updated(lead, episode, moment, finding=own, change=change))
                announced.add(lead)
            if lead in announced:
                episode.joined = (*_joined_before(by_kind, lead), *_urgent(episode, parts))
                for _, part in parts:
                    part.part_announced = True
                    severity.keep_announced(part)
        return more

    def _own(
        self, kind: str, episode: EpisodeMemory, findings: Iterable[Finding], moment: Moment
    ) -> Finding | None:
        """What an open episode's step is announced by that comes with another's reading."""
        own = [finding for finding in findings if finding.rule.kind == kind]
        shown = _shown(episode, [finding for finding in own if finding.stance == BEYOND])
        if shown is not None:
            _name(episode, shown, moment)
            return shown
        return next((finding for finding in own if finding.rule.name == episode.rule), None)

    def _joins(
        self,
        lead: str,
        episode: EpisodeMemory,
        parts: Collection[tuple[str, EpisodeMemory]],
        moment: Moment,
    ) -> severity.Change:
        """Whether a further finding is to be announced: one of high priority without waiting, and
        again where it went further."""
        due = self._due(lead, episode, moment)
        worsened = (
            severity.part_is_worse(part, step=self._policies[kind].update_step, due=due)
            for kind, part in parts
        )
        if _urgent(episode, parts) or any(worsened):
            return "joined"
        waiting = any(weighs(kind, part) and not part.part_announced for kind, part in parts)
        return "parts" if waiting and due else ""

    def _due(self, kind: str, episode: EpisodeMemory, moment: Moment) -> bool:
        return moment.time - episode.announced_at >= self._policies[kind].update_seconds


_by_kind = attrgetter("rule.kind")
_seen = attrgetter("seen")


def _worsened(ready: _Ready) -> Finding:
    """What an open episode worsened by the most, of what is beyond: of another signal than the one
    that it is announced by only what has persisted, and past the same side of its limits."""
    episode = ready.episode
    own = (episode.signal, episode.direction)
    found = [f for f in ready.findings if (f.rule.signal, f.rule.direction) == own]
    found += [f for f in ready.persisted if f.rule.direction == episode.direction]
    found.sort(key=lambda f: PRIORITY_ORDER[f.rule.priority])
    return max(found, key=lambda f: severity.worse_by(episode, f.rule), default=ready.finding)


def _shown(episode: EpisodeMemory, beyond: Collection[Finding]) -> Finding | None:
    """By which of the rules that are beyond now an open episode is announced: the most urgent of
    its priority or less, of equal ones its own; None: by none of them."""
    order = PRIORITY_ORDER[episode.priority]
    found = [
        ((PRIORITY_ORDER[one.rule.priority], one.rule.name != episode.rule), one)
        for one in beyond
        if PRIORITY_ORDER[one.rule.priority] >= order
    ]
    return min(found, key=lambda one: one[0])[1] if found else None


def _by_priority(step: Step) -> tuple[int, str]:
    return PRIORITY_ORDER[step.episode.priority], step.kind


def _urgency(ready: _Ready) -> tuple[int, int]:
    return PRIORITY_ORDER[ready.finding.rule.priority], ready.finding.rule.rank


def _urgent(episode: EpisodeMemory, parts: Collection[tuple[str, EpisodeMemory]]) -> list[str]:
    """The parts of high priority that were not announced as such within this episode."""
    known = episode.joined
    return [
        kind
        for kind, part in parts
        if part.priority == "high" and not (part.part_announced if known is None else kind in known)
    ]


def _joined_before(by_kind: dict[str, EpisodeMemory], lead: str) -> tuple[str, ...]:
    """The parts of high priority that were announced as such within an episode."""
    known = by_kind[lead].joined
    if known is not None:
        return known
    parts = parts_of(by_kind, lead)
    return tuple(kind for kind, part in parts if part.priority == "high" and part.part_announced)


def _is_past(finding: Finding) -> bool:
    """Whether a finding is beyond its limit, also where that is not judged now (activity)."""
    if finding.stance != MUTED:
        return finding.stance == BEYOND
    value, limit, rule = finding.value, finding.limit, finding.rule
    if value is None or limit is None or not rule.direction:
        return True
    now, bound = figure(rule.signal, value), figure(rule.signal, limit)
    return now >= bound if rule.direction == "above" else now <= bound


def _keep_part(episode: EpisodeMemory, findings: Collection[Finding]) -> None:
    """Keep the latest value of a part, by the rule that it is listed by, and the furthest ones."""
    severity.keep_furthest(episode, findings)
    for finding in findings:
        if finding.rule.name == episode.rule:
            episode.value = finding.value


def _observe(episode: EpisodeMemory, time: float, received: float) -> None:
    """Remember that the kind was judged at a time."""
    if episode.open:
        episode.longest_gap = max(episode.longest_gap, time - episode.last)
        episode.same_time += time == episode.last
    episode.last, episode.received = time, max(episode.received, received)


def _remove_closed(episodes: PatientEpisodes, steps: Iterable[Step], moment: Moment) -> None:
    """Remove what was closed; its parts stand alone."""
    for step in steps:
        if step.phase == "closed":
            del episodes.by_kind[step.kind]
            unobserved = step.episode.reason == UNOBSERVED
            episodes.ended[step.kind] = step.episode.last if unobserved else moment.time
            for _, part in parts_of(episodes.by_kind, step.kind):
                part.part_of = ""


def _closed(
    episodes: PatientEpisodes, kinds: Iterable[str], moment: Moment, reason: str
) -> list[Step]:
    """Close episodes for a reason that no reading showed: at once, or unobserved ones at their last
    reading."""
    steps = []
    for kind in kinds:
        episode = episodes.by_kind[kind]
        episode.reason = reason
        ended_at = episode.last if reason == UNOBSERVED else moment.time
        steps.append(
            _step(kind, "closed", episode=episode, moment=moment, finding=None, ended_at=ended_at)
        )
    _remove_closed(episodes, steps, moment)
    return steps


def _cleared(episode: EpisodeMemory, policy: EpisodePolicy, time: float) -> bool:
    """Count a clear reading; whether enough of them have come for long enough."""
    if not episode.clear_seen:
        episode.clear_since = time
    episode.clear_seen += 1
    lasted = time - episode.clear_since
    return episode.clear_seen >= policy.clear_readings and lasted >= policy.clear_seconds


def _cleared_step(
    kind: str, episode: EpisodeMemory, findings: Iterable[Finding], moment: Moment
) -> Step:
    own = next((f for f in findings if f.rule.name == episode.rule), None)
    ended_at = episode.clear_since
    return _step(kind, "closed", episode=episode, moment=moment, finding=own, ended_at=ended_at)


def _extend(episode: EpisodeMemory, finding: Finding, moment: Moment) -> None:
    """Carry a rule's run on, begin it, or end it."""
    name = finding.rule.name
    run = episode.runs.get(name)
    if finding.stance in {CLEAR, MUTED}:
        episode.runs.pop(name, None)
        return
    if run is not None and moment.time - run.last > finding.rule.gap_seconds:
        del episode.runs[name]
        run = None
    if run is None:
        if finding.stance != BEYOND:
            return
        run = episode.runs[name] = _begun(finding, moment)
    else:
        run.longest_gap = max(run.longest_gap, moment.time - run.last)
        if moment.time == run.last:
            run.same_time += 1
            run.same_minute = run.same_minute or moment.time % MINUTE == 0
    run.last = moment.time
    run.seen += 1
    if finding.stance == BEYOND:
        run.beyond += 1
        run.extreme = _worst(finding.rule.direction, (run.extreme, finding.value))


def _begun(finding: Finding, moment: Moment) -> Run:
    """A run that begins with a finding, or began where the finding knows that it did."""
    since = moment.time if finding.since is None else finding.since
    before = finding.stretches - 1
    gap = moment.time - since if finding.longest_gap is None else finding.longest_gap
    return Run(since, moment.time, beyond=before, seen=before, longest_gap=gap)


def _persisted(episode: EpisodeMemory, finding: Finding, moment: Moment) -> bool:
    """Whether a rule that is beyond has been so for long enough."""
    if finding.stance != BEYOND:
        return False
    run, rule = episode.runs[finding.rule.name], finding.rule
    enough = run.beyond >= rule.readings and 2 * run.beyond >= run.seen
    lasted = moment.time - run.since + (MINUTE if run.same_minute else 0.0)
    return enough and lasted >= needed_seconds(rule, moment)


def _readied(
    kind: str,
    episode: EpisodeMemory,
    *,
    worst: Finding,
    findings: Iterable[Finding],
    persisted: Collection[Finding],
) -> _Ready:
    """A kind that has persisted. What an activity explained is no part of it, unless the run that
    counts it has persisted itself."""
    explained = {
        finding.rule.name
        for finding in findings
        if finding.rule.counts_activity and finding not in persisted
    }
    runs = tuple(run for name, run in episode.runs.items() if name not in explained)
    beyond = tuple(finding for finding in findings if finding.stance == BEYOND)
    return _Ready(kind, episode, worst, runs, beyond, tuple(persisted))


def needed_seconds(rule: Rule, moment: Moment) -> float:
    """The persistence delay in force."""
    return rule.unknown_seconds if moment.activity == "unknown" else rule.seconds


def _worst(direction: str, values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    if not (known and direction):
        return None
    return max(known) if direction == "above" else min(known)


def _keep_extreme(episode: EpisodeMemory, findings: list[Finding]) -> None:
    """Keep the worst value that the rule found by which the open episode is announced, and how far
    each signal went."""
    severity.keep_furthest(episode, findings)
    same = [
        finding.value
        for finding in findings
        if finding.stance == BEYOND and finding.rule.name == episode.rule
    ]
    episode.extreme = _worst(episode.direction, (episode.extreme, *same))


def _govern(episode: EpisodeMemory, finding: Finding, moment: Moment) -> None:
    """Let a finding be what the episode is announced by, and what its priority is."""
    _name(episode, finding, moment)
    severity.set_priority(episode, finding.rule.priority, moment.time)
    episode.rank = finding.rule.rank


def _with_extreme(episode: EpisodeMemory, finding: Finding) -> Finding:
    """A finding with the furthest value of its run."""
    run = episode.runs.get(finding.rule.name)
    known = None if run is None else run.extreme
    return finding if known is None else replace(finding, value=known)


def _name(episode: EpisodeMemory, finding: Finding, moment: Moment) -> None:
    """Let a finding be what the episode is announced by."""
    rule = finding.rule
    episode.limit, episode.limit_clear = finding.limit, finding.clear
    if rule.name == episode.rule and episode.open:
        return
    run = episode.runs.get(rule.name)
    values = [None if run is None else run.extreme, severity.furthest_of(episode, rule)]
    if (episode.signal, episode.direction) == (rule.signal, rule.direction):
        values.append(episode.extreme)
    episode.extreme = _worst(rule.direction, values)
    episode.rule, episode.signal, episode.direction = rule.name, rule.signal, rule.direction
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
    episode.highest, episode.furthest = "", {}
    severity.keep_furthest(episode, [_with_extreme(episode, one) for one in ready.findings])
    _govern(episode, finding, moment)
    runs = ready.runs
    begun = min(run.since for run in runs)
    episode.onset = _onset(episode, begun, episodes.ended.get(kind, LONG_AGO), moment.time)
    longest = max(runs, key=_seen)
    episode.samples, episode.same_time = longest.seen, longest.same_time
    episode.beyond = max(run.beyond for run in runs)
    episode.longest_gap = max(run.longest_gap for run in runs)
    episode.part_of, episode.part_announced, episode.value = "", False, None
    episode.joined = ()
    return _step(kind, "opened", episode=episode, moment=moment, finding=finding)


def _onset(episode: EpisodeMemory, begun: float, floor: float, time: float) -> float:
    """Where an episode begins: not before the last one of its kind ended. Where the reading of that
    end was withdrawn, at the next one that counts, so that it has an id of its own."""
    if begun > floor or episode.onset < floor:
        return max(begun, floor)
    return episode.onset if episode.onset > floor else time


def _with_parts(episodes: PatientEpisodes, step: Step, time: float) -> Step:
    parts = parts_of(episodes.by_kind, step.kind)
    return replace(step, parts=described(parts, time)) if parts else step


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
    severity.keep_announced(episode)
    episode.announced_at = moment.time
    episode.known = max(episode.known, moment.time if moment.known is None else moment.known)
    return Step(kind=kind, phase=phase, episode=copy(episode), ended_at=ended_at, finding=finding)
