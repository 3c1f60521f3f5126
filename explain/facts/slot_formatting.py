"""Writes the value of a slot in a locale: digits, decimal mark, unit, plural, time of day.

A :data:`SlotValue` names its unit or form, then its figures as plain digits. The words are the
tables' (``en/words.toml``) in the locale's catalogue; digits, decimal mark and names of months are
the Unicode CLDR's, by Babel.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

from babel import Locale

from explain import languages, tables
from vigil.values.catalogs import Catalogue

SlotValue = tuple[str, ...]
"""``("heart_rate", "118")``, ``("minutes", "40")``, ``("blood_pressure", "182", "121")``: a row of
the locale's units or plurals and its figures; or one of the forms below."""
RANGE, TIME, DAY = "range", "time", "time_and_day"
"""``(RANGE, unit, low, high)``, ``(TIME, hour, minute)``, ``(DAY, hour, minute, day, month)``."""
AT_TIME, ON_DAY = "at_time", "on_day"
SINCE_TIME, SINCE_DAY = "since_time", "since_day"
"""``(AT_TIME, hour, minute)``, ``(ON_DAY, day, month)`` and the same with "since": moments with the
words that lead to them, which languages write differently for a time and for a date."""
READINGS_BEYOND = "readings_beyond"
"""``(READINGS_BEYOND, beyond, of)``: 2 of 3 readings."""
ONE_READING = "one_reading"
"""``(ONE_READING, "1")``: 1 reading, where that is all there is."""
CLOCK_AHEAD, CLOCK_BEHIND = "clock_ahead", "clock_behind"
"""``(CLOCK_AHEAD, unit, figure, …)``: about 5 hours ahead."""
HOURS_AND_MINUTES = "hours_and_minutes"
"""``(HOURS_AND_MINUTES, hours, minutes)``: about 5 h 30 min."""
PARTS, SIGNALS = "parts", "signals"
"""``(PARTS, kind, unit, figure, …)``, unit empty where it has no figure; ``(SIGNALS, name, …)``."""
CLDR = {"ar": "ar_EG"}
"""Whose digits and months: plain ``ar`` is the world's, which CLDR writes with Latin digits."""
MONTHS = {"zh": "abbreviated"}
"""Locale → width of the month's name in a date, where it is not wide: 11月19日."""


class SlotFormatter:
    """Writes slot values in one locale."""

    def __init__(self, locale: str):
        self._catalogue: Catalogue = languages.catalogue_for(locale)
        self._words: dict[str, Any] = tables.words(languages.LOCALES[0])
        self._units = {
            name: self._catalogue.translate(f"words.units.{name}", english)
            for name, english in self._words["units"].items()
        }
        cldr = Locale.parse(CLDR.get(locale, locale))
        system = cldr.default_numbering_system
        self._months = cldr.months["format"][MONTHS.get(locale, "wide")]
        zero = _ZEROS.get(system, "0")
        marks = {ord("."): cldr.number_symbols[system]["decimal"]}
        self._figures = {ord(str(digit)): chr(ord(zero) + digit) for digit in range(10)} | marks
        self.figure = lru_cache(maxsize=4096)(self._figure)
        """Plain digits as the locale writes them."""
        self.format = lru_cache(maxsize=16_384)(self._format)
        """A :data:`SlotValue` in words."""

    def _format(self, value: SlotValue) -> str:  # noqa: PLR0911, PLR0912  (one return a form)
        match value:
            case ("range", unit, low, high):
                return self._range(unit, low, high)
            case ("time", hour, minute):
                return self._unit(TIME, hour=hour, minute=minute)
            case ("time_and_day", hour, minute, day, month):
                name = self._months[int(month)]
                return self._unit(DAY, hour=hour, minute=minute, day=day).replace("{month}", name)
            case (("at_time" | "since_time") as unit, hour, minute):
                return self._unit(unit, hour=hour, minute=minute)
            case (("on_day" | "since_day") as unit, day, month):
                return self._unit(unit, day=day).replace("{month}", self._months[int(month)])
            case ("readings_beyond", beyond, of):
                return self._unit(READINGS_BEYOND, beyond=beyond).replace(
                    "{of}", self.quantity("readings_of", of)
                )
            case (("clock_ahead" | "clock_behind") as form, *span):
                return self._unit(form).replace("{span}", self._format(tuple(span)))
            case ("hours_and_minutes", hours, minutes):
                return self._unit(HOURS_AND_MINUTES, hours=hours, minutes=minutes)
            case ("parts", *rest):
                return "; ".join(self._parts(rest))
            case ("signals", *names):
                return ", ".join(self._words["signals"][name] for name in names)
            case (("blood_pressure" | "blood_pressure_mmhg") as unit, systolic, diastolic):
                return self._unit(unit, systolic=systolic, diastolic=diastolic)
            case (unit, figure):
                return self.quantity(unit, figure)
            case (unit,):
                return self._unit(unit)
        raise ValueError(f"{value!r} cannot be formatted")

    def _figure(self, digits: str) -> str:
        return digits.translate(self._figures)

    def quantity(self, unit: str, figure: str, counted: str = "") -> str:
        """A figure with its unit; ``counted`` settles the plural where the figure is a range."""
        plurals = self._words["plurals"].get(unit)
        if plurals is None:
            return self._unit(unit, value=figure)
        count = round(float(counted or figure))
        template = self._catalogue.plural(
            f"words.plurals.{unit}", plurals["one"], plurals["other"], count
        )
        return template.replace("{value}", self.figure(figure))

    def _range(self, unit: str, low: str, high: str) -> str:
        return self.quantity(unit, self._unit(RANGE, low=low, high=high), counted=high)

    def _unit(self, name: str, **figures: str) -> str:
        text = self._units[name]
        for part, figure in figures.items():  # our own digits: nothing that could hold a brace
            text = text.replace(f"{{{part}}}", self.figure(figure))
        return text

    def _parts(self, rest: list[str]) -> list[str]:
        """``shock index high, 1.20``: kind, unit and figure, three by three."""
        texts = []
        for kind, unit, figure in zip(rest[::3], rest[1::3], rest[2::3], strict=True):
            name = str(self._words["parts"][kind])
            texts.append(f"{name}, {self.quantity(unit, figure)}" if unit else name)
        return texts


_ZEROS = {"arab": "\u0660", "deva": "\u0966"}
"""Numbering system → its zero; the other digits follow it."""


@cache
def slot_formatter(locale: str) -> SlotFormatter:
    """A locale's speech."""
    return SlotFormatter(locale)


@lru_cache(maxsize=16_384)
def format_in_every_locale(value: SlotValue) -> dict[str, str]:
    """Locale → a slot value in its words. The value decides them alone, whoever it belongs to."""
    return {locale: slot_formatter(locale)._format(value) for locale in languages.LOCALES}
