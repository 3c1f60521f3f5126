"""Slots: the only places where a number or a time enters a text.

Each slot reads one thing from an event (its *source*: evidence keys, or the event's own times) and
brings it to its unit and rounding, in no language: a :data:`~explain.speech.Said`. A locale then
says it (:mod:`explain.speech`). A slot whose source is missing, of the wrong type or physically
impossible does not exist for that event, and a sentence that needs it is not chosen.

:func:`fill` puts rendered slots into a sentence in one pass of a regular expression over the
*sentence*; what it puts in is never looked at again, so a value can hold braces, markup or
anything else and stays what it is. ``str.format`` would follow attributes; it is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from explain import facts, speech, tables, together
from explain.evidence import number, plain, within
from explain.speech import Said
from explain.units import UNITS
from vigil.model import Event

SHORTEST_SECONDS = 60.0
"""A shorter duration is one reading or the gap to the next: nothing worth a number."""
LONGEST_SECONDS = 366 * 86_400.0
SURE = 1.0
"""Baseline confidence from which a personal usual is shown; the detector's own "ready"."""

PART = tables.SLOT


def fill(sentence: str, rendered: Mapping[str, str]) -> str:
    """The sentence with its slots filled, in one pass.

    Raises:
        KeyError: a slot that is not among those rendered.

    >>> fill("Now {heart_rate}.", {"heart_rate": "{limit} <b>"})
    'Now {limit} <b>.'
    """
    return PART.sub(lambda match: rendered[match[1]], sentence)


def measure(event: Event) -> dict[str, Said]:
    """Every slot that this event can fill, in no language."""
    view = View(event)
    found = {}
    for name, slot in SLOTS.items():
        said = slot.read(view)
        if said is not None:
            found[name] = said
    return found


def render(event: Event, locale: str) -> dict[str, str]:
    """Every slot that this event can fill, in a locale's words."""
    say = speech.of(locale).say
    return {name: say(said) for name, said in measure(event).items()}


def judged(event: Event) -> str:
    """The quantity that ``value``, ``limit``, ``extreme`` and the baseline are about, or ``""``.

    A technical finding has none: its numbers are what was *not* believed.
    """
    if event.category == "technical":
        return ""
    signal = event.evidence.get("signal")
    if isinstance(signal, str) and signal in UNITS:
        return signal
    return tables.kinds()[facts.row_of(event.kind, event.category)].quantity


# ---- what a slot reads


class View:
    """An event as the slots look at it."""

    __slots__ = ("event", "evidence", "unit", "values")

    def __init__(self, event: Event):
        self.event = event
        self.evidence: Mapping[str, Any] = event.evidence
        values = event.evidence.get("values")
        self.values: Mapping[str, Any] = values if isinstance(values, dict) else {}
        self.unit = judged(event)


Read = Callable[[View], Said | None]


def _figure(unit: str, value: float | None) -> Said | None:
    figure = UNITS[unit].figure(value)
    return None if figure is None else (unit, figure)


def _value(name: str) -> Read:
    """A figure by name: among the values, or the value judged if that is what it is."""

    def read(view: View) -> Said | None:
        value = plain(view.values.get(name)) if name in view.values else None
        if value is None and view.unit == name:
            value = number(view.evidence, "value")
        return None if value is None else _figure(name, value)

    return read


def _pair(unit: str, key: str = "values") -> Read:
    """Both blood pressures, or none: half of one says nothing."""

    def read(view: View) -> Said | None:
        both = view.values if key == "values" else view.evidence.get(key)
        if not isinstance(both, dict) or "systolic" not in both:
            return None
        systolic = UNITS["systolic"].figure(plain(both["systolic"]))
        diastolic = UNITS["diastolic"].figure(plain(both.get("diastolic")))
        if systolic is None or diastolic is None or float(systolic) <= float(diastolic):
            return None
        return unit, systolic, diastolic

    return read


def _about(key: str) -> Read:
    """A figure of the quantity that the event is about."""
    return lambda view: _figure(view.unit, number(view.evidence, key)) if view.unit else None


def _usual_range(view: View) -> Said | None:
    baseline = view.evidence.get("baseline")
    if not view.unit or not isinstance(baseline, dict):
        return None
    confidence = plain(baseline.get("confidence"))
    if confidence is not None and confidence < SURE:
        return None
    low = UNITS[view.unit].figure(plain(baseline.get("low")))
    high = UNITS[view.unit].figure(plain(baseline.get("high")))
    if low is None or high is None or float(low) > float(high):
        return None
    return (view.unit, high) if low == high else (speech.RANGE, view.unit, low, high)


def _samples(view: View) -> Said | None:
    """Readings; of a trend over days, which is judged once a day, what its days rest on."""
    nights = within(number(view.evidence, "nights_used"), 1, 1e4)
    if nights is not None:
        return "nights", f"{nights:.0f}"
    days = view.evidence.get("days")
    if isinstance(days, list):
        counts = [number(day, "readings") for day in days if isinstance(day, Mapping)]
        count = within(sum(known for known in counts if known is not None), 1, 1e9)
    else:
        count = within(number(view.evidence, "samples"), 1, 1e9)
    return None if count is None else ("samples", f"{count:.0f}")


# ---- times


def _duration(view: View) -> Said | None:
    """``duration_seconds`` of the evidence, else from onset to end (or to what is known)."""
    event, seconds = view.event, number(view.evidence, "duration_seconds")
    if seconds is None:
        seconds = ((event.ended_at or event.detected_at) - event.onset).total_seconds()
    if within(seconds, SHORTEST_SECONDS, LONGEST_SECONDS) is None:
        return None
    return span(timedelta(seconds=seconds))


def span(length: timedelta) -> Said:
    """As a person says it: to 5 minutes from 10, to 10 from an hour, to hours from 2, then days.

    >>> span(timedelta(minutes=41)), span(timedelta(hours=40))
    (('minutes', '40'), ('days', '2'))
    """
    minutes = length.total_seconds() / 60
    if minutes < 10:
        return "minutes", str(round(minutes))
    if minutes < 60:
        return "minutes", str(5 * round(minutes / 5))
    if minutes < 115:
        return "minutes", str(10 * round(minutes / 10))
    if minutes < 36 * 60:
        return "hours", str(round(minutes / 60))
    return "days", str(round(minutes / 1440))


def clock(moment: datetime, seen_from: datetime) -> Said:
    """A time of day, with the day where that is not the day it is told on."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    if seen_from.tzinfo is not UTC:
        seen_from = seen_from.astimezone(UTC)
    time = (speech.TIME, f"{moment.hour:02}", f"{moment.minute:02}")
    if moment.date() == seen_from.date():
        return time
    return (speech.DAY, *time[1:], str(moment.day), str(moment.month))


def _since(view: View) -> Said | None:
    return clock(view.event.onset, view.event.detected_at)


def _until(view: View) -> Said | None:
    event = view.event
    if event.ended_at is None or event.phase != "closed":
        return None
    return clock(event.ended_at, event.detected_at)


# ---- the table


class Slot(NamedTuple):
    """One slot: where it comes from and how it is read."""

    source: str
    read: Read


_PAIR = "values.systolic, values.diastolic"
_MEANS = "average.systolic, average.diastolic"
SLOTS: MappingProxyType[str, Slot] = MappingProxyType(
    {
        "value": Slot("value", _about("value")),
        "heart_rate": Slot("values.heart_rate", _value("heart_rate")),
        "blood_pressure": Slot(_PAIR, _pair("blood_pressure")),
        "blood_pressure_mmhg": Slot(_PAIR, _pair("blood_pressure_mmhg")),
        "average_blood_pressure": Slot(_MEANS, _pair("blood_pressure", "average")),
        "average_blood_pressure_mmhg": Slot(_MEANS, _pair("blood_pressure_mmhg", "average")),
        "spo2": Slot("values.spo2", _value("spo2")),
        "respiratory_rate": Slot("values.respiratory_rate", _value("respiratory_rate")),
        "temperature": Slot("values.temperature", _value("temperature")),
        "pulse_pressure": Slot("values.pulse_pressure, value", _value("pulse_pressure")),
        "mean_arterial_pressure": Slot(
            "values.mean_arterial_pressure, value", _value("mean_arterial_pressure")
        ),
        "shock_index": Slot("values.shock_index, value", _value("shock_index")),
        "score": Slot("value", _value("score")),
        "duration": Slot("duration_seconds, or the event's onset to its end", _duration),
        "since": Slot("the event's onset", _since),
        "until": Slot("the event's ended_at", _until),
        "usual_range": Slot("baseline.low, baseline.high, baseline.confidence", _usual_range),
        "limit": Slot("limit", _about("limit")),
        "extreme": Slot("extreme", _about("extreme")),
        "samples": Slot("samples", _samples),
        "parts": Slot("parts", lambda view: together.parts(view.evidence)),
        "contributors": Slot("contributions", lambda view: together.contributors(view.evidence)),
    }
)
"""Slot → its source and reading. ``docs/explanation.md`` lists them; a test holds the two."""
