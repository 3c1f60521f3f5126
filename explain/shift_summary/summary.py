"""What happened to a ward or a patient in the last hours, in at most eight sentences.

The selection and its order are fixed: what is open and urgent, who asked for help, what nobody has
acknowledged, what was raised, what ended, what is technical, what data there was. The same input
gives the same words, in whatever order it comes. Nothing is judged: there is no "quiet" night here,
only "no alert was raised", and how much was measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec import Struct

from explain.facts import extraction as facts
from explain.facts import slots, speech
from explain.shift_summary.words import (
    Scope,
    Segment,
    Sentence,
    Slots,
    count,
    counted_as,
    patients,
    sentence,
    table,
    words,
)
from explain.templates import drafts
from vigil.domain import figures
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS, PRIORITY_ORDER

MOST_SENTENCES = 8
NAMED_ALERTS = 2
"""Open alerts that have a sentence of their own; of more, one has, and one counts the rest."""


class Episode(Struct, frozen=True):
    """An episode as it stands."""

    event: Event
    """Its newest step."""
    raised_at: datetime
    """When its first step was told, in event time."""
    acknowledged: bool

    @property
    def open(self) -> bool:
        """Whether it goes on."""
        return self.event.phase != "closed"


class Call(Struct, frozen=True):
    """A patient's request for help."""

    action_id: str
    event_id: str
    patient_id: str
    time: datetime
    acknowledged: bool


class Measured(Struct, frozen=True):
    """What came from an enrolled patient in the window; a count of 0: nothing."""

    patient_id: str
    readings: int
    newest: datetime | None = None
    """When the newest of them was measured."""
    lowest: float | None = None
    """Of the heart rates, beats a minute."""
    highest: float | None = None


class Window(Struct, frozen=True):
    """The last hours."""

    end: datetime
    hours: int

    @property
    def start(self) -> datetime:
        """Its first moment."""
        return self.end - timedelta(hours=self.hours)

    def holds(self, moment: datetime | None) -> bool:
        """Whether a moment lies in it."""
        return moment is not None and self.start < moment <= self.end


class Summary(Struct, frozen=True):
    """The sentences, in order."""

    scope: Scope
    name: str
    """The ward, empty for all; or the patient's id."""
    window: Window
    sentences: tuple[Sentence, ...]
    synthetic: bool
    """Some of it rests on simulated data."""

    @property
    def text(self) -> str:
        """As it reads, patients by id."""
        return " ".join(sentence.text for sentence in self.sentences)


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
        episodes: those that are open, or were raised or ended in the window; others are left out.
        calls: requests for help; those outside the window are left out.
        measured: one for each enrolled patient.
    """
    teller = _Teller(scope, name, window)
    relevant = sorted(
        {e.event.event_id: e for e in episodes if teller.concerns(e)}.values(), key=_urgency
    )
    asked = sorted({c.action_id: c for c in calls if window.holds(c.time)}.values(), key=_when)
    enrolled = sorted(measured, key=lambda one: one.patient_id)
    clinical = [e for e in relevant if e.event.category == "clinical"]
    technical = [e for e in relevant if e.event.category == "technical"]
    told = [
        *teller.open(clinical),
        *teller.help(asked),
        *teller.unanswered(clinical),
        teller.raised(clinical, technical),
        *teller.ended(clinical),
        *teller.technical([e for e in technical if e.open]),
        teller.data(enrolled),
    ]
    synthetic = any(e.event.synthetic for e in relevant)
    return Summary(scope, name, window, tuple(told), synthetic)


def _urgency(episode: Episode) -> tuple[int, bool, datetime, str]:
    event = episode.event
    return PRIORITY_ORDER[event.priority], episode.acknowledged, event.onset, event.event_id


def _when(call: Call) -> tuple[datetime, str]:
    return call.time, call.action_id


class _Teller:
    """One summary's sentences."""

    def __init__(self, scope: Scope, name: str, window: Window):
        self._scope, self._window = scope, window
        self._choice = f"{scope}|{name}|{window.hours}|{window.end:%Y-%m-%dT%H}"

    def concerns(self, episode: Episode) -> bool:
        """Open, or raised or ended in the window."""
        holds = self._window.holds
        return episode.open or holds(episode.raised_at) or holds(episode.event.ended_at)

    def open(self, clinical: list[Episode]) -> list[Sentence]:
        """What goes on: a ward's of high priority, a patient's of any."""
        urgent = [
            e
            for e in clinical
            if e.open and (self._scope == "patient" or e.event.priority == "high")
        ]
        named = urgent if len(urgent) <= NAMED_ALERTS else urgent[: NAMED_ALERTS - 1]
        told = [self._say("open", self._episode(one)) for one in named]
        rest = urgent[len(named) :]
        if rest:
            told.append(self._say("open_more", self._alerts(rest)))
        return told

    def help(self, calls: list[Call]) -> list[Sentence]:
        """Who asked for help."""
        if not calls:
            return []
        waiting = [call.action_id for call in calls if not call.acknowledged]
        last = calls[-1]
        return [
            self._say(
                "help",
                {
                    "calls": count((call.action_id for call in calls), "actions", "calls"),
                    "waiting": count(waiting, "actions"),
                    "patients": patients(call.patient_id for call in calls),
                    "time": [_time(last.time, self._window, last.action_id, "time")],
                },
            )
        ]

    def unanswered(self, clinical: list[Episode]) -> list[Sentence]:
        """What nobody has acknowledged as it stands; what came late calls nobody."""
        left = [e for e in clinical if not e.acknowledged and not e.event.retrospective]
        return [self._say("unanswered", self._alerts(left) | self._oldest(left))] if left else []

    def raised(self, clinical: list[Episode], technical: list[Episode]) -> Sentence:
        """What was told first in the window, by priority, or that nothing was."""
        fresh = [e for e in clinical if self._window.holds(e.raised_at)]
        if not fresh:
            other = any(self._window.holds(e.raised_at) for e in technical)
            return self._say("none_clinical" if other else "none", {})
        late = [e.event.event_id for e in fresh if e.event.retrospective]
        known = self._alerts(fresh) | {"priorities": _priorities(fresh)}
        return self._say("raised", known | ({"late": count(late, "events")} if late else {}))

    def ended(self, clinical: list[Episode]) -> list[Sentence]:
        """What ended in the window."""
        over = [e for e in clinical if not e.open and self._window.holds(e.event.ended_at)]
        if not over:
            return []
        unseen = [e.event.event_id for e in over if not e.acknowledged]
        return [self._say("ended", self._alerts(over) | {"unseen": count(unseen, "events")})]

    def technical(self, found: list[Episode]) -> list[Sentence]:
        """What is open about devices and data."""
        if not found:
            return []
        ids = (e.event.event_id for e in found)
        known = {**self._alerts(found), "findings": count(ids, "events", "findings")}
        return [self._say("technical", known | self._oldest(found))]

    def data(self, measured: list[Measured]) -> Sentence:
        """What was measured: of a ward, from whom; of a patient, how much."""
        sending = [one for one in measured if one.readings > 0]
        if self._scope == "patient":
            return (
                self._say("data", _readings(sending[0], self._window))
                if sending
                else self._nobody()
            )
        if not measured:
            return self._nobody()
        silent = [one.patient_id for one in measured if one.readings <= 0]
        known: dict[str, list[Segment]] = {
            "sending": count((one.patient_id for one in sending), "patients"),
            "everyone": count((one.patient_id for one in measured), "patients", "everyone"),
        }
        return self._say("data", known | ({"patients": patients(silent)} if silent else {}))

    def _nobody(self) -> Sentence:
        return self._say("nobody", {})

    def _say(self, kind: str, known: Slots) -> Sentence:
        spanned = [Segment(counted_as(self._window.hours, "hours"), "span", (), "window")]
        return sentence(self._scope, kind, {**known, "hours": spanned}, self._choice)

    def _alerts(self, episodes: list[Episode]) -> dict[str, list[Segment]]:
        return {
            "alerts": count((e.event.event_id for e in episodes), "events", "alerts"),
            "patients": patients(e.event.patient_id for e in episodes),
        }

    def _oldest(self, episodes: list[Episode]) -> dict[str, list[Segment]]:
        first = min(episodes, key=lambda e: (e.event.onset, e.event.event_id)).event
        name = "since" if len(episodes) == 1 else "oldest"
        return {name: [_time(first.onset, self._window, first.event_id, "onset")]}

    def _episode(self, episode: Episode) -> dict[str, list[Segment]]:
        """What is found, since when, the last value, and whether anybody has seen it."""
        event = episode.event
        state = "acknowledged" if episode.acknowledged else "waiting"
        known = {
            "patient": patients([event.patient_id]),
            "finding": [words(_finding(event))],
            "since": [_time(event.onset, self._window, event.event_id, "onset")],
            "state": [words(table()["words"][state])],
        }
        name = _value_slot(event)
        text = slots.render(event, "en").get(name)
        if text is not None:
            known["value"] = [Segment(text, "value", (event.event_id,), slots.SLOTS[name])]
        return known


def _time(moment: datetime, window: Window, ident: str, key: str) -> Segment:
    """A time, with its day where that is not the day of the window's end."""
    text = speech.of("en").say(slots.clock(moment, window.end))
    return Segment(text, "time", (ident,), key)


def _finding(event: Event) -> str:
    """The alert's title, within a sentence."""
    block = drafts.block_for(facts.of(event, "care_team", "en", ()))
    return block.title[:1].lower() + block.title[1:]


def _value_slot(event: Event) -> str:
    """The slot that holds what the finding is about."""
    kind = KINDS.get(event.kind)
    paired = kind is not None and set(kind.signals) == {"systolic", "diastolic"}
    return "blood_pressure_mmhg" if paired else "value"


def _priorities(episodes: list[Episode]) -> list[Segment]:
    """``2 high, 1 low``."""
    made: list[Segment] = []
    for priority in PRIORITY_ORDER:
        ids = [e.event.event_id for e in episodes if e.event.priority == priority]
        if ids:
            made += [words(", ")] if made else []
            made += [*count(ids, "events"), words(f" {table()['words'][priority]}")]
    return made


def _readings(one: Measured, window: Window) -> dict[str, list[Segment]]:
    """How many readings of a patient came, the newest, and the span of the heart rate."""
    text = counted_as(one.readings, "readings")
    known = {"readings": [Segment(text, "count", (one.patient_id,), "readings")]}
    if one.newest is not None:
        known["time"] = [_time(one.newest, window, one.patient_id, "readings.time")]
    if one.lowest is not None and one.highest is not None:
        say = speech.of("en").quantity
        ends = {
            "low": figures.text("heart_rate", one.lowest),
            "high": say("heart_rate", figures.text("heart_rate", one.highest)),
        }
        known |= {
            name: [Segment(text, "value", (one.patient_id,), "readings.heart_rate")]
            for name, text in ends.items()
        }
    return known
