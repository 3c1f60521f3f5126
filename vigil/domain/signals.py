"""The signals that Vigil takes, in one table.

Codes are LOINC, units UCUM. The range is what can be *physically possible* in a living adult or a
child: outside it a value is a fault of device or sender and is refused at the door. It is not a
clinical limit; those are the detectors'. Adding a signal is adding a row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from vigil.values.rounding import format_half_up, half_up


@dataclass(frozen=True, slots=True)
class Signal:
    """One vital sign: its names, its unit and the range that is physically possible."""

    name: str
    label: str
    loinc: str
    ucum: str
    unit_label: str
    lowest: float
    highest: float
    decimals: int
    """Digits after the point wherever the value is judged or a person reads it."""
    accepted_units: tuple[tuple[str, float, float], ...] = ()
    """Other units taken at the door: (UCUM or usual spelling, factor, offset) to ``ucum``."""

    def figure(self, value: float) -> float:
        """The value as it is judged and shown: rounded half up (:mod:`vigil.domain.figures`).

        >>> SIGNALS["temperature"].figure(35.05), SIGNALS["heart_rate"].figure(90.5)
        (35.1, 91.0)
        """
        return half_up(value, self.decimals)

    def display(self, value: float) -> str:
        """The figure as a person reads it, without its unit.

        >>> SIGNALS["temperature"].display(37.04), SIGNALS["temperature"].display(35.05)
        ('37.0', '35.1')
        """
        return format_half_up(value, self.decimals)


_PRESSURE = (("mmHg", 1.0, 0.0), ("kPa", 7.500616827, 0.0))

_ROWS = (
    Signal(
        "heart_rate",
        label="Heart rate",
        loinc="8867-4",
        ucum="/min",
        unit_label="bpm",
        lowest=20,
        highest=300,
        decimals=0,
        accepted_units=(("{beats}/min", 1.0, 0.0), ("bpm", 1.0, 0.0), ("1/min", 1.0, 0.0)),
    ),
    Signal(
        "systolic",
        label="Systolic blood pressure",
        loinc="8480-6",
        ucum="mm[Hg]",
        unit_label="mmHg",
        lowest=30,
        highest=300,
        decimals=0,
        accepted_units=_PRESSURE,
    ),
    Signal(
        "diastolic",
        label="Diastolic blood pressure",
        loinc="8462-4",
        ucum="mm[Hg]",
        unit_label="mmHg",
        lowest=10,
        highest=250,
        decimals=0,
        accepted_units=_PRESSURE,
    ),
    Signal(
        "spo2",
        label="Oxygen saturation",
        loinc="59408-5",
        ucum="%",
        unit_label="%",
        lowest=30,
        highest=100,
        decimals=0,
        accepted_units=(("{fraction}", 100.0, 0.0),),
    ),
    Signal(
        "respiratory_rate",
        label="Respiratory rate",
        loinc="9279-1",
        ucum="/min",
        unit_label="/min",
        lowest=2,
        highest=100,
        decimals=0,
        accepted_units=(("{breaths}/min", 1.0, 0.0), ("1/min", 1.0, 0.0)),
    ),
    Signal(
        "temperature",
        label="Body temperature",
        loinc="8310-5",
        ucum="Cel",
        unit_label="°C",
        lowest=20,
        highest=46,
        decimals=1,
        accepted_units=(("°C", 1.0, 0.0), ("[degF]", 5 / 9, -160 / 9), ("°F", 5 / 9, -160 / 9)),
    ),
)

SIGNALS: MappingProxyType[str, Signal] = MappingProxyType({row.name: row for row in _ROWS})
NAMES: tuple[str, ...] = tuple(SIGNALS)

_OF_8_BITS = {254.0: "0xFE, no value", 255.0: "0xFF, FIT's invalid uint8"}
_OF_8_BITS_SIGNED = {127.0: "0x7F, FIT's invalid sint8, a pulse oximeter's missing value"}
_NOTHING_FOUND = {0.0: "0, nothing found"}
_OF_TENTHS = {
    6553.5: "0xFFFF, in tenths",
    3276.7: "0x7FFF, in tenths",
    -3276.8: "0x8000, in tenths",
    655.35: "0xFFFF, in hundredths",
    327.67: "0x7FFF, in hundredths",
    -327.68: "0x8000, in hundredths",
}
_OF_ANY_FORMAT = {
    -1.0: "no value",
    2046.0: "SFLOAT's positive infinity",
    2047.0: "SFLOAT's NaN",
    -2046.0: "SFLOAT's negative infinity",
    -2047.0: "SFLOAT's reserved value",
    -2048.0: "SFLOAT's NRes, not at this resolution",
    2048.0: "SFLOAT's NRes, read without its sign",
    2049.0: "SFLOAT's reserved value, read without its sign",
    2050.0: "SFLOAT's negative infinity, read without its sign",
    -128.0: "0x80, the lowest 8-bit number",
    32767.0: "0x7FFF, FIT's invalid sint16",
    -32767.0: "0x8001, no valid value",
    -32768.0: "0x8000, the lowest 16-bit number",
    65534.0: "0xFFFE, no value",
    65535.0: "0xFFFF, FIT's invalid uint16",
    8388606.0: "FLOAT's positive infinity",
    8388607.0: "FLOAT's NaN",
    -8388606.0: "FLOAT's negative infinity",
    -8388607.0: "FLOAT's reserved value",
    -8388608.0: "FLOAT's NRes, not at this resolution",
    8388608.0: "FLOAT's NRes, read without its sign",
    8388609.0: "FLOAT's reserved value, read without its sign",
    8388610.0: "FLOAT's negative infinity, read without its sign",
    2147483647.0: "0x7FFFFFFF, FIT's invalid sint32",
    -2147483648.0: "0x80000000, the lowest 32-bit number",
    4294967295.0: "0xFFFFFFFF, FIT's invalid uint32",
}
_OF_ONE_SIGNAL: Mapping[str, Mapping[float, str]] = MappingProxyType(
    {
        "heart_rate": {**_OF_8_BITS, 511.0: "0x1FF, a pulse oximeter's missing value"},
        "systolic": {},
        "diastolic": _OF_8_BITS,
        "spo2": _OF_8_BITS | _OF_8_BITS_SIGNED,
        "respiratory_rate": _OF_8_BITS | _OF_8_BITS_SIGNED,
        "temperature": _OF_8_BITS | _OF_8_BITS_SIGNED | _OF_TENTHS,
    }
)
"""What is of few bits is a sentinel only where no such value is measured: 127 mmHg is a pressure
and 255 mmHg a severe one. A heart rate of 254 and 255 is so rare that it is the one exception."""
SENTINELS: MappingProxyType[str, MappingProxyType[float, str]] = MappingProxyType(
    {
        name: MappingProxyType(_OF_ANY_FORMAT | _NOTHING_FOUND | dict(_OF_ONE_SIGNAL[name]))
        for name in NAMES
    }
)
"""Signal → number that formats send for "no value" → which format's it is. Sources: the invalid
value of each base type of the FIT protocol; the special values of SFLOAT and FLOAT (ISO/IEEE
11073-20601, Bluetooth GATT); 127 and 511 of a pulse oximeter without a finger (Nonin's serial data
formats°); −32767 of patient monitors (Datex-Ohmeda°)."""


def is_pressure_sentinel(systolic: float | None, diastolic: float | None) -> bool:
    """Whether both numbers of a pressure stand for "no value". A systolic pressure of 254 or 255 is
    measured, but not beside a diastolic one that is a sentinel.

    >>> is_pressure_sentinel(255.0, 255.0), is_pressure_sentinel(255.0, 130.0)
    (True, False)
    >>> is_pressure_sentinel(124.0, 255.0), is_pressure_sentinel(255.0, None)
    (False, False)
    """
    known = SENTINELS["diastolic"]
    return systolic in known and diastolic in known


STEPS_PER_MINUTE_RANGE = (0.0, 400.0)
"""Context, not a vital sign; beyond 400 a minute no one steps."""


def factor_to_canonical(signal: Signal, unit: str) -> tuple[float, float] | None:
    """``(factor, offset)`` that brings ``unit`` to the signal's own, or None if unknown.

    >>> factor_to_canonical(SIGNALS["systolic"], "kPa")
    (7.500616827, 0.0)
    >>> factor_to_canonical(SIGNALS["systolic"], "psi") is None
    True
    """
    if unit == signal.ucum:
        return (1.0, 0.0)
    for name, factor, offset in signal.accepted_units:
        if name == unit:
            return (factor, offset)
    return None
