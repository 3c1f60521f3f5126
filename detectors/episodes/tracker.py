"""Findings to episodes: the one place that knows delay, hysteresis, inhibition and re-arming.

A kind is *watched* in a patient from its first BEYOND on. Each of its rules has a run: since when
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
tells of it, one in ``update_seconds`` at most. Of kinds that persist at the same moment the most
urgent opens and the others are its parts. A part changes neither priority nor end of its lead; one
that becomes more urgent than the lead opens an episode of its own, and leads from then on. When the
lead closes and a part still holds, the part opens, with its true onset. What was open already when
a more urgent kind opened stays so, tells of no worsening meanwhile, and its own values close it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from detectors.contract import BEYOND, CLEAR, MUTED, Finding, Moment, Rule
from detectors.episodes.grouping import Part, described, join, lead_of, parts_of, weighs
from detectors.episodes.memory import NEVER, Book, Run, Watch
from detectors.sections.patient import EpisodePolicy
from vigil.domain.episode import Phase
from vigil.domain.figures import figure
from vigil.domain.kinds import PRIORITY_ORDER


class Step(NamedTuple):
    """What is to be told: one event."""

    kind: str
    phase: Phase
    watch: Watch
    ended_at: float | None = None
    finding: Finding | None = None
    """What its rule said of this moment; None where it said nothing, as when it is withdrawn."""
    parts: tuple[Part, ...] = ()
    """Other kinds that hold and are told within this episode."""


class _Ready(NamedTuple):
    """A kind whose condition has persisted."""

    kind: str
    watch: Watch
    finding: Finding


class Episodes:
    """Holds the policies of a configuration; a patient's book is passed in, and changed."""

    def __init__(self, policies: Mapping[str, EpisodePolicy]):
        self._policies = policies

    def note(self, book: Book, findings: Iterable[Finding], moment: Moment) -> list[Step]:
        """Take one moment's findings; return what is to be told, the most urgent first.

        A kind goes forward in time only: what is older than what it has noted is left out.
        """
        watches, ready = book.watches, list[_Ready]()
        steps: list[Step] = []
        found = sorted(findings, key=_by_kind)
        for kind, group in groupby(found, key=_by_kind):
            told = list(group)
            watch = watches.get(kind)
            if watch is None:
                if not any(finding.stance == BEYOND for finding in told):
                    continue
                if moment.time <= book.ended.get(kind, NEVER):
                    continue
                watch = watches[kind] = Watch(runs={})
            if moment.time < watch.last:
                continue
            watch.last = moment.time
            self._note_kind(kind, watch, told, moment, ready, steps)
            if not watch.open and not watch.runs:
                del watches[kind]
        _put_away(book, steps, moment)
        ready.sort(key=lambda r: (PRIORITY_ORDER[r.finding.rule.priority], r.finding.rule.rank))
        for candidate in ready:
            steps.extend(self._tell(book, candidate, moment))
        if ready:
            steps.extend(self._tell_of_parts(book, steps, found, moment))
        if len(watches) > 1:
            steps = [_with_parts(book, step, moment.time) for step in steps]
        return sorted(steps, key=lambda s: (PRIORITY_ORDER[s.watch.priority], s.kind))

    def retire(self, book: Book, rules: Collection[str], moment: Moment) -> list[Step]:
        """Let go of what no rule in force judges any more, as after a change of configuration."""
        steps = []
        for kind, watch in list(book.watches.items()):
            for name in [name for name in watch.runs if name not in rules]:
                del watch.runs[name]
            if watch.open and watch.rule not in rules:
                watch.reason = "rule_withdrawn"
                steps.append(_told(kind, "closed", watch, moment, None, moment.time))
            elif not watch.open and not watch.runs:
                del book.watches[kind]
        _put_away(book, steps, moment)
        return steps

    def end(self, book: Book, moment: Moment, reason: str) -> list[Step]:
        """Close what is open, and let go of what is on its way: nothing more will be judged."""
        opened = [(kind, watch) for kind, watch in book.watches.items() if watch.open]
        book.watches = dict(opened)
        steps = []
        for kind, watch in opened:
            watch.reason = reason
            steps.append(_told(kind, "closed", watch, moment, None, moment.time))
        _put_away(book, steps, moment)
        return steps

    def _note_kind(
        self,
        kind: str,
        watch: Watch,
        findings: list[Finding],
        moment: Moment,
        ready: list[_Ready],
        steps: list[Step],
    ) -> None:
        """One kind: its runs, then whether it has persisted or has ended."""
        policy = self._policies[kind]
        oldest = moment.time - policy.gap_seconds
        for name in [name for name, run in watch.runs.items() if run.last < oldest]:
            del watch.runs[name]
        for finding in findings:
            _extend(watch, finding, moment)
        watch.samples += watch.open
        if any(finding.stance == BEYOND for finding in findings):
            watch.clear_seen = 0
            if watch.open:
                _follow(watch, findings)
            persisted = [f for f in findings if _persisted(watch, f, moment)]
            if persisted:
                worst = min(persisted, key=lambda f: PRIORITY_ORDER[f.rule.priority])
                ready.append(_Ready(kind, watch, worst))
        elif watch.open and not watch.runs and all(f.stance == CLEAR for f in findings):
            watch.clear_since = watch.clear_since if watch.clear_seen else moment.time
            watch.clear_seen += 1
            lasted = moment.time - watch.clear_since
            if watch.clear_seen >= policy.clear_readings and lasted >= policy.clear_seconds:
                own = next((f for f in findings if f.rule.name == watch.rule), None)
                steps.append(_told(kind, "closed", watch, moment, own, watch.clear_since))

    def _tell(self, book: Book, ready: _Ready, moment: Moment) -> Iterable[Step]:
        """Open, join, raise, or tell of a worsening."""
        kind, watch, finding = ready
        rule = finding.rule
        if not watch.open:
            lead = _lead(book, kind, rule, moment)
            if lead is not None:
                join(watch, lead, finding)
                return ()
            return (_opened(book, ready, moment),)
        if PRIORITY_ORDER[rule.priority] < PRIORITY_ORDER[watch.priority]:
            _govern(watch, finding, moment)
            return (_told(kind, "updated", watch, moment, finding),)
        worse = self._due(kind, watch, moment) and _worse_by(watch) >= self._step_of(kind)
        if worse and _lead(book, kind, watch, moment) is None:
            return (_told(kind, "updated", watch, moment, finding),)
        return ()

    def _tell_of_parts(
        self, book: Book, steps: Iterable[Step], findings: list[Finding], moment: Moment
    ) -> list[Step]:
        """Tell of parts that joined, where the lead is not told of now anyway."""
        watches, told = book.watches, {step.kind for step in steps if step.phase != "closed"}
        more: list[Step] = []
        for lead in sorted({watch.part_of for watch in watches.values() if watch.part_of}):
            watch = watches[lead]
            parts = parts_of(watches, lead)
            untold = any(weighs(kind, part) and not part.part_told for kind, part in parts)
            if untold and lead not in told and self._due(lead, watch, moment):
                own = next((f for f in findings if f.rule.name == watch.rule), None)
                more.append(_told(lead, "updated", watch, moment, own))
                told.add(lead)
            if lead in told:
                for _, part in parts:
                    part.part_told = True
        return more

    def _due(self, kind: str, watch: Watch, moment: Moment) -> bool:
        return moment.time - watch.told_at >= self._policies[kind].update_seconds

    def _step_of(self, kind: str) -> float:
        return self._policies[kind].update_step


_by_kind = attrgetter("rule.kind")


def _put_away(book: Book, steps: Iterable[Step], moment: Moment) -> None:
    """Take what was closed off the book."""
    for step in steps:
        if step.phase == "closed":
            del book.watches[step.kind]
            book.ended[step.kind] = moment.time
            for _, part in parts_of(book.watches, step.kind):
                part.part_of = ""


def _extend(watch: Watch, finding: Finding, moment: Moment) -> None:
    """Carry a rule's run on, begin it, or end it."""
    name = finding.rule.name
    run = watch.runs.get(name)
    if finding.stance in {CLEAR, MUTED}:
        watch.runs.pop(name, None)
        return
    if run is None:
        if finding.stance != BEYOND:
            return
        since = moment.time if finding.since is None else finding.since
        run = watch.runs[name] = Run(since, moment.time)
    run.last = moment.time
    run.seen += 1
    if finding.stance == BEYOND:
        run.beyond += 1
        run.extreme = _worst(finding.rule.direction, (run.extreme, finding.value))


def _persisted(watch: Watch, finding: Finding, moment: Moment) -> bool:
    """Whether a rule that is beyond has been so for long enough."""
    if finding.stance != BEYOND:
        return False
    run, rule = watch.runs[finding.rule.name], finding.rule
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


def _follow(watch: Watch, findings: list[Finding]) -> None:
    """Follow the worst value of what the open episode is told by."""
    same = [
        finding.value
        for finding in findings
        if finding.stance == BEYOND
        and (finding.rule.signal, finding.rule.direction) == (watch.signal, watch.direction)
    ]
    watch.extreme = _worst(watch.direction, (watch.extreme, *same))


def _govern(watch: Watch, finding: Finding, moment: Moment) -> None:
    """Let a finding be what the episode is told by."""
    rule = finding.rule
    known = watch.runs[rule.name].extreme
    if (watch.signal, watch.direction) == (rule.signal, rule.direction):
        known = _worst(rule.direction, (watch.extreme, known))
    watch.extreme = known
    watch.rule, watch.signal, watch.direction = rule.name, rule.signal, rule.direction
    watch.priority, watch.rank = rule.priority, rule.rank
    watch.limit, watch.limit_clear = finding.limit, finding.clear
    watch.condition_seconds, watch.readings = needed_seconds(rule, moment), rule.readings
    watch.reason = finding.reason


def _lead(book: Book, kind: str, urgent: Rule | Watch, moment: Moment) -> str | None:
    """The open episode that a kind of this priority and rank would be a part of."""
    urgency = (PRIORITY_ORDER[urgent.priority], urgent.rank)
    return lead_of(book.watches, kind, urgency, moment.time)


def _opened(book: Book, ready: _Ready, moment: Moment) -> Step:
    """The first step of an episode, which begins where its run did."""
    kind, watch, finding = ready
    _govern(watch, finding, moment)
    begun = min(run.since for run in watch.runs.values())
    watch.onset = max(begun, book.ended.get(kind, NEVER))
    watch.samples = max(run.seen for run in watch.runs.values())
    watch.part_of, watch.part_told, watch.value = "", False, None
    return _told(kind, "opened", watch, moment, finding)


def _with_parts(book: Book, step: Step, time: float) -> Step:
    parts = parts_of(book.watches, step.kind)
    return step._replace(parts=described(parts, time)) if parts else step


def _worse_by(watch: Watch) -> float:
    """How far the extreme went past what was last told."""
    if watch.extreme is None or watch.told_extreme is None:
        return 0.0
    gap = figure(watch.signal, watch.extreme) - figure(watch.signal, watch.told_extreme)
    return gap if watch.direction == "above" else -gap


def _told(
    kind: str,
    phase: Phase,
    watch: Watch,
    moment: Moment,
    finding: Finding | None,
    ended_at: float | None = None,
) -> Step:
    watch.sequence += 1
    watch.told_extreme = watch.extreme
    watch.told_at = moment.time
    watch.known = max(watch.known, moment.time if moment.known is None else moment.known)
    return Step(kind, phase, watch, ended_at, finding)
