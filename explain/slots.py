"""Slots: the only places where a number or a time enters a text.

Each slot reads one thing from an event (its *source*: evidence keys, or the event's own times),
brings it to its unit and rounding, and says it in the locale's words. A slot whose source is
missing, of the wrong type or physically impossible does not exist for that event, and a sentence
that needs it is not chosen.

:func:`fill` puts rendered slots into a sentence in one pass of a regular expression over the
*sentence*; what it puts in is never looked at again, so a value can hold braces, markup or
anything else and stays what it is. ``str.format`` would follow attributes; it is never used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from explain import facts, tables, together
from explain.evidence import number, within
from vigil.model import Event
from vigil.signals import SIGNALS

Words = Mapping[str, Any]
SHORTEST_SECONDS = 60.0
"""A shorter duration is one reading or the gap to the next: nothing worth a number."""
LONGEST_SECONDS = 366 * 86_400.0
SURE = 1.0
"""Baseline confidence from which a personal usual is shown; the detector's own "ready"."""


class Unit(NamedTuple):
    """What a quantity can be and how finely it is told."""

    lowest: float
    highest: float
    decimals: int

    def say(self, value: float | None) -> str | None:
        """The figure alone, or None where there is none that can be true."""
        value = within(value, self.lowest, self.highest)
        return None if value is None else f"{value:.{self.decimals}f}"


UNITS: MappingProxyType[str, Unit] = MappingProxyType(
    {
        **{name: Unit(s.lowest, s.highest, s.decimals) for name, s in SIGNALS.items()},
        "pressure": Unit(0, 300, 0),
        "pulse_pressure": Unit(0, 300, 0),
        "mean_arterial_pressure": Unit(0, 300, 0),
        "shock_index": Unit(0.05, 10, 2),
        "score": Unit(0, 30, 0),
    }
)  # fmt: skip
"""Quantity → range and rounding. The signals' own come from :mod:`vigil.signals`."""

PART = tables.SLOT


def fill(sentence: str, rendered: Mapping[str, str]) -> str:
    """The sentence with its slots filled, in one pass.

    Raises:
        KeyError: a slot that is not among those rendered.

    >>> fill("Now {heart_rate}.", {"heart_rate": "{limit} <b>"})
    'Now {limit} <b>.'
    """
    return PART.sub(lambda match: rendered[match[1]], sentence)


def render(event: Event, locale: str) -> dict[str, str]:
    """Every slot that this event can fill, in a locale's words."""
    words = tables.words(locale)
    found = {}
    for name, slot in SLOTS.items():
        text = slot.render(event, words)
        if text is not None:
            found[name] = text
    return found


# ---- what a slot reads


def _figure(words: Words, unit: str, figure: str | None) -> str | None:
    """A figure with its unit's words; plural where the locale has forms for it."""
    if figure is None:
        return None
    if unit in words["plurals"]:
        return _plural(words, unit, figure)
    return fill(words["units"][unit], {"value": figure})


def _plural(words: Words, unit: str, figure: str) -> str:
    form = "one" if figure == "1" else "other"
    return fill(words["plurals"][unit][form], {"value": figure})


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


def _measured(event: Event, name: str) -> str | None:
    """A figure by name: among the values, or the value judged if that is what it is."""
    value = number(event.evidence, "values", name)
    if value is None and judged(event) == name:
        value = number(event.evidence, "value")
    return UNITS[name].say(value)


def _value(name: str) -> Callable[[Event, Words], str | None]:
    return lambda event, words: _figure(words, name, _measured(event, name))


def _pair(unit: str) -> Callable[[Event, Words], str | None]:
    return lambda event, words: _blood_pressure(event, words, unit)


def _blood_pressure(event: Event, words: Words, unit: str, key: str = "values") -> str | None:
    systolic = UNITS["systolic"].say(number(event.evidence, key, "systolic"))
    diastolic = UNITS["diastolic"].say(number(event.evidence, key, "diastolic"))
    if systolic is None or diastolic is None or float(systolic) <= float(diastolic):
        return None
    return fill(words["units"][unit], {"systolic": systolic, "diastolic": diastolic})


def _about(*path: str) -> Callable[[Event, Words], str | None]:
    """A figure of the quantity that the event is about."""

    def render_it(event: Event, words: Words) -> str | None:
        unit = judged(event)
        return (
            _figure(words, unit, UNITS[unit].say(number(event.evidence, *path))) if unit else None
        )

    return render_it


def _usual_range(event: Event, words: Words) -> str | None:
    unit = judged(event)
    confidence = number(event.evidence, "baseline", "confidence")
    if not unit or (confidence is not None and confidence < SURE):
        return None
    low = UNITS[unit].say(number(event.evidence, "baseline", "low"))
    high = UNITS[unit].say(number(event.evidence, "baseline", "high"))
    if low is None or high is None or float(low) > float(high):
        return None
    both = fill(words["units"]["range"], {"low": low, "high": high})
    return _figure(words, unit, low if low == high else both)


def _samples(event: Event, words: Words) -> str | None:
    """Readings; of a trend over days, which is judged once a day, what its days rest on."""
    nights = within(number(event.evidence, "nights_used"), 1, 1e4)
    if nights is not None:
        return _figure(words, "nights", f"{nights:.0f}")
    days = event.evidence.get("days")
    if isinstance(days, list):
        counts = [number(day, "readings") for day in days if isinstance(day, Mapping)]
        count = within(sum(known for known in counts if known is not None), 1, 1e9)
    else:
        count = within(number(event.evidence, "samples"), 1, 1e9)
    return None if count is None else _figure(words, "samples", f"{count:.0f}")


def _say(unit: str, value: float, words: Words) -> str | None:
    """A value of any quantity, with its unit."""
    return _figure(words, unit, UNITS[unit].say(value)) if unit in UNITS else None


def _parts(event: Event, words: Words) -> str | None:
    return together.parts(event, words, _say)


def _average(unit: str) -> Callable[[Event, Words], str | None]:
    return lambda event, words: _blood_pressure(event, words, unit, "average")


# ---- times


def _duration(event: Event, words: Words) -> str | None:
    """``duration_seconds`` of the evidence, else from onset to end (or to what is known)."""
    seconds = number(event.evidence, "duration_seconds")
    if seconds is None:
        seconds = ((event.ended_at or event.detected_at) - event.onset).total_seconds()
    if within(seconds, SHORTEST_SECONDS, LONGEST_SECONDS) is None:
        return None
    unit, count = _rounded(timedelta(seconds=seconds))
    return _plural(words, unit, str(count))


def _rounded(span: timedelta) -> tuple[str, int]:
    """As a person says it: to 5 minutes from 10, to 10 from an hour, to hours from 2, then days."""
    minutes = span.total_seconds() / 60
    if minutes < 10:
        return "minutes", round(minutes)
    if minutes < 60:
        return "minutes", 5 * round(minutes / 5)
    if minutes < 115:
        return "minutes", 10 * round(minutes / 10)
    if minutes < 36 * 60:
        return "hours", round(minutes / 60)
    return "days", round(minutes / 1440)


def _time(moment: datetime, seen_from: datetime, words: Words) -> str:
    """``02:10 UTC``, with the day where that is not the day it is told on."""
    moment, seen_from = moment.astimezone(UTC), seen_from.astimezone(UTC)
    parts = {"hour": f"{moment:%H}", "minute": f"{moment:%M}"}
    if moment.date() == seen_from.date():
        return fill(words["units"]["time"], parts)
    parts |= {"day": str(moment.day), "month": words["months"]["names"][moment.month - 1]}
    return fill(words["units"]["time_and_day"], parts)


def _since(event: Event, words: Words) -> str | None:
    return _time(event.onset, event.detected_at, words)


def _until(event: Event, words: Words) -> str | None:
    if event.ended_at is None or event.phase != "closed":
        return None
    return _time(event.ended_at, event.detected_at, words)


# ---- the table


class Slot(NamedTuple):
    """One slot: where it comes from and how it is said."""

    source: str
    render: Callable[[Event, Words], str | None]


_PAIR = "values.systolic, values.diastolic"
_MEANS = "average.systolic, average.diastolic"
SLOTS: MappingProxyType[str, Slot] = MappingProxyType(
    {
        "value": Slot("value", _about("value")),
        "heart_rate": Slot("values.heart_rate", _value("heart_rate")),
        "blood_pressure": Slot(_PAIR, _pair("blood_pressure")),
        "blood_pressure_mmhg": Slot(_PAIR, _pair("blood_pressure_mmhg")),
        "average_blood_pressure": Slot(_MEANS, _average("blood_pressure")),
        "average_blood_pressure_mmhg": Slot(_MEANS, _average("blood_pressure_mmhg")),
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
        "parts": Slot("parts", _parts),
        "contributors": Slot("contributions", together.contributors),
    }
)
"""Slot → its source and rendering. ``docs/explanation.md`` lists them; a test holds the two."""
