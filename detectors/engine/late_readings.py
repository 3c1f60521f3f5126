"""The late lane: what late readings show, apart from everything that is going on.

A device that was out of reach sends what is new first and its buffer afterwards. By then the
baseline has learned, episodes have begun or ended, silence was told. None of that is touched: late
readings that fill a gap (:mod:`detectors.engine.gaps`) are judged here, in their own event time, by
the physically possible range and the absolute limits in force, with the same delays and hysteresis.
What they show is a retrospective event, which pages nobody; where an episode of the kind was told
in its time, there is nothing to add.

The lane goes forward through one gap. It ends what it has open (``late_end``) at its last reading
where it leaves the gap, where a reading comes from further back, and where none came for
``idle_seconds`` of receive time. It groups nothing: each kind stands for itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct, field

from detectors.admission.held_readings import group_of
from detectors.admission.rules import possible
from detectors.context import activity as context
from detectors.context.activity import Heard
from detectors.contract import Finding, Moment
from detectors.engine.gaps import Past, covers
from detectors.engine.pipeline import Pipeline
from detectors.episodes.memory import Book, Watches
from detectors.episodes.tracker import Step
from detectors.limits.combination import Combination
from detectors.limits.detector import Limits
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Context

ENDED = "late_end"
"""The reason of an end that no reading showed: no more late ones followed."""
QUALITY_SHARE = 0.02


class Lane(Struct, array_like=True):
    """What is remembered of one patient's late readings while they come."""

    until: dict[str, float] = {}
    """Signal, or ``pressure`` → where the gap ends that is being filled."""
    watches: Watches = {}
    heard: Heard = field(default_factory=Heard)
    received: float = 0.0
    """Receive time of the last."""
    quality: float = 1.0
    synthetic: bool = False


class Told(NamedTuple):
    """A step, and the moment that it became known by."""

    step: Step
    moment: Moment


def take(
    pipeline: Pipeline,
    lane: Lane,
    read: tuple[Context, Mapping[str, float]],
    times: tuple[float, float],
    own: tuple[Past | None, Watches],
) -> list[Told]:
    """Judge a late reading.

    Args:
        read: the reading's own context, and the values that are new.
        times: measured, received.
        own: what tells which episodes were told in their time.
    """
    (time, received), (told, values), (past, live) = times, read, own
    if time < lane.heard.time or time < lane.heard.quiet_time:
        lane.heard = Heard()
    context.note(pipeline.config.context, lane.heard, time, told)
    good = {} if told.contact is False else possible(values)
    lane.quality += QUALITY_SHARE * (float(len(good) == len(values)) - lane.quality)
    if "heart_rate" in good:
        context.note_heart_rate(pipeline.config.context, lane.heard, time, good["heart_rate"])
    here = context.place(pipeline.config.context, lane.heard, time)
    moment = Moment(
        time,
        received,
        good,
        here.activity,
        here.period,
        told.steps_per_min,
        told.contact,
        tuple(lane.watches),
        {},
        here.source,
    )
    found: dict[str, list[Finding]] = {}
    for finding in _limits(pipeline, moment):
        if not covers(past, live, finding.rule.kind, time):
            found.setdefault(finding.rule.kind, []).append(finding)
    rows: list[Told] = []
    for kind in sorted(found):
        rows += _noted(pipeline, lane, kind, found[kind], moment)
    return rows


def enter(pipeline: Pipeline, lane: Lane, until: Mapping[str, float]) -> list[Told]:
    """Go where the next reading is; what is open on the signals of another gap ends there."""
    left = {group for group, end in until.items() if lane.until.get(group, end) != end}
    lane.until.update(until)
    touched = [
        kind
        for kind in sorted(lane.watches)
        if not left.isdisjoint(group_of(signal) for signal in KINDS[kind].signals)
    ]
    return _ended(pipeline, lane, touched)


def end(pipeline: Pipeline, lane: Lane) -> list[Told]:
    """No more are expected: all that is open ends."""
    return _ended(pipeline, lane, sorted(lane.watches))


def _limits(pipeline: Pipeline, moment: Moment) -> Iterable[Finding]:
    """What the absolute limits say."""
    for name in (Limits.name, Combination.name):
        detector = pipeline.detectors.get(name)
        if detector is not None:
            yield from detector.examine(moment, None)


def _noted(
    pipeline: Pipeline, lane: Lane, kind: str, findings: list[Finding], moment: Moment
) -> list[Told]:
    watch = lane.watches.pop(kind, None)
    book = Book({} if watch is None else {kind: watch}, {})
    steps = pipeline.episodes.retire(book, pipeline.rules, moment)
    steps += pipeline.episodes.note(book, findings, moment)
    lane.watches.update(book.watches)
    return [Told(step, moment) for step in steps]


def _ended(pipeline: Pipeline, lane: Lane, kinds: Iterable[str]) -> list[Told]:
    rows: list[Told] = []
    for kind in kinds:
        watch = lane.watches.pop(kind)
        here = context.place(pipeline.config.context, lane.heard, watch.last)
        moment = Moment(watch.last, lane.received, {}, here.activity, here.period)
        steps = pipeline.episodes.end(Book({kind: watch}, {}), moment, ENDED)
        rows += [Told(step, moment) for step in steps]
    return rows
