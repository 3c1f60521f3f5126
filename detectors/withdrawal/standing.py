"""Whether an episode stands without the withdrawn readings, and as what."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

from msgspec.structs import replace

from detectors.contract import BEYOND
from detectors.episodes.memory import EpisodeMemory
from detectors.withdrawal.case import Case, priority_reached
from detectors.withdrawal.remaining import Spell, more_urgent
from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.domain.reading import RestedOn


def standing(
    case: Case, kind: str, spells: Iterable[Spell], *, onset: float, first_onset: float
) -> Spell | None:
    """The spell in which an episode of that onset still stands.

    Args:
        first_onset: the onset that it was opened with, and that its id is made of, if that moved;
            0: it did not. Where that counts it stands from there, whatever the onset is by now.
    """
    own = list(spells)
    counts = first_onset != 0.0 and first_onset in case.remaining_times(KINDS[kind].signals)
    named = standing_at(own, first_onset) if counts else None
    return named or standing_at(own, onset)


def onset_in(case: Case, kind: str, spell: Spell, onset: float) -> float:
    """The onset of an episode that stands: its own, or where the readings that remain begin, also
    before it where the withdrawn ones had kept them apart; where its own was withdrawn, the first
    after it that remains."""
    before, signals = standing_at(case.before.spells.get(kind, ()), onset), KINDS[kind].signals
    apart = before is not None and spell.onset < before.onset
    begin = spell.onset if apart else max(spell.onset, onset)
    remaining = case.remaining_times(signals)
    if begin not in case.measured(signals) or begin in remaining:
        return begin
    return min((t for t in remaining if begin < t <= spell.until), default=spell.memory.last)


def standing_at(spells: Iterable[Spell], onset: float) -> Spell | None:
    """The spell that a time lies in."""
    for spell in spells:
        if spell.onset <= onset and (spell.ended is None or spell.ended >= onset):
            return spell
    return None


def until(case: Case, kind: str, spell: Spell, end: float) -> Spell | None:
    """The beginning of a spell, up to the end of an episode that a later one follows in it; None:
    it shows none until then."""
    steps = [row for row in spell.steps if row.moment.time <= end]
    if not steps:
        return None
    shown = steps[-1].step.episode
    values = [
        finding.value
        for time, findings in case.again.judged.get(kind, ())
        for finding in findings
        if spell.onset <= time <= end
        and finding.stance == BEYOND
        and finding.rule.name == shown.rule
        and finding.value is not None
    ]
    further = max if shown.direction == "above" else min
    extreme = further(values, default=shown.extreme)
    return replace(spell, memory=replace(shown, extreme=extreme), steps=steps, ended=end)


def since(case: Case, kind: str, spell: Spell, begin: float) -> EpisodeMemory:
    """The figures that the remaining readings show from ``begin`` on: readings before the onset of
    an episode are none of its own."""
    rows = [row for row in case.again.judged.get(kind, ()) if row[0] >= begin]
    rows = [row for row in rows if row[0] <= spell.memory.last]
    if begin <= spell.onset or not rows:
        return spell.memory
    times = [time for time, _ in rows]
    beyond = [time for time, findings in rows if any(one.stance == BEYOND for one in findings)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return replace(
        spell.memory,
        samples=len(rows),
        beyond=len(beyond),
        same_time=gaps.count(0.0),
        longest_gap=max(gaps, default=0.0),
    )


def reached_by(
    case: Case,
    kind: str,
    stands: Spell | None,
    *,
    onset: float,
    announced: RestedOn | None = None,
) -> str:
    """The highest priority that an episode had by the withdrawn readings alone, or nothing."""
    if stands is None:
        return ""
    before = standing_at(case.before.spells.get(kind, ()), onset)
    if before is not None:
        reached = before.reached
    elif announced is not None:
        reached = priority_reached(announced)
    else:
        return ""
    less = PRIORITY_ORDER[stands.reached] > PRIORITY_ORDER[reached]
    return reached if less else ""


def first_onset_of(onset: float, first: float, now: float) -> float:
    """What an episode whose onset is ``now`` remembers of the one that its id is made of; 0: it is
    the onset.

    Args:
        onset: the one that it had.
        first: what was remembered.
    """
    named = first or onset
    return 0.0 if named == now else named


def going_on(case: Case, kind: str, episode: EpisodeMemory, spell: Spell) -> EpisodeMemory:
    """An open episode with the figures that the remaining readings show."""
    highest = more_urgent(episode.priority, episode.highest)
    onset = onset_in(case, kind, spell, episode.onset)
    return replace(
        since(case, kind, spell, onset),
        onset=onset,
        first_onset=first_onset_of(episode.onset, episode.first_onset, onset),
        announced_extreme=spell.memory.extreme,
        highest=more_urgent(highest, spell.reached),
        part_of="",
        part_announced=False,
    )
