"""One withdrawal of one patient: what it is about, and what an episode has to do with it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from msgspec import Struct

from detectors.admission.held_readings import Held
from detectors.admission.sources import Devices
from detectors.admission.tracks import Track
from detectors.episodes.memory import PatientEpisodes
from detectors.late_data.gaps import Known, Past
from detectors.late_data.memory import LateData
from detectors.withdrawal.remaining import JudgedAgain, more_urgent
from vigil.domain.kinds import KINDS, Priority
from vigil.domain.reading import Measurement, RestedOn, Withdrawal
from vigil.values import timestamps

WITHDRAWN = "reading_withdrawn"
"""The reason of an end: what it rested on does not count."""
CORRECTED = "corrected"
"""The change of an episode that stands, and whose figures are others without the withdrawn
readings."""


class Patient(Protocol):
    """The parts of a patient's state that a withdrawal changes."""

    episodes: PatientEpisodes
    tracks: dict[str, Track]
    held: dict[str, Held]
    devices: Devices
    first: float
    newest: dict[str, float]
    past: Past | None
    late: LateData | None
    memories: dict[str, Any]
    quality: float
    synthetic: bool
    withdrawals: list[str]

    @property
    def known(self) -> Known:
        """What was judged of the patient."""


class Case(Struct, frozen=True, gc=False):
    """One withdrawal of one patient."""

    patient_id: str
    state: Any
    """A :class:`Patient`."""
    withdrawal: Withdrawal
    received: float
    """When it was made, as a receive time."""
    times: dict[str, list[float]]
    """Signal → when it was measured by a withdrawn reading."""
    remaining: Sequence[Measurement]
    """The readings that still count."""
    again: JudgedAgain
    before: JudgedAgain
    """The same with the withdrawn readings: what differs is by them."""
    delays: dict[str, float] = {}
    """Id of a reading that still counts → seconds from its measurement to its receipt."""

    @property
    def since(self) -> float:
        """From when on all that counts is known."""
        return self.withdrawal.since.timestamp()

    def measured(self, signals: Iterable[str]) -> set[float]:
        """When any of these signals was measured by a withdrawn reading."""
        return {time for signal in signals for time in self.times.get(signal, ())}

    def remaining_times(self, signals: Iterable[str]) -> set[float]:
        """When any of these signals was measured by a reading that remains."""
        wanted = frozenset(signals)
        return {one.time.timestamp() for one in self.remaining if wanted & one.values.keys()}

    def delay(self, signals: Iterable[str], time: float) -> float:
        """Seconds from the measurement to the receipt of what remains of these signals at a time;
        where that is not known, to the patient's last upload, which is no sooner."""
        wanted, last = frozenset(signals), float(self.state.last_seen.received)
        known = [
            self.delays.get(one.reading_id, last - time)
            for one in self.remaining
            if one.time.timestamp() == time and wanted & one.values.keys()
        ]
        return min(known, default=last - time)

    def covers(self, kind: str, signal: str, *, begin: float, end: float) -> bool:
        """Whether a withdrawn reading of a kind's signals lies in a stretch.

        Args:
            signal: what a technical kind is about.
        """
        signals: Collection[str] = KINDS[kind].signals or (signal,)
        return any(begin <= time <= end for time in self.measured(signals))

    def facts(self, signals: Iterable[str], reached: str = "") -> dict[str, Any]:
        """What the evidence of a step says of the withdrawal.

        Args:
            reached: the highest priority that the episode had by the withdrawn readings alone;
                empty: it has the same without them.
        """
        facts = {
            "withdrawal_id": self.withdrawal.withdrawal_id,
            "reason": self.withdrawal.reason,
            "readings": len(self.measured(signals)),
        }
        return {**facts, "priority": reached} if reached else facts

    def last_reading(self, one: RestedOn) -> datetime:
        """When an episode ended of which that is not stored: with its last withdrawn reading."""
        times = self.measured(one.signals)
        return max(one.onset, datetime.fromtimestamp(max(times), UTC)) if times else one.onset


def times_of(withdrawal: Withdrawal) -> dict[str, list[float]]:
    """Signal → when it was measured by a withdrawn reading."""
    times: dict[str, list[float]] = {}
    for reading in withdrawal.readings:
        for signal in reading.values:
            times.setdefault(signal, []).append(reading.time.timestamp())
    return times


def delays_of(withdrawal: Withdrawal) -> dict[str, float]:
    """Id of a reading that still counts → seconds from its measurement to its receipt; nothing
    where the withdrawal does not state them."""
    stated = withdrawal.remaining_delays
    if len(stated) != len(withdrawal.remaining):
        return {}
    names = (one.reading_id for one in withdrawal.remaining)
    return dict(zip(names, stated, strict=True))


def priority_reached(one: RestedOn) -> Priority:
    """The highest priority that an announced episode had."""
    return more_urgent(one.priority, str(one.evidence.get("highest_priority") or ""))


def first_onset(one: RestedOn) -> float:
    """The onset that an announced episode was opened with, in seconds since 1970 UTC, where it is
    known to have begun earlier; 0: the onset itself.

    Raises:
        NotATimeError: the evidence states something else there.
    """
    stated = one.evidence.get("first_onset")
    return 0.0 if stated is None else timestamps.parse(str(stated)).timestamp()


def onsets_of(one: RestedOn) -> tuple[float, ...]:
    """The onset of an announced episode, and last the one that its id is made of."""
    onset = one.onset.timestamp()
    try:
        return onset, first_onset(one) or onset
    except timestamps.NotATimeError:  # of none of ours
        return (onset,)


def known_until(case: Case, one: RestedOn) -> float:
    """Up to when an episode that was over rests on readings; one whose end was not stored yet may
    rest on any."""
    return (one.known_at or case.withdrawal.time).timestamp()
