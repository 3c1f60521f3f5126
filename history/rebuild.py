"""Fills a shadow from a history, and compares it with the steps that the live system announced.

Steps are compared that became known while both sides could know them: not before a patient's first
message in the history (where earlier ones are not retained), and not after the last moment that it
covers. A step becomes known when its reading is received, or when the tick comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from history.difference import Compared, compare
from store.episodes.shadow import live_patients, live_steps

if TYPE_CHECKING:
    from history.rebuild_sources import Played, Source
    from store.episodes.shadow import Shadow, Span, Step

SETTLING = timedelta(seconds=60)
"""Readings stored this recently are not played: the events they cause may not be stored yet."""
_ROUNDED = timedelta(milliseconds=1)
"""Resolution to which delays in evidence are rounded."""


@dataclass(frozen=True, slots=True)
class Window:
    """The period in which the compared steps became known."""

    since: datetime | None = None
    until: datetime | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a rebuild found; filled patient by patient."""

    compared: list[Compared] = field(default_factory=list)
    """Every episode of either side, in order of patient and onset."""
    left_out: Counter[str] = field(default_factory=Counter)
    """Live steps that were not compared, by reason."""
    live_by: Counter[str] = field(default_factory=Counter)
    """Live steps by what made them: configuration's hash and detectors' version."""
    shadow_by: Counter[str] = field(default_factory=Counter)
    """The same of the shadow's steps."""

    @property
    def different(self) -> list[Compared]:
        """The episodes that differ."""
        return [one for one in self.compared if one.verdict != "same"]


def fill_shadow(
    shadow: Shadow,
    source: Source,
    *,
    question: str,
    cut: datetime,
    on_progress: Callable[[int, int], None],
) -> datetime:
    """Play the units of a history that are not in the shadow yet.

    Args:
        question: identifies what is rebuilt; an interrupted run of the same question is continued.
        cut: readings received at this time or later are not played.
        on_progress: called at each upload with the units done and the number of units.

    Returns:
        The time up to which readings are played: of a continued run, its first ``cut``.
    """
    begun = shadow.begin(question, cut)
    units = source.units()
    for number, unit in enumerate(units):
        if unit in begun.done:
            continue
        played: Played = {}
        with shadow.filling(unit):
            for events in source.play(unit, begun.cut, played):
                shadow.add_events(events)
                on_progress(number, len(units))
            shadow.add_spans(played)
    shadow.finish()
    return begun.cut


def compare_with_live(
    shadow: Shadow, source: Source, *, window: Window, wanted: Iterable[str] | None = None
) -> Outcome:
    """Compare every patient who was played or has live events.

    Args:
        window: the period in which compared steps became known.
        wanted: only these patients; None: everyone.
    """
    outcome = Outcome()
    spans = shadow.patients()
    everyone = sorted(wanted if wanted is not None else {*spans, *live_patients(shadow.connection)})
    for patient_id in everyone:
        bounds = _ComparedRange(source, window, spans.get(patient_id))
        announced = live_steps(shadow.connection, patient_id)
        live = list(bounds.within(announced, outcome.left_out))
        rebuilt = list(bounds.within(shadow.steps(patient_id), Counter()))
        outcome.live_by.update(step.made_by for step in live)
        outcome.shadow_by.update(step.made_by for step in rebuilt)
        outcome.compared.extend(compare(live, rebuilt, source.clock_seconds))
    return outcome


class _ComparedRange:
    """Selects the steps of one patient that both sides could know."""

    def __init__(self, source: Source, window: Window, span: Span | None):
        self._missing_kinds = source.missing_kinds
        self._window = window
        self._span = span
        self._starts_at_retention = source.starts_at_retention

    def within(self, steps: Iterable[Step], left_out: Counter[str]) -> Iterator[Step]:
        """Yield the steps to compare; count the others by reason."""
        for step in steps:
            why = self._why_not(step)
            if why:
                left_out[why] += 1
            else:
                yield step

    def _why_not(self, step: Step) -> str:
        known, window, span = step.known_at, self._window, self._span
        if (window.since and known < window.since) or (window.until and known >= window.until):
            return "outside --since and --until"
        if step.kind in self._missing_kinds:
            return f"{step.kind}, which this history does not contain"
        if span is None:
            return "of patients who are not in the topic" if self._starts_at_retention else ""
        if self._starts_at_retention and known < span.first - _ROUNDED:
            return "known before the topic begins"
        if known > span.reached + _ROUNDED:
            return "known after what was played"
        return ""
