"""Which open episode a further kind belongs to: one episode with parts in place of several.

Two kinds belong together when they have one cause (:data:`vigil.domain.kinds.Cause`) or look at one
signal; what belongs with a part belongs with its lead. A trend over days belongs to no other, and
opposites (:data:`vigil.domain.kinds.OPPOSITES`) never belong together: a pressure that was too high
and is too low now is another emergency. Of
those that belong together the most urgent leads: by priority, then by rank (limits before
combinations before baseline). What is as urgent as the lead is its part only where the cause is the
same; the earlier one leads.

An episode leads only while its own signal is measured: one that was last judged more than
:data:`TOGETHER_SECONDS` ago, as after a cuff was put away, hides nothing that happens now, nor one
of now what late readings show of long before.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from msgspec import Struct

from detectors.contract import Finding
from detectors.episodes.memory import EpisodeMemory, EpisodesByKind, open_episodes
from detectors.episodes.severity import keep_furthest
from vigil.domain.kinds import KINDS, OPPOSITES, PRIORITY_ORDER, Priority

TOGETHER_SECONDS = 3900.0
"""65 minutes, so that hourly charting is still together."""


class Part(Struct, frozen=True, gc=False):
    """A kind that holds, announced within another's episode."""

    kind: str
    rule: str
    signal: str
    priority: Priority
    value: float | None
    """As last judged."""
    limit: float | None
    since: float
    within: bool = False
    """Whether that value is beyond no limit of the kind: it may be over."""


def lead_of(
    by_kind: EpisodesByKind, kind: str, urgency: tuple[int, int], time: float
) -> str | None:
    """The open episode that a kind would be a part of; None: it stands alone.

    Args:
        urgency: the kind's place in the priority order, and its rank; lower is more urgent.
    """
    found = [
        ((PRIORITY_ORDER[other.priority], other.rank), other.onset, name)
        for name, other in open_episodes(by_kind)
        if name != kind
        and abs(time - other.last) <= TOGETHER_SECONDS
        and _belongs(kind, [name, *(part for part, _ in parts_of(by_kind, name))])
    ]
    leading = [
        one
        for one in found
        if one[0] < urgency or (one[0] == urgency and KINDS[one[2]].cause == KINDS[kind].cause)
    ]
    return min(leading)[2] if leading else None


def _belongs(kind: str, others: list[str]) -> bool:
    """Whether a kind belongs with a lead and its parts."""
    if any(frozenset({kind, other}) in OPPOSITES for other in others):
        return False
    return any(_related(kind, other) for other in others)


@cache
def _related(one: str, other: str) -> bool:
    if one == other:
        return False
    first, second = KINDS[one], KINDS[other]
    if not first.cause or "trend" in {first.cause, second.cause}:
        return False
    return first.cause == second.cause or not set(first.signals).isdisjoint(second.signals)


def join(episode: EpisodeMemory, lead: str, finding: Finding) -> None:
    """Let a kind that holds be a part of the lead's episode."""
    if episode.part_of != lead:
        episode.part_of, episode.part_announced, episode.furthest = lead, False, {}
        keep_furthest(episode, (finding,))
    rule = finding.rule
    episode.rule, episode.signal, episode.priority = rule.name, rule.signal, rule.priority
    episode.value, episode.limit = finding.value, finding.limit


def parts_of(by_kind: EpisodesByKind, lead: str) -> list[tuple[str, EpisodeMemory]]:
    """What the lead's episode carries, the most urgent first."""
    found = [(kind, episode) for kind, episode in by_kind.items() if episode.part_of == lead]
    return sorted(found, key=lambda one: (PRIORITY_ORDER[one[1].priority], one[0]))


def free_parts(by_kind: EpisodesByKind) -> None:
    """Let no kind be a part of what is not open: its lead ended, or goes on elsewhere."""
    for episode in by_kind.values():
        lead = by_kind.get(episode.part_of)
        if lead is None or not lead.open:
            episode.part_of = ""


def described(parts: Iterable[tuple[str, EpisodeMemory]], time: float) -> tuple[Part, ...]:
    """The same as plain figures, but for what was not judged of late."""
    return tuple(
        Part(
            kind=kind,
            rule=episode.rule,
            signal=episode.signal,
            priority=episode.priority,
            value=episode.value,
            limit=episode.limit,
            since=min(run.since for run in episode.runs.values()),
            within=episode.within,
        )
        for kind, episode in parts
        if episode.runs and time - episode.last <= TOGETHER_SECONDS
    )


def holding(
    parts: Iterable[tuple[str, EpisodeMemory]], time: float
) -> list[tuple[str, EpisodeMemory]]:
    """The parts that hold by their latest reading, which is of late: what can be announced."""
    return [
        (kind, episode)
        for kind, episode in parts
        if episode.runs and not episode.within and time - episode.last <= TOGETHER_SECONDS
    ]


def weighs(kind: str, episode: EpisodeMemory) -> bool:
    """Whether a part shows what its lead does not, so that it is announced without waiting.

    What is unusual by statistics alone adds nothing to a limit. Anything else does that is of
    medium priority or more, or of another cause.
    """
    cause = KINDS[kind].cause
    other = cause != KINDS[episode.part_of].cause
    return cause != "unusual" and (episode.priority != "low" or other)
