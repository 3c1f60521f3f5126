"""A summary as a page shows it: names for identifiers, a link from each figure to its source."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import astuple, replace
from datetime import datetime
from typing import NamedTuple
from urllib.parse import quote

from explain.shift_summary.summary import Call, Episode, Measured, Summary, Window, summarise
from explain.shift_summary.words import Segment, Sentence
from store.episodes.board import Patient
from store.episodes.shift import Shift, Subject
from vigil.domain.kinds import KINDS
from vigil.service import isolation
from vigil.values.bidi import isolated


class Part(NamedTuple):
    """A piece of a sentence; ``href`` empty: plain words."""

    text: str
    href: str = ""


class Source(NamedTuple):
    """One thing that a sentence counts or tells."""

    text: str
    href: str
    time: datetime | None


class Line(NamedTuple):
    """A sentence and what it rests on."""

    number: int
    parts: list[Part]
    sources: list[Source]
    entry: str


def shown_of(of: Subject, shift: Shift, window: Window) -> tuple[Summary, frozenset[str]]:
    """The summary of what the store has, and of which patients it tells nothing, because what is
    stored of them is not what it must be."""
    try:
        return summary_of(of, shift, window), shift.unread
    except Exception:  # whose it is is found below
        who = {one.event.patient_id for one in shift.episodes}
        who |= {one.patient_id for one in shift.calls}
        who |= {one.patient_id for one in shift.readings}
    broken = frozenset(one for one in who if not _summed(of, _only(shift, {one}), window, one))
    return summary_of(of, _only(shift, who - broken), window), shift.unread | broken


def _summed(of: Subject, shift: Shift, window: Window, patient_id: str) -> bool:
    """Whether there are words for what is stored of one patient."""

    def told() -> bool:
        View(shift, {}).lines(summary_of(of, shift, window))
        return True

    return isolation.attempt("patient of a summary", patient_id, told, lambda: False)


def _only(shift: Shift, who: Collection[str]) -> Shift:
    return replace(
        shift,
        episodes=[one for one in shift.episodes if one.event.patient_id in who],
        calls=[one for one in shift.calls if one.patient_id in who],
        readings=[one for one in shift.readings if one.patient_id in who],
    )


def summary_of(of: Subject, shift: Shift, window: Window) -> Summary:
    """The summary of what the store has."""
    return summarise(
        "patient" if of.patient_id else "ward",
        of.patient_id or of.ward,
        window,
        [Episode(row.event, row.raised_at, row.acknowledged) for row in shift.episodes],
        [Call(*astuple(call)) for call in shift.calls],
        [Measured(*astuple(row)) for row in shift.readings],
    )


class View:
    """Puts names and links into one summary."""

    def __init__(self, shift: Shift, who: Mapping[str, Patient]):
        self._who = who
        self._events = {episode.event.event_id: episode.event for episode in shift.episodes}
        self._calls = {call.action_id: call for call in shift.calls}

    def lines(self, summary: Summary) -> list[Line]:
        """The sentences, numbered from 1."""
        return [self._line(n, sentence) for n, sentence in enumerate(summary.sentences, 1)]

    def _line(self, number: int, sentence: Sentence) -> Line:
        sources: dict[str, Source] = {}
        for segment in sentence.segments:
            for ident in segment.ids if segment.what != "patient" else ():
                sources.setdefault(ident, self._source(ident))
        anchor = f"#sources-{number}"
        parts = [self._part(segment, anchor) for segment in sentence.segments]
        return Line(number, parts, list(sources.values()), sentence.entry)

    def _part(self, segment: Segment, anchor: str) -> Part:
        match segment.what, segment.ids:
            case "patient", (patient_id,):
                return Part(self._name(patient_id), _page(patient_id))
            case (("words" | "span"), _):
                return Part(segment.text)
            case _, ():
                return Part(segment.text)  # a count of nothing
            case _, (ident,):
                return Part(segment.text, self._source(ident).href)
        return Part(segment.text, anchor)

    def _name(self, patient_id: str) -> str:
        who = self._who.get(patient_id)
        return (who.display_name if who else "") or patient_id

    def _source(self, ident: str) -> Source:
        """An event, a request for help, or a patient's readings."""
        event, call = self._events.get(ident), self._calls.get(ident)
        if event is not None:
            kind = KINDS.get(event.kind)
            label = kind.label if kind else event.kind
            state = "ended" if event.phase == "closed" else "open"
            who = isolated(self._name(event.patient_id))
            text = f"{who}: {label} ({event.priority} priority, {state})"
            return Source(text, _page(event.patient_id, ident), event.onset)
        if call is not None:
            text = f"{isolated(self._name(call.patient_id))}: asked for help"
            return Source(text, _page(call.patient_id, call.event_id), call.time)
        return Source(f"{isolated(self._name(ident))}: readings", _page(ident), None)


def _page(patient_id: str, event_id: str = "") -> str:
    address = f"/board/patient/{quote(patient_id, safe='')}"
    return f"{address}#e-{quote(event_id, safe='')}" if event_id else address
