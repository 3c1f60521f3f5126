"""What a detector is: the contract that every one keeps, and what passes between them.

For each new reading of a patient the engine makes a :class:`Moment` and goes, in this order:

    1. admission   lets values through, or finds what is wrong with them
    2. examine     each detector of the registry, in its order, answers with findings
    3. episodes    turn findings into steps: delays, hysteresis, inhibition
    4. learn       each detector, unless the moment was refused; with the signals that it must not
                   learn because an episode is open on them

A detector object belongs to a configuration and holds no patient: what it knows of one is its
*memory*, made by ``fresh``, passed in, and saved as plain numbers by ``dump``. Detectors are
deterministic, do not read clocks, and do not change what they are given. A new one is a file with a
class and a row in :mod:`detectors.registry`; the law suite in ``tests/unit/detectors`` finds it
there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from math import inf
from typing import Any, ClassVar, Generic, Literal, Protocol, TypeVar, runtime_checkable

from msgspec import Struct, convert, to_builtins

from vigil.domain.kinds import Priority
from vigil.domain.reading import Activity

BEYOND: Literal[2] = 2
"""The condition holds."""
BETWEEN: Literal[1] = 1
"""Neither beyond the limit nor past its hysteresis."""
CLEAR: Literal[0] = 0
"""Past the hysteresis: the condition does not hold."""
MUTED: Literal[-1] = -1
"""It cannot be judged now, as a high heart rate while the person is active."""
Stance = Literal[2, 1, 0, -1]
LONG_AGO = -1e12
"""A time before all others, in seconds since 1970: nothing has happened yet."""
NEVER = inf
"""A time after all others: there is no deadline."""
M = TypeVar("M", bound=Struct)


class Moment(Struct, frozen=True, gc=False):
    """One new reading as the detectors see it. Times are seconds since 1970, UTC."""

    time: float
    received: float
    values: Mapping[str, float]
    """What admission let through; may be empty."""
    activity: Activity
    """As the device sends it, else from steps."""
    period: str
    """``rest:night``: activity and time of day, as the baseline distinguishes them."""
    steps_per_min: float | None = None
    contact: bool | None = None
    watched: Collection[str] = ()
    """Kinds that have an episode open or on its way. A detector may save the work of findings
    that are CLEAR for any other."""
    scores: dict[str, float] = {}
    """Scores that detectors gave this moment so far, for those after them and for the evidence:
    ``baseline.heart_rate`` → signed distance from the person's usual, in spreads. The one part of a
    moment that a detector may add to, under keys that begin with its own name."""
    context_source: str = ""
    """Where ``activity`` is from: ``device``, ``steps``, ``time_of_day``; empty: not known."""
    known: float | None = None
    """When it became known, for a reading that admission held back; None: when it was measured."""
    pace: float | None = None
    """Steps a minute as last counted, where ``activity`` is from them; None: it is not."""
    offset: float = 0.0
    """Seconds by which the clock that ``time`` is of is known to be behind; negative: ahead."""

    @property
    def lateness(self) -> float:
        """Seconds from measurement to receipt, but for what the clock is off."""
        return self.received - self.time - self.offset


class Rule(Struct, frozen=True, kw_only=True):
    """The part of a finding that does not change from reading to reading."""

    name: str
    """Names the limit or detector; unique in a configuration, and in the evidence."""
    detector: str
    kind: str
    signal: str
    """What is judged; ``""`` for a finding about no signal."""
    direction: Literal["above", "below", ""]
    priority: Priority
    rank: int
    """Of equal priority on the same signal the lower rank is announced: limits 0, combinations 1,
    baseline 2."""
    seconds: float = 0.0
    unknown_seconds: float = 0.0
    readings: int = 1
    counts_activity: bool = False
    """Whether its run counts what an activity explains too: then that is no onset unless the run
    itself is what persisted."""
    gap_seconds: float = NEVER
    """Readings of it further apart are not one run, where its kind would allow it."""


class Finding(Struct, frozen=True, gc=False):
    """What one rule finds at one moment."""

    rule: Rule
    stance: Stance
    value: float | None = None
    """With ``limit`` and ``clear``: judged, and written into the evidence, as their figures."""
    limit: float | None = None
    clear: float | None = None
    since: float | None = None
    """Where the condition is known to have begun before this reading."""
    reason: str = ""
    """For technical findings: ``out_of_range``, ``stuck``, ``systolic_not_above_diastolic`` …"""
    facts: Mapping[str, Any] | None = None
    """What else it rests on, for the evidence of a step that this finding governs: plain values
    under documented keys, as ``nights`` or ``parts``."""
    stretches: int = 1
    """How many judged readings (or blocks of readings, nights, days) lie from ``since`` to here."""
    longest_gap: float | None = None
    """The longest time between two of them, in seconds; None: all the time from ``since``."""


class Detector(Protocol):
    """One way of judging readings."""

    name: ClassVar[str]
    signals: frozenset[str]
    """What it looks at: it is asked only about moments that hold one of these."""

    def rules(self) -> Iterable[str]:
        """Names of the rules that its findings can carry."""

    def fresh(self) -> Any:
        """The memory of a patient never seen."""

    def examine(self, moment: Moment, memory: Any) -> Iterable[Finding]:
        """Judge a moment. May note in ``memory`` what judging needs; must not learn from it."""

    def learn(self, moment: Moment, memory: Any, frozen: Collection[str]) -> None:
        """Learn from a moment that was admitted, but for the signals in ``frozen``."""

    def evidence(self, moment: Moment, memory: Any, signal: str) -> dict[str, Any]:
        """What it adds to the evidence of any event about ``signal``: documented keys."""

    def dump(self, memory: Any) -> Any:
        """The memory as plain numbers, text, lists and dicts."""

    def load(self, plain: Any) -> Any:
        """The memory again: ``load(dump(m))`` goes on exactly as ``m`` would."""


@runtime_checkable
class Withdrawing(Protocol):
    """A detector that can take readings back from its memory."""

    def withdraw(self, memory: Any, moments: Sequence[Moment]) -> None:
        """Forget what the memory holds of withdrawn readings by themselves, the oldest first.

        What they have become a small part of (a fading mean) may stay.
        """


def stance_above(value: float, limit: float, clear: float, muted: bool = False) -> Stance:
    """Where a value is against a limit from which on it is beyond. ``muted``: not judged there.

    >>> stance_above(5.0, 5.0, 3.0), stance_above(4.0, 5.0, 3.0), stance_above(3.0, 5.0, 3.0)
    (2, 1, 0)
    """
    if value >= limit:
        return MUTED if muted else BEYOND
    return CLEAR if value <= clear else BETWEEN


class FindingsOnly:
    """A detector that adds nothing to the events of others: what it rests on goes with its own."""

    def evidence(self, moment: Moment, memory: Any, signal: str) -> dict[str, Any]:
        """Nothing to add."""
        del moment, memory, signal
        return {}


class Remembering(FindingsOnly, Generic[M]):
    """A detector whose memory is one struct of plain values, saved as it is."""

    memory: ClassVar[type[Any]]

    def fresh(self) -> M:
        """Nothing seen yet."""
        fresh: M = self.memory()
        return fresh

    def dump(self, memory: M) -> Any:
        """Its fields, as they are."""
        return to_builtins(memory)

    def load(self, plain: Any) -> M:
        """The memory from :meth:`dump`."""
        loaded: M = convert(plain, self.memory)
        return loaded


class Memoryless(FindingsOnly):
    """The parts of :class:`Detector` that one without a memory leaves empty."""

    def fresh(self) -> None:
        """Has none."""

    def learn(self, moment: Moment, memory: None, frozen: Collection[str]) -> None:
        """Learns nothing."""

    def dump(self, memory: None) -> None:
        """Has nothing to save."""

    def load(self, plain: None) -> None:
        """Has nothing to restore."""
