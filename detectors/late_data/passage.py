"""One pass over late readings in order of time, and what goes on meanwhile."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import Struct

from detectors.contract import NEVER, Moment
from detectors.episodes.grouping import lead_of
from detectors.episodes.memory import EpisodeMemory, EpisodesByKind, open_episodes
from detectors.episodes.tracker import Step
from detectors.late_data.gaps import Past
from detectors.late_data.judged import Chain
from vigil.domain.kinds import PRIORITY_ORDER


class LateStep(Struct, frozen=True, gc=False):
    """A step of a retrospective episode, and the moment that it became known by."""

    step: Step
    moment: Moment
    retrospective: bool
    """Whether it came so late that it is history."""


@dataclass(slots=True)
class Passage:
    """What one pass carries."""

    steps: list[LateStep]
    received: float
    """When the last of the late readings was received, by its own upload: where ticks fall among
    them decides nothing."""
    pending: dict[str, EpisodeMemory]
    """Kind → what was on its way where the gap began that is being filled."""
    chain: Chain
    late_only: dict[str, EpisodeMemory | None]
    """Kind → what the late readings show by themselves, where others follow that were judged."""

    def is_part(self, step: Step, past: Past | None, current: EpisodesByKind, time: float) -> bool:
        """Whether what opens belongs to an episode that was announced in its time and was open
        then: it is a part of that."""
        over = [] if past is None else [(r.kind, r.episode, r.ended_at) for r in past.bordering]
        over += [
            (row.step.kind, row.step.episode, row.step.ended_at)
            for row in self.steps
            if row.step.change == "earlier" and row.step.ended_at is not None
        ]
        over += [(kind, episode, NEVER) for kind, episode in open_episodes(current)]
        open_then = {kind: other for kind, other, end in over if other.onset <= time <= end}
        urgency = PRIORITY_ORDER[step.episode.priority], step.episode.rank
        return lead_of(open_then, step.kind, urgency, time) is not None

    def forget_earlier(self, kind: str, named_by: float) -> None:
        """Announce no step of a late episode that is the beginning of one that was announced."""
        self.steps[:] = [
            row
            for row in self.steps
            if (row.step.kind, row.step.episode.named_by) != (kind, named_by)
        ]
