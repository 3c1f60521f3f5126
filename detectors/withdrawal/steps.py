"""The events of steps that a withdrawal causes, with the withdrawal in their evidence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC
from typing import Any

from msgspec.structs import replace

from detectors.contract import LONG_AGO, Moment
from detectors.episodes.configuration import EpisodePolicy
from detectors.episodes.evidence import DETECTOR_VERSION, Origin, event
from detectors.episodes.grouping import lead_of
from detectors.episodes.memory import EpisodeMemory
from detectors.episodes.tracker import UNOBSERVED, Step
from detectors.withdrawal.case import CORRECTED, WITHDRAWN, Case, first_onset, priority_reached
from detectors.withdrawal.remaining import Spell, more_urgent
from detectors.withdrawal.standing import first_onset_of, onset_in, since
from vigil.domain.alert import USEFUL_FOR
from vigil.domain.episode import Event, Phase
from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.domain.reading import NO_CONTEXT, RestedOn

STEPS_UNSEEN = 2
"""Sequence numbers left free where the step that closed an episode was not stored yet."""
_KEPT = ("time_uncertain", "offset_seconds")
"""What a corrected step of an episode that is over still states."""


class WithdrawalSteps:
    """Makes the events of one configuration's patients."""

    def __init__(
        self,
        policies: Mapping[str, EpisodePolicy],
        late_after_seconds: float,
        config_hash: str,
    ):
        self._policies = policies
        self._late_after_seconds = late_after_seconds
        self._config_hash = config_hash

    def event(
        self,
        case: Case,
        step: Step,
        moment: Moment | None,
        *,
        retrospective: bool = False,
        facts: Mapping[str, Any] | None = None,
        reached: str = "",
    ) -> Event:
        """The event of a step, with the withdrawal in its evidence.

        Args:
            reached: the highest priority that the episode had by the withdrawn readings alone.
        """
        if moment is not None and step.ended_at is None and self._is_past(case, step, moment):
            moment = replace(moment, time=case.received, received=case.received, values={})
        if moment is None:
            moment = Moment(step.episode.last, case.received, {}, "unknown", "unknown:day")
        origin = Origin(
            patient_id=case.patient_id,
            config_hash=self._config_hash,
            quality=case.state.quality,
            synthetic=case.state.synthetic,
            retrospective=retrospective,
        )
        found = event(step, moment, origin, self._policies[step.kind], ())
        withdrawal = case.facts(found.signals, reached)
        evidence = {**found.evidence, **(facts or {}), "withdrawal": withdrawal}
        return replace(found, evidence=evidence)

    def _is_past(self, case: Case, step: Step, moment: Moment) -> bool:
        """Whether the latest reading that counts is not of now: it is history when it is withdrawn,
        or what was measured after it does not count."""
        withdrawn = case.measured(KINDS[step.kind].signals)
        late = case.received - moment.time > self._late_after_seconds
        return late or max(withdrawn, default=LONG_AGO) > moment.time

    def _is_history(self, case: Case, kind: str, episode: EpisodeMemory) -> bool:
        """Whether what goes on is history: its last reading was received late, however soon it was
        withdrawn what hid it, or is of no use any more."""
        delay = case.delay(KINDS[kind].signals, episode.last)
        age = case.received - episode.last
        useful = USEFUL_FOR[episode.priority].total_seconds()
        return delay > self._late_after_seconds or age > useful

    def mark(self, case: Case, one: RestedOn, evidence: Mapping[str, Any] | None = None) -> Event:
        """The last step of an episode that was over, and that rested on a withdrawn reading.

        Args:
            evidence: what it states; None: what it stated, as the reason of its end.
        """
        stated = {**one.evidence, "reason": WITHDRAWN} if evidence is None else evidence
        moment = case.withdrawal.time.astimezone(UTC)
        return Event(
            episode_id=one.episode_id,
            patient_id=case.patient_id,
            kind=one.kind,
            category=KINDS[one.kind].category,
            phase="closed",
            sequence=next_sequence(one),
            priority=one.priority,
            onset=one.onset,
            detected_at=moment,
            ended_at=one.ended_at or case.last_reading(one),
            retrospective=one.retrospective,
            signals=one.signals,
            evidence={**stated, "withdrawal": case.facts(one.signals)},
            context=NO_CONTEXT,
            detector_version=DETECTOR_VERSION,
            config_hash=self._config_hash,
            synthetic=one.synthetic,
        )

    def correct_ended(
        self, case: Case, one: RestedOn, spell: Spell, *, ended: float, reason: str, reached: str
    ) -> Event:
        """The last step of an episode that was over and stands, with the figures that it has
        without the withdrawn readings.

        Args:
            ended: when it ended.
            reason: why, where no reading showed its end.
            reached: as for :meth:`event`.
        """
        last, onset = spell.steps[-1], one.onset.timestamp()
        begin = onset_in(case, one.kind, spell, onset)
        episode = replace(
            since(case, one.kind, spell, begin),
            sequence=next_sequence(one),
            onset=begin,
            first_onset=first_onset_of(onset, first_onset(one), begin),
            reason=reason,
            known=max(ended, spell.memory.known),
            highest=more_urgent(priority_reached(one), spell.memory.priority),
        )
        step = replace(
            last.step, phase="closed", episode=episode, ended_at=ended, change="", parts=()
        )
        moment = last.moment if last.step.phase == "closed" or reason != UNOBSERVED else None
        found = self.event(
            case,
            step,
            moment,
            retrospective=one.retrospective,
            facts={"change": CORRECTED, **{k: one.evidence[k] for k in _KEPT if k in one.evidence}},
            reached=reached,
        )
        detected = case.withdrawal.time.astimezone(UTC)
        return replace(found, detected_at=detected, signals=one.signals, synthetic=one.synthetic)

    def announce(
        self, case: Case, kind: str, spell: Spell, received: float = 0.0
    ) -> Iterator[Event]:
        """Announce an episode that the remaining readings show, and that nobody announced.

        Args:
            received: receive time of the last reading, for one that is not over.
        """
        if spell.ended is not None:
            for row in spell.steps:
                yield self.event(case, row.step, row.moment, retrospective=True)
            return
        last, by_kind = case.again.last, case.state.episodes.by_kind
        late = self._is_history(case, kind, spell.memory)
        memory = by_kind[kind] = replace(
            spell.memory,
            announced_extreme=spell.memory.extreme,
            announced_at=spell.memory.last,
            known=case.received,
            received=received,
            repeat_from=LONG_AGO if late else spell.memory.last,
        )
        urgency = (PRIORITY_ORDER[memory.priority], memory.rank)
        lead = lead_of(by_kind, kind, urgency=urgency, time=memory.last)
        memory.sequence, memory.part_of = (0, "") if lead is None else (-1, lead)
        if lead is not None and not memory.runs:
            del by_kind[kind]  # what is no longer so is no part
        elif lead is None:
            yield self.event(case, step_of(kind, "opened", memory), last, retrospective=late)


def step_of(kind: str, phase: Phase, episode: EpisodeMemory, ended_at: float | None = None) -> Step:
    """A step that no finding of this moment caused."""
    return Step(kind=kind, phase=phase, episode=episode, ended_at=ended_at)


def next_sequence(one: RestedOn) -> int:
    """The sequence number of the next step of an episode that was over."""
    return one.sequence + (1 if one.ended_at is not None else STEPS_UNSEEN)
