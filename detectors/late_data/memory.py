"""What is remembered of one patient's late readings while they come."""

from __future__ import annotations

from msgspec import Struct, field

from detectors.admission.tracks import Number
from detectors.context.activity import ContextMemory
from detectors.episodes.memory import EpisodesByKind
from vigil.domain.reading import Context


class LateReading(Struct, array_like=True):
    """A late reading that waits to be judged in order of time."""

    time: float
    received: float
    values: dict[str, float]
    until: dict[str, float]
    """Signal, or ``pressure`` → where its gap ends."""
    context: Context
    sequence: int | Number | None = None
    """The device's own number of the measurement; without the device in a state of before."""

    @property
    def number(self) -> Number | None:
        """The device's own of the measurement; None: it gives none."""
        return ("", self.sequence) if isinstance(self.sequence, int) else self.sequence


class JudgedReading(Struct, array_like=True):
    """A reading that was judged as it came, or as late data, behind a gap
    (:mod:`detectors.late_data.judged`)."""

    time: float
    received: float
    values: dict[str, float]
    context: Context
    before: dict[str, float]
    """Signal, or ``pressure`` → time of the reading before it; a gap that ends at this one says so
    more recently."""
    number: Number | None = None
    """The device's own of the measurement; None: it gives none."""


class HistoryReading(Struct, array_like=True):
    """A reading that came long after it was measured, newer than all that were judged."""

    time: float
    received: float
    values: dict[str, float]
    context: Context
    device: str
    synthetic: bool
    sequence: int | None = None
    shift: float = 0.0
    """By how much ``time`` is not that of its device's clock, in seconds."""

    @property
    def number(self) -> Number | None:
        """The device's own of the measurement; None: it gives none."""
        return None if self.sequence is None else (self.device, self.sequence)


class LateData(Struct, array_like=True):
    """What is remembered of one patient's late readings while they come
    (:mod:`detectors.engine.late_readings`)."""

    until: dict[str, float] = {}
    """Signal, or ``pressure`` → where the gap ends that is being filled."""
    episodes: EpisodesByKind = {}
    context: ContextMemory = field(default_factory=ContextMemory)
    received: float = 0.0
    """Receive time of the last."""
    quality: float = 1.0
    """Running share of late readings that could be judged, 0 to 1."""
    synthetic: bool = False
    waiting: list[LateReading] = []
    """Those not judged yet, as they came."""
    since: float = 0.0
    """Receive time of the first that waits."""
    history: list[HistoryReading] = []
    """Those that are newer than what was judged and wait for what may come before them, as they
    came (:mod:`detectors.late_data.history`)."""


def in_time(reading: LateReading | HistoryReading | JudgedReading) -> tuple[float, str, int]:
    """Key of the order in which late readings are judged: by time, of one time by device and its
    number, and else as they came."""
    return reading.time, *(reading.number or ("", 0))
