"""Fills a shadow from a history, and holds what the system told against it.

What is compared are steps that became known while both could know: not before the first message of
a patient that the history holds (where it has no earlier ones), and not after the last moment that
it told. A step's moment is when its reading was received, or when the tick came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from history.difference import Compared, compare
from store.episodes.shadow import live_patients, live_steps

if TYPE_CHECKING:
    from history.rebuild_sources import Played, Source
    from store.episodes.shadow import Shadow, Span, Step

SETTLING = timedelta(seconds=60)
"""Stored readings received so lately are not played: what they cause may still be on its way."""
_ROUNDED = timedelta(milliseconds=1)
"""Delays in evidence are rounded to this."""


class Window(NamedTuple):
    """When what is compared became known."""

    since: datetime | None = None
    until: datetime | None = None
    """Not included."""


class Outcome(NamedTuple):
    """What a rebuild found."""

    compared: list[Compared]
    """Every episode of either; in order of patient and onset."""
    left_out: Counter[str]
    """Live steps that were not compared, by why."""
    live_by: Counter[str]
    """Live steps by what made them: configuration's hash and detectors' version."""
    shadow_by: Counter[str]

    @property
    def different(self) -> list[Compared]:
        """What is not the same."""
        return [one for one in self.compared if one.verdict != "same"]


def fill(
    shadow: Shadow, source: Source, question: str, cut: datetime, told: Callable[[int, int], None]
) -> datetime:
    """Play what is not played yet; return up to when was received what is played.

    Args:
        question: equal where the same is asked; an interrupted fill of it is gone on with.
        told: hears of how many units are done, of how many, at each upload.
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
                told(number, len(units))
            shadow.add_spans(played)
    shadow.finish()
    return begun.cut


def hold_against(
    shadow: Shadow, source: Source, window: Window, wanted: Iterable[str] | None
) -> Outcome:
    """Compare everyone who was played, or of whom something was told live.

    Args:
        wanted: only these patients; None: everyone.
    """

    outcome = Outcome([], Counter(), Counter(), Counter())
    spans = shadow.patients()
    everyone = sorted(wanted if wanted is not None else {*spans, *live_patients(shadow.connection)})
    for patient_id in everyone:
        bounds = _Bounds(source, window, spans.get(patient_id))
        told = live_steps(shadow.connection, patient_id)
        live = list(bounds.within(told, outcome.left_out))
        made = list(bounds.within(shadow.steps(patient_id), Counter()))
        outcome.live_by.update(step.made_by for step in live)
        outcome.shadow_by.update(step.made_by for step in made)
        outcome.compared.extend(compare(live, made, source.clock_seconds))
    return outcome


class _Bounds:
    """What of one patient's steps both sides could know."""

    def __init__(self, source: Source, window: Window, span: Span | None):
        self._untold = source.untold
        self._window = window
        self._span = span
        self._begins = source.begins

    def within(self, steps: Iterable[Step], left_out: Counter[str]) -> Iterator[Step]:
        """The steps to compare; the others are counted by why not."""
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
        if step.kind in self._untold:
            return f"{step.kind}, which this history cannot tell"
        if span is None:
            return "of patients who are not in the topic" if self._begins else ""
        if self._begins and known < span.first - _ROUNDED:
            return "known before the topic begins"
        if known > span.reached + _ROUNDED:
            return "known after what was played"
        return ""
