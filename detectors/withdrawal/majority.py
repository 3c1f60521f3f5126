"""Episodes that rest on more than a withdrawal holds: the baseline, scores, nights.

They cannot be judged again. They stand where their first reading counts, and more than half of
their readings do, as a run of readings counts as beyond where half of them are: a true alarm is not
taken back because one of a hundred readings was somebody else's. Of what they state, the furthest
value is corrected: it is no further than any that remains.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from detectors.episodes.evidence import judged
from detectors.episodes.memory import EpisodeMemory
from detectors.withdrawal.case import Case
from vigil.domain.kinds import KINDS
from vigil.domain.signals import SIGNALS

_OF_MANY = frozenset({"resting_heart_rate"})
"""What is judged that is of hundreds of readings each."""


class Left(Struct, frozen=True, gc=False):
    """What remains of an episode's readings."""

    furthest: float | None
    """The furthest of the values that remain; None: they have none of the judged signal."""

    def extreme(self, signal: str, direction: str, announced: float | None) -> float | None:
        """The furthest value that may still be stated. What is judged may be a mean of several, so
        it is no further than what was announced either."""
        if signal in _OF_MANY or announced is None:
            return announced
        if signal not in SIGNALS or self.furthest is None:
            return None
        nearer = min if direction == "above" else max
        return nearer(announced, self.furthest)


def left_of(
    case: Case, kind: str, signal: str, direction: str, *, begin: float, end: float
) -> Left | None:
    """What remains of an episode that cannot be judged again; None: it does not stand."""
    signals = frozenset(KINDS[kind].signals)
    if KINDS[kind].category != "clinical" or begin in case.measured(signals):
        return None
    gone = sum(begin <= time <= end for time in case.measured(signals))
    kept = [
        one
        for one in case.remaining
        if begin <= one.time.timestamp() <= end and not signals.isdisjoint(one.values)
    ]
    values = [one.values[signal] for one in kept if signal in one.values]
    further = max if direction == "above" else min
    return Left(further(values, default=None)) if gone < len(kept) else None


def corrected_memory(episode: EpisodeMemory, left: Left) -> EpisodeMemory:
    """An open episode without the withdrawn readings; itself: it states nothing of them."""
    extreme = left.extreme(episode.signal, episode.direction, episode.extreme)
    if extreme == episode.extreme:
        return episode
    return replace(episode, extreme=extreme, announced_extreme=extreme, furthest=None)


def corrected_evidence(evidence: dict[str, Any], left: Left) -> dict[str, Any]:
    """The same for the evidence of one that was over; itself: nothing changes."""
    signal, announced = str(evidence.get("signal")), evidence.get("extreme")
    extreme = judged(signal, left.extreme(signal, str(evidence.get("direction")), announced))
    if extreme == announced:
        return evidence
    rest = {key: value for key, value in evidence.items() if key != "extreme"}
    return rest if extreme is None else {**rest, "extreme": extreme}
