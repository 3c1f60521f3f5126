"""What happened to a ward or a patient in the last hours, in at most eight sentences.

The selection and its order are fixed: what is open and urgent, who asked for help, what nobody has
acknowledged, what was raised, what ended, what is technical, what data there was. The same input
gives the same words, in whatever order it comes. Nothing is interpreted: there is no "quiet" night,
only "no alert was raised" and the number of readings.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from explain.facts.extraction import (
    duration_observed,
    extract_facts,
    highest_priority,
    unobserved_end,
)
from explain.facts.moments import time_of_day, time_or_date, times_stated
from explain.facts.slot_formatting import slot_formatter
from explain.facts.slots import SLOTS, render_slots
from explain.shift_summary.records import Call, Episode, Measured, Summary, Window
from explain.shift_summary.words import (
    Scope,
    Segment,
    Sentence,
    Slots,
    build_sentence,
    count_segments,
    counted_noun,
    patient_segments,
    summary_table,
    text_segment,
)
from explain.templates.drafts import block_for
from vigil.domain import figures
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS, PRIORITY_ORDER

MAX_SENTENCES = 8
MAX_NAMED_ALERTS = 2
"""Open alerts that have a sentence of their own; of more, one has, and one counts the rest."""


def summarise(
    scope: Scope,
    name: str,
    window: Window,
    episodes: Iterable[Episode],
    calls: Iterable[Call],
    measured: Iterable[Measured],
) -> Summary:
    """The summary of a ward (everyone given) or of one patient.

    Args:
        name: the ward or patient, for the choice among equal wordings.
        episodes: those that wait for an acknowledgement, are open, or were raised or ended in the
            window; others are left out.
        calls: requests for help; those outside the window are left out.
        measured: one for each enrolled patient.
    """
    writer = _SummaryWriter(scope, name, window)
    known = sorted({e.event.episode_id: e for e in episodes}.values(), key=_urgency)
    relevant = [e for e in known if writer.concerns(e)]
    waiting = [e for e in known if e.waiting]
    asked = sorted({c.action_id: c for c in calls if window.holds(c.time)}.values(), key=_when)
    enrolled = sorted(measured, key=lambda one: one.patient_id)
    clinical = [e for e in relevant if e.event.category == "clinical"]
    technical = [e for e in relevant if e.event.category == "technical"]
    sentences = [
        *writer.open(clinical),
        *writer.help(asked),
        *writer.unanswered(waiting),
        writer.raised(clinical, technical),
        *writer.ended([e for e in clinical if not e.withdrawn]),
        *writer.withdrawn([e for e in clinical if e.withdrawn]),
        *writer.technical([e for e in technical if e.open]),
        writer.data(enrolled),
    ]
    synthetic = any(e.event.synthetic for e in (*relevant, *waiting))
    return Summary(
        scope=scope, name=name, window=window, sentences=tuple(sentences), synthetic=synthetic
    )


def _urgency(episode: Episode) -> tuple[int, bool, datetime, str]:
    event = episode.event
    return PRIORITY_ORDER[event.priority], episode.acknowledged, event.onset, event.episode_id


def _when(call: Call) -> tuple[datetime, str]:
    return call.time, call.action_id


class _SummaryWriter:
    """One summary's sentences."""

    def __init__(self, scope: Scope, name: str, window: Window):
        self._scope, self._window = scope, window
        self._choice = f"{scope}|{name}|{window.hours}|{window.end:%Y-%m-%dT%H}"

    def concerns(self, episode: Episode) -> bool:
        """Open, or raised or ended in the window."""
        holds = self._window.holds
        event = episode.event
        ended = event.detected_at if episode.withdrawn else event.ended_at
        return episode.open or holds(episode.raised_at) or holds(ended)

    def open(self, clinical: list[Episode]) -> list[Sentence]:
        """What goes on: a ward's that has or had high priority, a patient's of any."""
        urgent = [
            e for e in clinical if e.open and (self._scope == "patient" or _was_high(e.event))
        ]
        named = urgent if len(urgent) <= MAX_NAMED_ALERTS else urgent[: MAX_NAMED_ALERTS - 1]
        sentences = [self._sentence("open", self._episode(one)) for one in named]
        rest = urgent[len(named) :]
        if rest:
            sentences.append(self._sentence("open_more", self._alerts(rest)))
        return sentences

    def help(self, calls: list[Call]) -> list[Sentence]:
        """Who asked for help."""
        if not calls:
            return []
        waiting = [call.action_id for call in calls if not call.acknowledged]
        last = calls[-1]
        return [
            self._sentence(
                "help",
                {
                    "calls": count_segments((call.action_id for call in calls), "actions", "calls"),
                    "waiting": count_segments(waiting, "actions"),
                    "patients": patient_segments(call.patient_id for call in calls),
                    "time": [_time(last.time, self._window, ident=last.action_id, key="time")],
                },
            )
        ]

    def unanswered(self, left: list[Episode]) -> list[Sentence]:
        """What waits for an acknowledgement."""
        return (
            [self._sentence("unanswered", self._alerts(left) | self._first_seen(left))]
            if left
            else []
        )

    def raised(self, clinical: list[Episode], technical: list[Episode]) -> Sentence:
        """What was raised in the window, by priority, or that nothing was."""
        fresh = [e for e in clinical if self._window.holds(e.raised_at)]
        if not fresh:
            other = any(self._window.holds(e.raised_at) for e in technical)
            return self._sentence("none_clinical" if other else "none", {})
        late = [e.event.episode_id for e in fresh if e.event.retrospective and not e.judged_again]
        known = self._alerts(fresh) | {"priorities": _priorities(fresh)}
        return self._sentence(
            "raised", known | ({"late": count_segments(late, "events")} if late else {})
        )

    def ended(self, clinical: list[Episode]) -> list[Sentence]:
        """What ended in the window, and of what nothing was measured any more."""
        closed = [e for e in clinical if not e.open and self._window.holds(e.event.ended_at)]
        over = [e for e in closed if not unobserved_end(e.event.evidence)]
        lost = [e.event.episode_id for e in closed if unobserved_end(e.event.evidence)]
        known: dict[str, list[Segment]] = {}
        if over:
            unseen = [e.event.episode_id for e in over if not e.acknowledged]
            known |= self._alerts(over) | {"unseen": count_segments(unseen, "events")}
        if lost:
            known["lost"] = count_segments(lost, "events", "alerts")
        return [self._sentence("ended", known)] if known else []

    def withdrawn(self, clinical: list[Episode]) -> list[Sentence]:
        """What was closed in the window because its readings do not count."""
        found = [e for e in clinical if self._window.holds(e.event.detected_at)]
        return [self._sentence("withdrawn", self._alerts(found))] if found else []

    def technical(self, found: list[Episode]) -> list[Sentence]:
        """What is open about devices and data."""
        if not found:
            return []
        ids = (e.event.episode_id for e in found)
        known = {**self._alerts(found), "findings": count_segments(ids, "events", "findings")}
        return [self._sentence("technical", known | self._oldest(found))]

    def data(self, measured: list[Measured]) -> Sentence:
        """What was measured: of a ward, from whom; of a patient, how much."""
        sending = [one for one in measured if one.readings > 0]
        if self._scope == "patient":
            return (
                self._sentence("data", _readings(sending[0], self._window))
                if sending
                else self._nobody()
            )
        if not measured:
            return self._nobody()
        silent = [one.patient_id for one in measured if one.readings <= 0]
        known: dict[str, list[Segment]] = {
            "sending": count_segments((one.patient_id for one in sending), "patients"),
            "everyone": count_segments(
                (one.patient_id for one in measured), "patients", "everyone"
            ),
        }
        return self._sentence(
            "data", known | ({"patients": patient_segments(silent)} if silent else {})
        )

    def _nobody(self) -> Sentence:
        return self._sentence("nobody", {})

    def _sentence(self, kind: str, known: Slots) -> Sentence:
        spanned = [
            Segment(
                text=counted_noun(self._window.hours, "hours"), what="span", ids=(), key="window"
            )
        ]
        return build_sentence(
            self._scope, kind, slots={**known, "hours": spanned}, choice=self._choice
        )

    def _alerts(self, episodes: list[Episode]) -> dict[str, list[Segment]]:
        return {
            "alerts": count_segments((e.event.episode_id for e in episodes), "events", "alerts"),
            "patients": patient_segments(e.event.patient_id for e in episodes),
        }

    def _oldest(self, episodes: list[Episode]) -> dict[str, list[Segment]]:
        """Since when the oldest of some technical findings goes on."""
        first = _first(episodes)
        name = "since" if len(episodes) == 1 else "oldest"
        return {name: [_time(first.onset, self._window, ident=first.episode_id, key="onset")]}

    def _first_seen(self, episodes: list[Episode]) -> dict[str, list[Segment]]:
        """When the oldest of some findings was first seen; it need not have lasted."""
        name = "first_seen" if len(episodes) == 1 else "oldest"
        return {name: _first_seen(_first(episodes), self._window)}

    def _episode(self, episode: Episode) -> dict[str, list[Segment]]:
        """What is found, since when, the last value, and whether anybody has seen it."""
        event = episode.event
        known = {
            "patient": patient_segments([event.patient_id]),
            "finding": [text_segment(_finding(event))],
            "state": [text_segment(_state(episode))],
        }
        if duration_observed(event):
            since = _time(event.onset, self._window, ident=event.episode_id, key="onset")
            known["since"] = [since]
        else:
            known["first_seen"] = _first_seen(event, self._window)
        name = _value_slot(event)
        text = render_slots(event, "en").get(name)
        if text is not None:
            known["value"] = [
                Segment(text=text, what="value", ids=(event.episode_id,), key=SLOTS[name])
            ]
        return known


def _time(moment: datetime, window: Window, ident: str, key: str) -> Segment:
    """A time, with its day where that is not the day of the window's end."""
    text = slot_formatter("en").format(time_of_day(moment, window.end))
    return Segment(text=text, what="time", ids=(ident,), key=key, moment=moment)


def _was_high(event: Event) -> bool:
    """Whether it has high priority, or had."""
    return "high" in {event.priority, highest_priority(event)}


def _state(episode: Episode) -> str:
    """Whether anybody has acknowledged it, and what its priority was before it fell."""
    words = summary_table()["words"]
    state = str(words["acknowledged" if episode.acknowledged else "waiting"])
    before = highest_priority(episode.event)
    if before is None:
        return state
    return str(words["before"]).replace("{state}", state).replace("{priority}", words[before])


def _first(episodes: list[Episode]) -> Event:
    """The one that began first."""
    return min(episodes, key=lambda e: (e.event.onset, e.event.episode_id)).event


def _first_seen(event: Event, window: Window) -> list[Segment]:
    """When an event's finding was first seen, with "at" or "on"; a time is a segment of its own."""
    write, ident = slot_formatter("en").format, event.episode_id
    whole = write(time_or_date(event.onset, window.end))
    *_, stated = times_stated(event.onset, window.end)
    before, time, after = whole.partition(write(stated))
    if not time:
        return [Segment(text=whole, what="time", ids=(ident,), key="onset")]
    middle = Segment(text=time, what="time", ids=(ident,), key="onset", moment=event.onset)
    around = [Segment(text=text) for text in (before, after)]
    return [piece for piece in (around[0], middle, around[1]) if piece.text]


def _finding(event: Event) -> str:
    """The alert's title, within a sentence."""
    block = block_for(extract_facts(event, "care_team", locale="en", slots=()))
    return block.title[:1].lower() + block.title[1:]


def _value_slot(event: Event) -> str:
    """The slot that holds what the finding is about."""
    kind = KINDS.get(event.kind)
    paired = kind is not None and set(kind.signals) == {"systolic", "diastolic"}
    return "blood_pressure_mmhg" if paired else "value"


def _priorities(episodes: list[Episode]) -> list[Segment]:
    """``2 high, 1 low``."""
    segments: list[Segment] = []
    for priority in PRIORITY_ORDER:
        ids = [e.event.episode_id for e in episodes if e.event.priority == priority]
        if ids:
            segments += [text_segment(", ")] if segments else []
            segments += [
                *count_segments(ids, "events"),
                text_segment(f" {summary_table()['words'][priority]}"),
            ]
    return segments


def _readings(one: Measured, window: Window) -> dict[str, list[Segment]]:
    """How many readings of a patient came, the newest, and the span of the heart rate."""
    text = counted_noun(one.readings, "readings")
    known = {"readings": [Segment(text=text, what="count", ids=(one.patient_id,), key="readings")]}
    if one.newest is not None:
        known["time"] = [_time(one.newest, window, ident=one.patient_id, key="readings.time")]
    if one.lowest is not None and one.highest is not None:
        quantity = slot_formatter("en").quantity
        ends = {
            "low": figures.text("heart_rate", one.lowest),
            "high": quantity("heart_rate", figures.text("heart_rate", one.highest)),
        }
        known |= {
            name: [
                Segment(text=text, what="value", ids=(one.patient_id,), key="readings.heart_rate")
            ]
            for name, text in ends.items()
        }
    return known
