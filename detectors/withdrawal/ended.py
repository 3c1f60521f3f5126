"""Episodes that were over and rested on withdrawn readings.

One that stands is corrected by a last step where its priority, furthest value, limit or end were
others by the withdrawn readings; where they alone had shown its end, it goes on under its id. One
that does not stand is marked by a last step, so that nobody reads a false history.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from datetime import UTC, datetime

from msgspec.structs import replace

from detectors.contract import NEVER
from detectors.episodes.configuration import EpisodePolicy
from detectors.episodes.evidence import judged
from detectors.episodes.tracker import UNOBSERVED
from detectors.withdrawal.case import (
    CORRECTED,
    WITHDRAWN,
    Case,
    first_onset,
    known_until,
    onsets_of,
    priority_reached,
)
from detectors.withdrawal.forgetting import forget_announced
from detectors.withdrawal.majority import corrected_evidence, left_of
from detectors.withdrawal.remaining import Remaining, Spell, more_urgent
from detectors.withdrawal.standing import (
    first_onset_of,
    onset_in,
    reached_by,
    since,
    standing,
    standing_at,
    until,
)
from detectors.withdrawal.steps import WithdrawalSteps, next_sequence, step_of
from vigil.domain import ids
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.domain.reading import RestedOn
from vigil.values import timestamps

_SHOWN = ("priority", "rule", "extreme", "limit", "limit_clear")
"""What of an episode that is over is corrected."""
_OTHER_ENDS = frozenset({UNOBSERVED, "late_end", "rule_withdrawn"})
"""Reasons of ends that no reading showed: a withdrawn one has changed nothing of them."""
MOST_STEPS = 1_000_000
"""Of an episode; more is no episode of ours."""


class EndedEpisodes:
    """Judges the episodes of one configuration's patients again that were over."""

    def __init__(
        self,
        policies: Mapping[str, EpisodePolicy],
        steps: WithdrawalSteps,
        remaining: Remaining,
    ):
        self._policies = policies
        self._steps = steps
        self._remaining = remaining

    def settle(self, case: Case, one: RestedOn, known_onsets: Set[float]) -> Iterator[Event]:
        """Judge an episode that is over again: it is marked, corrected, or goes on after all.

        Args:
            known_onsets: of the kind's episodes that this withdrawal has steps of already.
        """
        onset, signal = one.onset.timestamp(), str(one.evidence.get("signal") or "")
        if not _is_known(case, one) or not case.covers(
            one.kind, signal, begin=onset, end=known_until(case, one)
        ):
            return
        ended = (one.ended_at or case.last_reading(one)).timestamp()
        rule, direction = str(one.evidence.get("rule")), str(one.evidence.get("direction") or "")
        left = None
        if not self._remaining.may_judge(rule, begin=onset, since=case.since):
            left = left_of(case, one.kind, signal, direction, begin=onset, end=ended)
        if left is not None:
            evidence = corrected_evidence(one.evidence, left)
            if evidence != one.evidence:
                yield self._steps.mark(case, one, {**evidence, "change": CORRECTED})
            return
        spells = self._remaining.spells(case.again, case.since, one.kind, rule, begin=onset)
        stands = standing(case, one.kind, spells, onset=onset, first_onset=first_onset(one))
        after = stands is not None and _followed(case, one, stands)
        if stands is not None and after:
            stands = until(case, one.kind, stands, ended)
        if stands is not None:
            yield from self._settle_standing(case, one, stands, followed=after)
            return
        forget_announced(case, one.kind, onset)
        yield self._steps.mark(case, one)
        end = (one.ended_at or case.withdrawal.time).timestamp()
        listed = {time for each in case.withdrawal.episodes for time in onsets_of(each)}
        announced = listed | known_onsets
        for spell in spells:
            known = spell.ended is not None or self._may_go_on(case, one.kind, spell)
            if known and onset < spell.onset <= end and spell.onset not in announced:
                received = case.state.last_seen.received
                yield from self._steps.announce(case, one.kind, spell, received=received)

    def _settle_standing(
        self, case: Case, one: RestedOn, stands: Spell, *, followed: bool
    ) -> Iterator[Event]:
        """Correct an episode that is over and stands, where a withdrawn reading made it other.

        Args:
            followed: a later one goes on with it; its end stays as it was announced.
        """
        onset, reason = one.onset.timestamp(), str(one.evidence.get("reason") or "")
        reached = reached_by(case, one.kind, stands, onset=onset, announced=one)
        ended = (one.ended_at or case.last_reading(one)).timestamp()
        end_withdrawn = not followed and reason not in _OTHER_ENDS
        end_withdrawn = end_withdrawn and case.covers(
            one.kind, stands.memory.signal, begin=ended, end=known_until(case, one)
        )
        if end_withdrawn and stands.ended is None and not one.retrospective:
            if self._may_go_on(case, one.kind, stands):
                yield self._reopen(case, one, stands, reached)
                return
            ended, reason = stands.memory.last, UNOBSERVED
        elif end_withdrawn and stands.ended is not None:
            ended, reason = stands.ended, stands.memory.reason
        moved = one.ended_at is not None and ended != one.ended_at.timestamp()
        moved = moved or onset_in(case, one.kind, stands, onset) != onset
        if reached or moved or self._differs(case, one, stands):
            yield self._steps.correct_ended(
                case, one, stands, ended=ended, reason=reason, reached=reached
            )

    def _differs(self, case: Case, one: RestedOn, stands: Spell) -> bool:
        """Whether an episode that is over has other figures without the withdrawn readings."""
        onset, rule = one.onset.timestamp(), one.evidence.get("rule")
        before = standing_at(case.before.spells.get(one.kind, ()), onset)
        if before is not None:
            return any(getattr(before.memory, n) != getattr(stands.memory, n) for n in _SHOWN)
        extreme = judged(stands.memory.signal, stands.memory.extreme)
        shown = (stands.memory.priority, stands.memory.rule, extreme)
        return shown != (one.priority, rule, one.evidence.get("extreme"))

    def _may_go_on(self, case: Case, kind: str, spell: Spell) -> bool:
        """Whether what the remaining readings show may be going on, and nothing of it is open."""
        current = case.state.episodes.by_kind.get(kind)
        recent = case.received - spell.memory.last <= self._policies[kind].unobserved_seconds
        return recent and not (current is not None and current.open)

    def _reopen(self, case: Case, one: RestedOn, spell: Spell, reached: str) -> Event:
        """Let an episode go on that ended by withdrawn readings alone."""
        onset = one.onset.timestamp()
        begin = onset_in(case, one.kind, spell, onset)
        highest = more_urgent(priority_reached(one), spell.memory.priority)
        memory = case.state.episodes.by_kind[one.kind] = replace(
            since(case, one.kind, spell, begin),
            sequence=next_sequence(one),
            onset=begin,
            first_onset=first_onset_of(onset, first_onset(one), begin),
            announced_extreme=spell.memory.extreme,
            announced_at=spell.memory.last,
            known=case.received,
            received=case.state.last_seen.received,
            highest=highest,
            repeat_from=spell.memory.last,
        )
        forget_announced(case, one.kind, onset)
        facts = {"change": "continues"}
        step = step_of(one.kind, "updated", memory)
        return self._steps.event(case, step, case.again.last, facts=facts, reached=reached)


def _followed(case: Case, one: RestedOn, spell: Spell) -> bool:
    """Whether a later episode that was announced is in one spell with an earlier one, whose end was
    of withdrawn readings: the later one states what both show, and the earlier one stays over."""
    if one.ended_at is None:
        return False
    own, current = onsets_of(one), case.state.episodes.by_kind.get(one.kind)
    later = [current.named_by] if current is not None and current.open else []
    later += [
        onsets_of(other)[-1]
        for other in case.withdrawal.episodes
        if other.kind == one.kind and not other.retrospective and _is_known(case, other)
    ]
    if spell.ended is not None:  # one that was over, and in whose stretch nothing was withdrawn
        before = case.before.spells.get(one.kind, ())
        shown = standing_at(before, one.onset.timestamp())
        later += [each.onset for each in before if each is not shown and each.ended is not None]
    last = NEVER if spell.ended is None else spell.ended
    return any(max(own) < time <= last for time in later)


def _is_known(case: Case, one: RestedOn) -> bool:
    """Whether it is an episode of this patient that is not marked yet, as Vigil names episodes."""
    try:
        first = first_onset(one)
    except timestamps.NotATimeError:
        return False
    opened = datetime.fromtimestamp(first, UTC) if first else one.onset
    named = ids.episode_id(case.patient_id, one.kind, opened) == one.episode_id
    counted = 0 <= one.sequence < MOST_STEPS
    return named and counted and one.kind in KINDS and one.evidence.get("reason") != WITHDRAWN
