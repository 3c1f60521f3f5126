"""Made-up wards, the same on every Python: what digests of detection are taken of.

Of ``random`` only ``Random(number).random()`` is used: the one sequence that its documentation
promises not to change. Together the wards reach every detector, with all that changes a last digit:
calm, exercise, alarms, cuffs, charts, gaps, late data, two devices, silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from random import Random
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec.structs import replace

from tests.support.vitals import DAY, HOUR, at, measured, upload
from vigil.domain.reading import Upload

Log = list[Upload | datetime]
Plugin = Mapping[str, Any]


class Ward(NamedTuple):
    """A configuration, and what a partition's log holds, in order of receipt."""

    log: Log
    config: Mapping[str, Any]


def _near(source: Random, value: float, spread: float) -> float:
    """A value near another, with digits to lose."""
    return value + (source.random() + source.random() - 1.0) * 2 * spread


def _in_order(log: Log) -> Log:
    return sorted(log, key=lambda item: item if isinstance(item, datetime) else item.received_at)


def _received_later(item: Upload, seconds: float) -> Upload:
    return replace(item, received_at=item.received_at + timedelta(seconds=seconds))


def _minutes(source: Random) -> Ward:
    """Four people, a rate a minute: calm, then exercise, an alarm, a gap filled late, silence."""
    log: Log = [at(second * 60.0) for second in range(5, 13 * 60, 5)]
    for number in range(4):
        for minute in range(10 * 60):
            hours, steps, activity = minute / 60, 0.0, "rest"
            rate = 62 + 6 * number
            if 4 <= hours < 4.6:
                rate, steps, activity = 128, 110.0, "active"
            elif 6 <= hours < 6.5:
                rate = 38 if number == 3 else 148
            values = {"heart_rate": _near(source, rate, 3)}
            if minute % 20 == 7:
                values |= {
                    "systolic": _near(source, 128 + 25 * number, 6),
                    "diastolic": _near(source, 78 + 9 * number, 4),
                }
            if minute % 3 == 0:
                values |= {"spo2": _near(source, 96 if hours < 6 else 90, 1.5)}
            row = measured(
                minute * 60.0 + source.random(),
                values,
                activity=activity if number == 0 else "unknown",  # type: ignore[arg-type]
                steps=steps if number == 1 else None,
            )
            item = upload(row, patient=f"p{number}")
            if not 7 <= hours < 9:
                log.append(item)
            elif number < 2:  # the others' was never sent
                log.append(_received_later(item, 3 * HOUR))
    return Ward(_in_order(log), {})


def _seconds(source: Random) -> Ward:
    """A rate every ten seconds, of two devices: a regular heart, and one that is not."""
    log: Log = []
    for number, unsteady in enumerate((0.02, 0.16)):
        for step in range(3 * 360):
            rate = 76 * (1 + (source.random() - 0.5) * 4 * unsteady)
            row = measured(step * 10.0 + source.random(), {"heart_rate": rate}, "rest")
            log.append(
                replace(upload(row, patient=f"p{number}"), device_id=f"d{step % 200 // 150}")
            )
    return Ward(_in_order(log), {})


def _days(source: Random) -> Ward:
    """A rate every quarter of an hour for eight weeks; in the last, a fever, and a slow heart."""
    log: Log = []
    for number in range(2):
        for slot in range(56 * 96):
            asleep = slot % 96 < 26
            ill = slot >= 49 * 96
            rate = 72 - (12 if asleep else 0) + (9 if ill and number == 0 else 0)
            if ill and number == 1 and slot % 96 >= 80:
                rate = 46
            row = measured(slot * 900.0 + source.random(), {"heart_rate": _near(source, rate, 4)})
            log.append(upload(row, patient=f"p{number}"))
    return Ward(_in_order(log), {"context": {"time_zone": "Europe/Berlin"}})


def _charted(source: Random) -> Ward:
    """Charts of intensive care, an hour apart: some worsen, each in another way."""
    log: Log = []
    for number in range(5):
        for hour in range(96):
            ill = max(0.0, min(1.0, (hour - 60) / 12)) * number / 4
            values = {
                "heart_rate": _near(source, 82 + 34 * ill, 6),
                "systolic": _near(source, 124 - 34 * ill, 8),
                "diastolic": _near(source, 76 - 18 * ill, 5),
                "respiratory_rate": _near(source, 16 + 10 * ill, 2),
                "spo2": min(100.0, _near(source, 97 - 6 * ill, 1)),
                "temperature": _near(source, 36.8 + 1.9 * ill, 0.2),
            }
            held = {name: value for name, value in values.items() if source.random() > 0.15}
            if held and not (number == 2 and 20 <= hour < 34):
                log.append(upload(measured(hour * HOUR, held, "rest"), patient=f"p{number}"))
    return Ward(_in_order(log), {"profile": "icu_charting"})


def _cuffs(source: Random) -> Ward:
    """Blood pressures at home for three months: twice a day, and once in three days."""
    log: Log = []
    for number, every in enumerate((DAY / 2, 3 * DAY)):
        for place in range(int(90 * DAY / every)):
            second = 8 * HOUR + place * every
            high = 22 if second > 50 * DAY else 0
            values = {
                "systolic": _near(source, 126 + high, 9),
                "diastolic": _near(source, 78 + high / 2, 6),
                "heart_rate": _near(source, 70, 5),
            }
            log.append(upload(measured(second, values, "rest"), patient=f"p{number}"))
    return Ward(_in_order(log), {"context": {"utc_offset_hours": 1.0}})


def _together(source: Random) -> Ward:
    """A week of a rate and pressures that go together; then it rises, and they fall a little."""
    log: Log = []
    for place in range(7 * 72):
        both, parted = _near(source, 0.0, 1.0), place >= 6 * 72 + 30
        values = {
            "heart_rate": 72 + 4 * _near(source, both, 0.3) + (22 if parted else 0),
            "systolic": 124 + 6 * _near(source, both, 0.3) - (22 if parted else 0),
            "diastolic": 77 + 4 * _near(source, both, 0.3) - (13 if parted else 0),
        }
        log.append(upload(measured(place * 1200.0 + source.random(), values, "rest")))
    return Ward(log, {})


RIVER: Mapping[str, Plugin] = MappingProxyType(
    {
        "gaussian": {"detector": "river.anomaly.GaussianScorer", "threshold": 0.99},
        "trees": {
            "detector": "river.anomaly.HalfSpaceTrees",
            "transform": ["river.preprocessing.MinMaxScaler"],
            "parameters": {"n_trees": 5, "height": 4},
            "threshold": 0.9,
        },
        "svm": {
            "detector": "river.anomaly.OneClassSVM",
            "transform": ["river.preprocessing.StandardScaler"],
            "threshold": 0.2,
        },
        "loda": {"detector": "river.anomaly.LODA", "threshold": 6.0},
        "lof": {"detector": "river.anomaly.LocalOutlierFactor", "threshold": 3.0},
        "adwin": {"detector": "river.drift.ADWIN"},
        "kswin": {"detector": "river.drift.KSWIN"},
        "page_hinkley": {"detector": "river.drift.PageHinkley"},
    }
)
"""Plug-ins of river's that are tried; each is a ward of its own."""


def _plugged(name: str) -> Callable[[Random], Ward]:
    """Eight hours of one person under one plug-in: at two levels, for a while far off."""

    def make(source: Random) -> Ward:
        several = name in {"loda", "lof", "svm", "trees"}
        signals = ["heart_rate", "respiratory_rate"] if several else ["heart_rate"]
        log: Log = []
        for minute in range(8 * 60):
            rate = 70.0 if minute < 240 else 84.0
            rate += 22.0 if 380 <= minute < 420 else 0.0
            values = {
                "heart_rate": _near(source, rate, 4),
                "respiratory_rate": _near(source, 16, 2),
            }
            log.append(upload(measured(minute * 60.0, values, "rest")))
        table = {"kind": "heart_rate_unusual", "signals": signals, "largest_bytes": 100_000}
        return Ward(log, {"plugins": {name: {**table, **RIVER[name]}}})

    return make


WARDS: Mapping[str, Callable[[Random], Ward]] = MappingProxyType(
    {
        "minutes": _minutes,
        "seconds": _seconds,
        "days": _days,
        "charted": _charted,
        "cuffs": _cuffs,
        "together": _together,
        **{f"river_{name}": _plugged(name) for name in RIVER},
    }
)


def ward(name: str) -> Ward:
    """One of :data:`WARDS`, the same at each call."""
    return WARDS[name](Random(list(WARDS).index(name)))  # noqa: S311
