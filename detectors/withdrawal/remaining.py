"""What the readings that still count show by themselves: judged from the beginning, apart.

They are held against the absolute limits in force, as late readings are: with the same delays,
readings and hysteresis, in the order of their own time and with the activity that they themselves
report; and against partial NEWS2 and blood pressure over days, whose memories are made of a day and
of some days of readings. Nothing is grouped: each kind stands for itself. What rests on a longer
memory (the baseline, other scores, nights) cannot be judged again from so few readings.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from detectors.admission.repeated_pressure import RepeatedPressure
from detectors.admission.rules import Admission, possible
from detectors.admission.tracks import number_of
from detectors.blood_pressure_over_days.detector import PressureDays
from detectors.configuration.patient import PatientConfig
from detectors.context import activity
from detectors.context.activity import ContextMemory
from detectors.contract import Detector, Finding, Moment
from detectors.early_warning.news2 import EarlyWarningScore
from detectors.episodes.memory import EpisodeMemory, EpisodesByKind, PatientEpisodes
from detectors.episodes.tracker import Episodes, Step
from detectors.limits.combination import Combination
from detectors.limits.detector import Limits
from vigil.domain.kinds import KINDS, PRIORITY_ORDER, Priority
from vigil.domain.reading import Measurement
from vigil.domain.signals import SIGNALS

_JUDGED_AGAIN = (Limits.name, Combination.name, EarlyWarningScore.name, PressureDays.name)
"""The detectors whose memories, if any, are made of the readings that a withdrawal holds."""


class JudgedStep(Struct, frozen=True, gc=False):
    """A step, and the moment that it became known by."""

    step: Step
    moment: Moment


class Spell(Struct, gc=False):
    """An episode as the remaining readings show it."""

    onset: float
    memory: EpisodeMemory
    """As it was after its last step; of one that is not over, as it is after the last reading."""
    steps: list[JudgedStep] = field(default_factory=list)
    ended: float | None = None
    """None: it is not over."""

    @property
    def until(self) -> float:
        """When it ended, or its last reading."""
        return self.memory.last if self.ended is None else self.ended

    @property
    def reached(self) -> Priority:
        """The highest priority that it had."""
        return more_urgent(self.memory.priority, self.memory.highest)


Judged = tuple[float, list[Finding]]
"""Findings of one kind, and the time that they are of."""


class JudgedAgain(Struct, gc=False):
    """What the remaining readings show."""

    pending: EpisodesByKind
    """What has not ended after the last of them, open or not."""
    spells: dict[str, list[Spell]]
    """Kind → its episodes, the oldest first."""
    last: Moment | None
    """The moment of the last reading; None: none remains."""
    judged: dict[str, list[Judged]] = field(default_factory=dict)
    """Kind → what was found of it, in order of time."""


class Remaining:
    """Judges remaining readings by what of one configuration can be judged from them alone."""

    def __init__(
        self, config: PatientConfig, episodes: Episodes, detectors: Mapping[str, Detector]
    ):
        self._context = config.context
        self._admission = Admission(config.admission)
        self._episodes = episodes
        self._detectors = [detectors[name] for name in _JUDGED_AGAIN if name in detectors]
        self.rules = frozenset(rule for detector in self._detectors for rule in detector.rules())
        """Names of the rules that can be judged again."""

    def judge(
        self, readings: Iterable[Measurement], signals: Collection[str], received: float
    ) -> JudgedAgain:
        """Judge readings from the beginning.

        Args:
            readings: in any order; every one that counts of ``signals``.
            signals: only kinds about one of them are judged.
            received: receive time of what made them be judged again.
        """
        wanted = set(signals)
        kinds = {name for name, kind in KINDS.items() if not wanted.isdisjoint(kind.signals)}
        found, ended = JudgedAgain({}, {}, None), dict[str, dict[str, float]]()
        judges = [(detector, detector.fresh()) for detector in self._detectors]
        for bare in self.moments(readings, received):
            found.last = moment = replace(bare, watched=tuple(found.pending))
            by_kind: dict[str, list[Finding]] = {}
            for detector, memory in judges:
                if detector.signals.isdisjoint(moment.values):
                    continue
                for finding in detector.examine(moment, memory):
                    if finding.rule.kind in kinds:
                        by_kind.setdefault(finding.rule.kind, []).append(finding)
                detector.learn(moment, memory, ())
            for kind, findings in sorted(by_kind.items()):
                found.judged.setdefault(kind, []).append((moment.time, findings))
                own = {kind: found.pending.pop(kind)} if kind in found.pending else {}
                episodes = PatientEpisodes(own, ended.setdefault(kind, {}))
                for step in self._episodes.take_findings(episodes, findings, moment):
                    _remember(found.spells, step, moment)
                found.pending.update(episodes.by_kind)
        for kind, spells in found.spells.items():
            if spells[-1].ended is None:
                spells[-1].memory = found.pending[kind]
        return found

    def may_judge(self, rule: str, begin: float, since: float) -> bool:
        """Whether an episode by a rule, from ``begin`` on, can be judged again by readings from
        ``since`` on."""
        return rule in self.rules and begin >= since

    def spells(
        self, again: JudgedAgain, since: float, kind: str, rule: str, begin: float
    ) -> list[Spell]:
        """What the remaining readings show of a kind; nothing where they cannot."""
        judged = self.may_judge(rule, begin, since)
        return again.spells.get(kind, []) if judged else []

    def moments(self, readings: Iterable[Measurement], received: float) -> Iterator[Moment]:
        """The moments of readings, in order of time, in the context that they themselves report."""
        memory, pressures = ContextMemory(), RepeatedPressure(self._admission)
        for reading in sorted(readings, key=lambda each: (each.time, each.reading_id)):
            time, context = reading.time.timestamp(), reading.context
            activity.take_context(self._context, memory, time=time, context=context)
            known = {name: value for name, value in reading.values.items() if name in SIGNALS}
            known = pressures.without(known, time, number_of("", reading))
            values = {} if context.contact is False else possible(known)
            if "heart_rate" in values:
                rate = values["heart_rate"]
                activity.take_heart_rate(self._context, memory, time=time, rate=rate)
            here = activity.context_at(self._context, memory, time)
            yield Moment(
                time=time,
                received=received,
                values=dict(sorted(values.items())),
                activity=here.activity,
                period=here.period,
                steps_per_min=context.steps_per_min,
                contact=context.contact,
                context_source=here.source,
            )


def more_urgent(one: Priority, other: str) -> Priority:
    """The more urgent of two priorities; the second may be unknown.

    >>> more_urgent("medium", "high"), more_urgent("medium", "")
    ('high', 'medium')
    """
    known: list[Priority] = [name for name in PRIORITY_ORDER if name in {one, other}]
    return min(known, key=PRIORITY_ORDER.__getitem__)


def _remember(spells: dict[str, list[Spell]], step: Step, moment: Moment) -> None:
    """Keep a step as it is now: its episode goes on changing."""
    kept = replace(step, episode=replace(step.episode))
    own = spells.setdefault(step.kind, [])
    if step.phase == "opened":
        own.append(Spell(step.episode.onset, kept.episode))
    spell = own[-1]
    spell.steps.append(JudgedStep(kept, moment))
    if step.phase == "closed":
        spell.memory, spell.ended = kept.episode, step.ended_at
