"""The alarms of two runs side by side: which are the same, which came, which went.

Two alarms of one patient are about the same thing where they overlap in time and are of one kind,
or else of the same signals ("cause"): a heart rate that one configuration calls high and the other
unusual is one alarm announced otherwise, not one lost and one gained. One that is still open lasts
to the patient's newest reading.

Alarms are paired one to one, earliest first. What is left over was *lost* (only before) or *gained*
(only after), unless it overlaps one of its kind that is paired already: then one alarm was *split*
in two, or two were *joined* to one. So, always, after − before = gained − lost + split − joined.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from detectors.tuning.ledger import Alarm
from vigil.domain.kinds import KINDS

Until = Mapping[str, datetime]
"""Patient → their newest reading, where an open alarm is taken to end."""


@dataclass(frozen=True, slots=True)
class Pair:
    """One alarm in both runs."""

    before: Alarm
    after: Alarm

    @property
    def later_seconds(self) -> float:
        """How much later it is announced; negative: earlier."""
        return (self.after.announced_at - self.before.announced_at).total_seconds()

    @property
    def changed(self) -> bool:
        """Whether it is announced at another time, at another priority or as another kind."""
        one, two = self.before, self.after
        return (one.announced_at, one.priority, one.kind) != (
            two.announced_at,
            two.priority,
            two.kind,
        )


@dataclass(frozen=True, slots=True)
class Matched:
    """Every alarm of both runs is in exactly one of these; each is in order of time."""

    pairs: list[Pair]
    lost: list[Alarm]
    gained: list[Alarm]
    split: list[Alarm]
    """Of the second run: a further part of an alarm that is paired."""
    joined: list[Alarm]
    """Of the first run: a part of what is now one alarm."""


def match(before: Iterable[Alarm], after: Iterable[Alarm], until: Until) -> Matched:
    """Pair the alarms of two runs."""
    one, two = _by_patient(before), _by_patient(after)
    result = Matched(pairs=[], lost=[], gained=[], split=[], joined=[])
    for patient in sorted({*one, *two}):
        _match_patient(one[patient], two[patient], until=until, result=result)
    result.pairs.sort(key=lambda pair: _order(pair.before))
    for alarms in (result.lost, result.gained, result.split, result.joined):
        alarms.sort(key=_order)
    return result


def span(alarm: Alarm, until: Until) -> tuple[datetime, datetime]:
    """From onset to end; never empty, never before it was announced."""
    end = alarm.ended_at or until.get(alarm.patient_id, alarm.announced_at)
    return alarm.onset, max(end, alarm.announced_at)


def _match_patient(
    before: Sequence[Alarm], after: Sequence[Alarm], until: Until, result: Matched
) -> None:
    left, right = list(before), list(after)
    for alike in (_same_kind, _same_cause):
        _pair(left, right, alike=alike, until=until, pairs=result.pairs)
    for alarm in left:
        (result.joined if _part(alarm, after, until) else result.lost).append(alarm)
    for alarm in right:
        (result.split if _part(alarm, before, until) else result.gained).append(alarm)


def _pair(
    left: list[Alarm],
    right: list[Alarm],
    alike: Callable[[Alarm, Alarm], bool],
    until: Until,
    pairs: list[Pair],
) -> None:
    """Pair what is alike and overlaps, earliest first; paired ones leave both lists."""
    for one in list(left):
        other = next((two for two in right if alike(one, two) and _overlap(one, two, until)), None)
        if other is not None:
            left.remove(one)
            right.remove(other)
            pairs.append(Pair(one, other))


def _part(alarm: Alarm, others: Iterable[Alarm], until: Until) -> bool:
    """Whether it is a part of one of the other run."""
    return any(_same_kind(alarm, other) and _overlap(alarm, other, until) for other in others)


def _overlap(one: Alarm, two: Alarm, until: Until) -> bool:
    (start, end), (begin, stop) = span(one, until), span(two, until)
    return start <= stop and begin <= end


def _same_kind(one: Alarm, two: Alarm) -> bool:
    return one.kind == two.kind


def _same_cause(one: Alarm, two: Alarm) -> bool:
    """Clinical alarms about the same signals."""
    signals = KINDS[one.kind].signals
    return one.category == two.category and not set(signals).isdisjoint(KINDS[two.kind].signals)


def _by_patient(alarms: Iterable[Alarm]) -> defaultdict[str, list[Alarm]]:
    groups: defaultdict[str, list[Alarm]] = defaultdict(list)
    for alarm in sorted(alarms, key=_order):
        groups[alarm.patient_id].append(alarm)
    return groups


def _order(alarm: Alarm) -> tuple[datetime, str, str, datetime]:
    return alarm.announced_at, alarm.patient_id, alarm.kind, alarm.onset
