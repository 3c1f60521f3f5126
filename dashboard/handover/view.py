"""A summary as a page shows it: names for identifiers, links from figures to their sources."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from explain.facts.extraction import unobserved_end
from explain.shift_summary.records import Call, Episode, Measured, Summary, Window
from explain.shift_summary.summary import summarise
from explain.shift_summary.words import Segment, Sentence
from store.episodes.board import Patient
from store.episodes.shift import Shift, ShiftCall, ShiftEpisode, ShiftReadings, Subject
from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.service import isolation
from vigil.values.bidi import isolated


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a sentence; ``href`` empty: plain text."""

    text: str
    href: str = ""
    moment: datetime | None = None
    """Of a time: which it is."""


@dataclass(frozen=True, slots=True)
class Source:
    """An episode, request or reading that a sentence is based on."""

    text: str
    href: str
    time: datetime | None


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence and its sources."""

    number: int
    parts: list[Part]
    sources: list[Source]
    entry: str


@dataclass(frozen=True, slots=True)
class ReadableSummary:
    """A summary of all valid data."""

    summary: Summary
    not_shown: frozenset[str]
    """Patients whose stored data is not valid, so that some of it is missing in the summary."""


def readable_summary(of: Subject, shift: Shift, window: Window) -> ReadableSummary:
    """The summary of the stored data, without patients whose data is not valid."""
    try:
        return ReadableSummary(build_summary(of, shift, window), shift.unread)
    except Exception:  # the patient is found below
        who = {one.event.patient_id for one in shift.episodes}
        who |= {one.patient_id for one in shift.calls}
        who |= {one.patient_id for one in shift.readings}
    broken = frozenset(one for one in who if not _is_readable(of, shift, window, patient_id=one))
    summary = build_summary(of, _only(shift, who - broken), window)
    return ReadableSummary(summary, shift.unread | broken)


def _is_readable(of: Subject, shift: Shift, window: Window, *, patient_id: str) -> bool:
    """Whether one patient's stored data can be summarised."""
    own = _only(shift, {patient_id})

    def summarised() -> bool:
        View(own, {}).lines(build_summary(of, own, window))
        return True

    return isolation.attempt(
        "patient of a summary", patient_id, make=summarised, otherwise=lambda: False
    )


def _only(shift: Shift, who: Collection[str]) -> Shift:
    return Shift(
        episodes=[one for one in shift.episodes if one.event.patient_id in who],
        calls=[one for one in shift.calls if one.patient_id in who],
        readings=[one for one in shift.readings if one.patient_id in who],
        unread=shift.unread,
        waiting=shift.waiting,
    )


def build_summary(of: Subject, shift: Shift, window: Window) -> Summary:
    """The summary of the stored data."""
    return summarise(
        "patient" if of.patient_id else "ward",
        of.patient_id or of.ward,
        window,
        episodes=[_episode(row, shift.waiting) for row in shift.episodes],
        calls=[_call(row) for row in shift.calls],
        measured=[_measured(row) for row in shift.readings],
    )


def _episode(row: ShiftEpisode, waiting: Collection[str]) -> Episode:
    return Episode(
        event=row.event,
        raised_at=row.raised_at,
        acknowledged=row.acknowledged,
        history=row.history,
        waiting=row.event.episode_id in waiting,
    )


def _call(row: ShiftCall) -> Call:
    return Call(
        action_id=row.action_id,
        episode_id=row.episode_id,
        patient_id=row.patient_id,
        time=row.time,
        acknowledged=row.acknowledged,
    )


def _measured(row: ShiftReadings) -> Measured:
    return Measured(
        patient_id=row.patient_id,
        readings=row.readings,
        newest=row.newest,
        lowest=row.lowest,
        highest=row.highest,
    )


class View:
    """Puts names and links into one summary."""

    def __init__(self, shift: Shift, who: Mapping[str, Patient]):
        self._who = who
        self._episodes = {episode.event.episode_id: episode for episode in shift.episodes}
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
        return Line(
            number=number, parts=parts, sources=list(sources.values()), entry=sentence.entry
        )

    def _part(self, segment: Segment, anchor: str) -> Part:
        match segment.what, segment.ids:
            case "patient", (patient_id,):
                return Part(self._name(patient_id), _page(patient_id))
            case (("words" | "span"), _):
                return Part(segment.text)
            case _, ():
                return Part(segment.text)  # a count of nothing
            case _, (ident,):
                return Part(segment.text, self._source(ident).href, segment.moment)
        return Part(segment.text, anchor)

    def _name(self, patient_id: str) -> str:
        who = self._who.get(patient_id)
        return (who.display_name if who else "") or patient_id

    def _source(self, ident: str) -> Source:
        """An event, a request for help, or a patient's readings."""
        episode, call = self._episodes.get(ident), self._calls.get(ident)
        if episode is not None:
            event = episode.event
            who = isolated(self._name(event.patient_id))
            text = f"{who}: {_in_words(episode)}"
            return Source(text, _page(event.patient_id, ident), event.onset)
        if call is not None:
            text = f"{isolated(self._name(call.patient_id))}: asked for help"
            return Source(text, _page(call.patient_id, call.episode_id), call.time)
        return Source(f"{isolated(self._name(ident))}: readings", _page(ident), None)


def _in_words(episode: ShiftEpisode) -> str:
    """The kind of an episode, its priority, and what it was before, and its state."""
    event, highest = episode.event, episode.highest_priority
    kind = KINDS.get(event.kind)
    fell = PRIORITY_ORDER[highest] < PRIORITY_ORDER[event.priority]
    ended = "not known to be over" if unobserved_end(event.evidence) else "ended"
    notes = [
        f"was {highest}, now {event.priority} priority" if fell else f"{event.priority} priority",
        ended if event.phase == "closed" else "open",
        *(["history: nobody was paged"] if episode.history else []),
    ]
    return f"{kind.label if kind else event.kind} ({', '.join(notes)})"


def _page(patient_id: str, episode_id: str = "") -> str:
    address = f"/board/patient/{quote(patient_id, safe='')}"
    return f"{address}#e-{quote(episode_id, safe='')}" if episode_id else address
