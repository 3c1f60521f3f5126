"""Heart rates that no activity explains by what they add up to: interrupted, or measured rarely.

The rows of ``[exertion]`` (:mod:`detectors.limits.exertion`) are about one run of readings. A rate
past the maximum for 25 minutes of each hour is no such run, and one reading of 165 in 31 minutes is
none either. Here the time at a row's limit is added up, over whatever lies between: each stretch
between two readings that both count adds its length, half an hour at most; all other time is a
pause and takes away a quarter of its length. So what fills more than a fifth of the time adds up in
the end, and two races on two days do not. It is beyond from a quarter more than the row's
``seconds`` on, in as many readings as the row asks for, five minutes apart.

The figures are our own. An episode begins where the stretch began in which this was reached.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, ClassVar

from msgspec import convert, to_builtins
from msgspec.structs import replace

from detectors.contract import BETWEEN, BEYOND, CLEAR, Finding, FindingsOnly, Moment, Rule, Stance
from detectors.limits.configuration import Limit
from detectors.limits.detector import NOTHING
from detectors.limits.exertion import LONGEST_GAP_SECONDS, ExertionThreshold, exertion_thresholds
from detectors.limits.exertion_configuration import AgeConfig, Exertion
from detectors.limits.exertion_memory import Effort
from vigil.domain.figures import figure
from vigil.values.rounding import half_up

SIGNAL = "heart_rate"
MORE = 1.25
"""So many times a row's ``seconds`` are beyond, where pauses lie between."""
PAUSE = 0.25
"""The share of a pause that is taken away."""
APART_SECONDS = 300.0
"""Readings nearer to each other than this count as one: a sprint of three readings is one."""
STRETCH_SECONDS = 3900.0
"""Readings further apart are not one stretch, as ``gap_seconds`` of a fast heart's episodes."""
Memory = dict[str, Effort]
"""Row → what was added up; only of rows of which something was."""


class TotalExertion(FindingsOnly):
    """Judges the time that a heart rate adds up to while activity would explain it for a while.

    Args:
        age: whose limits they are.
        exertion: the rows; those about the heart rate count.
    """

    name: ClassVar[str] = "exertion"

    def __init__(
        self, limits: Mapping[str, Limit], age: AgeConfig, exertion: Mapping[str, Exertion]
    ):
        rows = exertion_thresholds(limits, exertion, age, signal=SIGNAL)
        self._rows = [(row, _rule(row.rule)) for row in rows]
        self._enough = [(row.rule.name, MORE * row.rule.seconds) for row in rows]
        self._kinds = frozenset(row.rule.kind for row in rows)
        self._near = min((row.limit for row in rows), default=0.0) - 1.0
        """Under this no figure counts."""
        self.signals = frozenset({SIGNAL} if rows else ())

    def rules(self) -> Iterable[str]:
        """One a row in force."""
        return [rule.name for _, rule in self._rows]

    def fresh(self) -> Memory:
        """Nothing added up."""
        return {}

    def examine(self, moment: Moment, memory: Memory) -> Iterable[Finding]:
        """A finding a row that is beyond; of all rows while an episode of theirs is open."""
        value = moment.values.get(SIGNAL)
        if value is None:
            return NOTHING
        calm = not memory or value < self._near
        if self._kinds.isdisjoint(moment.watched) and (calm or not self._may_be_beyond(memory)):
            return NOTHING
        found, read = [], _read(value)
        for row, rule in self._rows:
            effort = _after(memory.get(row.rule.name), row, read, moment)
            stance = _stance(effort, row, read)
            if stance == BEYOND or rule.kind in moment.watched:
                found.append(_finding(row, rule, stance, value, effort, moment))
        return found or NOTHING

    def _may_be_beyond(self, memory: Memory) -> bool:
        """Whether one reading can add what is missing to any row."""
        most = LONGEST_GAP_SECONDS[SIGNAL]
        return any(
            memory[name].seconds + most >= enough for name, enough in self._enough if name in memory
        )

    def learn(self, moment: Moment, memory: Memory, frozen: Collection[str]) -> None:
        """Add the time up to this reading. An open episode holds nothing back: nothing usual is
        learned."""
        del frozen
        value = moment.values.get(SIGNAL)
        if value is None or (not memory and value < self._near):
            return
        read = _read(value)
        for row, _ in self._rows:
            name = row.rule.name
            before = memory.get(name)
            if before is None and read < row.limit:
                continue
            effort = _after(before, row, read, moment)
            if effort is not None:
                memory[name] = effort
            else:
                memory.pop(name, None)

    def withdraw(self, memory: Memory, moments: Sequence[Moment]) -> None:
        """Begin anew where a heart rate was withdrawn that may have been added."""
        times = [moment.time for moment in moments if SIGNAL in moment.values]
        for name, effort in list(memory.items()):
            if any(effort.begun <= time <= effort.time for time in times):
                del memory[name]

    def dump(self, memory: Memory) -> Any:
        """``{row: [fields]}``."""
        return to_builtins(memory)

    def load(self, plain: Any) -> Memory:
        """The memory from :meth:`dump`."""
        return convert(plain, Memory)


def _rule(row: Rule) -> Rule:
    """A row's rule, for what was added up: that is what persisted, so it waits for nothing more."""
    return replace(
        row,
        name=f"{row.name}.added_up",
        detector=TotalExertion.name,
        seconds=0.0,
        unknown_seconds=0.0,
        readings=1,
    )


def _read(value: float) -> float:
    """The figure of a rate, as the limits compare it."""
    return figure(SIGNAL, value) if value % 1.0 else value


def _after(
    before: Effort | None, row: ExertionThreshold, read: float, moment: Moment
) -> Effort | None:
    """What is added up with this reading, by its figure; None: nothing is left.

    The seconds stay at what is beyond, so that a pause counts however long it lasted before.
    """
    high = read >= row.limit and not row.explains(moment)
    time = moment.time
    first = Effort(time, high, 0.0, time, 1, time, time, 1, 0.0) if high else None
    if before is None:
        return first
    past, both = time - before.time, high and before.high
    effort = min(past, LONGEST_GAP_SECONDS[SIGNAL]) if both else 0.0
    seconds = before.seconds + effort - PAUSE * (past - effort)
    if seconds <= 0 and not (both and past == effort):
        return first
    goes_on = both and past <= STRETCH_SECONDS
    counts = high and time - before.counted >= APART_SECONDS
    return Effort(
        time=time,
        high=high,
        seconds=min(seconds, MORE * row.rule.seconds),
        begun=before.begun,
        readings=before.readings + counts,
        counted=time if counts else before.counted,
        since=before.since if goes_on else time,
        stretch=before.stretch + 1 if goes_on else int(high),
        longest_gap=max(before.longest_gap, past) if goes_on else 0.0,
    )


def _stance(effort: Effort | None, row: ExertionThreshold, read: float) -> Stance:
    enough = effort is not None and effort.high and effort.seconds >= MORE * row.rule.seconds
    if enough and effort is not None and effort.readings >= row.rule.readings:
        return BEYOND
    return CLEAR if read <= row.clear else BETWEEN


def _finding(
    row: ExertionThreshold,
    rule: Rule,
    stance: Stance,
    value: float,
    effort: Effort | None,
    moment: Moment,
) -> Finding:
    if stance != BEYOND or effort is None:
        return Finding(rule, stance, value, limit=row.limit, clear=row.clear, facts=row.facts)
    facts = row.active_facts if moment.activity == "active" else row.facts
    return Finding(
        rule,
        stance,
        value,
        limit=row.limit,
        clear=row.clear,
        since=effort.since,
        facts={**facts, "added_up_seconds": half_up(effort.seconds)},
        stretches=effort.stretch,
        longest_gap=effort.longest_gap,
    )
