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
        cldr = Locale.parse(CLDR.get(locale, locale))
        system = cldr.default_numbering_system
        self._months = cldr.months["format"][MONTHS.get(locale, "wide")]
        zero = _ZEROS.get(system, "0")
        marks = {ord("."): cldr.number_symbols[system]["decimal"]}
        self._figures = {ord(str(digit)): chr(ord(zero) + digit) for digit in range(10)} | marks
        self.format = lru_cache(maxsize=16_384)(self._format)
        """A :data:`SlotValue` in words."""

    def _format(self, value: SlotValue) -> str:  # noqa: PLR0911  (one return a form)
        match value:
            case ("range", unit, low, high):
                return self._range(unit, low, high)
            case ("time", hour, minute):
                return self._unit(TIME, hour=hour, minute=minute)
            case ("time_and_day", hour, minute, day, month):
                name = self._months[int(month)]
                return self._unit(DAY, hour=hour, minute=minute, day=day).replace("{month}", name)
            case ("parts", *rest):
                return "; ".join(self._parts(rest))
            case ("signals", *names):
                return ", ".join(self._words["signals"][name] for name in names)
            case (("blood_pressure" | "blood_pressure_mmhg") as unit, systolic, diastolic):
                return self._unit(unit, systolic=systolic, diastolic=diastolic)
            case (unit, figure):
                return self.quantity(unit, figure)
        raise ValueError(f"{value!r} cannot be formatted")

    def figure(self, digits: str) -> str:
        """Plain digits as the locale writes them."""
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
        text = self._catalogue.translate(f"words.units.{name}", self._words["units"][name])
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
