"""Whether the numbers of the last minute bear out an alarm that another monitor raised.

A bedside monitor raises its arrhythmia alarms from the electrocardiogram. Vigil sees only numbers,
a heart rate and an arterial pressure each second, but these can contradict such an alarm: what the
alarm claims *must* have moved the rate, and it did not. :func:`verify` asks that and nothing
else. What the data do not positively contradict stands; where they are missing, it stands.

The rates are means over some seconds, so an event shorter than that moves them by a part only. What
it must move them to at least follows from the definitions of the PhysioNet/CinC challenge 2015
(Clifford et al. 2016) and a mean over :data:`AVERAGING_SECONDS`. Of the 10 seconds

    ==========================  ====================  =========================================
    alarm                       definition            so the mean reaches, from a usual rate r
    ==========================  ====================  =========================================
    asystole                    no beat for 4 s       down to 0.6 r
    bradycardia                 5 beats under 40/min  7.5 s of it: down to 30 + 0.25 r
    ventricular tachycardia     5 beats from 100/min  3 s of it: up to 30 + 0.7 r
    ==========================  ====================  =========================================

In tachycardia a detector of beats misses some and counts too low, so that alarm is contradicted
only by a steady rate under 100; ventricular flutter or fibrillation only by a rate that is there
each second and near the usual. A pressure that fell keeps any alarm. A pressure that held does not
contradict one: monitors show the highest and lowest of several seconds, and a pause shows late.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from operator import itemgetter
from statistics import median
from types import MappingProxyType
from typing import Literal

from vigil.domain.reading import Measurement
from vigil.domain.signals import SIGNALS

Kind = Literal[
    "asystole",
    "bradycardia",
    "tachycardia",
    "ventricular_tachycardia",
    "ventricular_flutter_fibrillation",
]
"""What another monitor can have alarmed for."""
Outcome = Literal["confirmed", "contradicted", "undecided"]

AVERAGING_SECONDS = 10.0
"""Over how long a monitor's rate is taken to be averaged; also within how long an alarm must follow
its event (ANSI/AAMI EC13°)."""
USUAL_SECONDS = 60.0
"""The minute before that tells what is usual."""
LEAST_SHARE = 0.9
"""Of the seconds that must hold a rate; below it nothing is contradicted."""
STEADY_SHARE = 0.05
"""The rate's range over the last seconds, as a share of the usual, that is called steady."""
FALLEN_SHARE = 0.7
"""Under this share of the usual a rate has fallen, and may fall further: our own margin."""
NEAR_SHARE = 0.25
"""Within this share of the usual a rate is that of the same rhythm: our own figure."""
PRESSURE_FELL_SHARE = 0.1
"""A systolic pressure, or (by twice this) a pulse pressure that fell by so much: our own figure."""
PULSATILE = 10.0
"""mmHg of pulse pressure under which a line is not measuring."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that another monitor raised."""

    kind: Kind
    time: float
    """When, in seconds since 1970 UTC."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the numbers show of an alarm."""

    outcome: Outcome
    reason: str
    """A word: ``rate_did_not_fall``, ``rate_did_not_rise``, ``rate_steady``, ``rate_as_usual``,
    ``rate_fell``, ``rate_rose``, ``no_rate``, ``pressure_fell``, ``too_little_data``,
    ``not_contradicted``."""
    facts: Mapping[str, float]
    """What it rests on: ``usual``, ``lowest``, ``highest``, ``last`` (heart rates, /min),
    ``seconds`` (how many of the last ten hold a rate); with a pressure ``systolic_usual`` and
    ``systolic_lowest`` (mmHg)."""


@dataclass(frozen=True, slots=True)
class _Rates:
    """The heart rate around an alarm."""

    usual: float
    lowest: float
    highest: float
    last: float

    @property
    def steady(self) -> bool:
        return self.highest - self.lowest <= STEADY_SHARE * self.usual

    @property
    def fallen(self) -> bool:
        return self.lowest <= FALLEN_SHARE * self.usual


def verify(alarm: Alarm, measurements: Iterable[Measurement]) -> Verdict:
    """Decide whether an alarm is borne out by what was measured until then.

    Args:
        alarm: what was raised, and when.
        measurements: of that patient, at least the 70 seconds before, one a second, in any order.
            Those after the alarm are not looked at: it must be decided when it sounds.

    Returns:
        ``contradicted`` only where the rates were there and show that it did not happen. Whether
        that silences anything is the caller's to decide.
    """
    rows = _until(alarm, measurements)
    before, now = _parted((at, v["heart_rate"]) for at, v in rows if _possible("heart_rate", v))
    seconds = {ceil(at) for at, v in rows if at > -AVERAGING_SECONDS and _possible("heart_rate", v)}
    facts: dict[str, float] = {"seconds": float(len(seconds))}
    if len(before) < USUAL_SECONDS / 2 or not now:
        missing = "too_little_data" if len(before) < USUAL_SECONDS / 2 else "no_rate"
        return Verdict("undecided", missing, facts)
    rates = _Rates(usual=median(before), lowest=min(now), highest=max(now), last=now[-1])
    facts |= asdict(rates)
    shown = _CONFIRMED[alarm.kind](rates)
    if shown:
        return Verdict("confirmed", shown, facts)
    if _pressure_fell(rows, facts):
        return Verdict("undecided", "pressure_fell", facts)
    if len(seconds) < LEAST_SHARE * AVERAGING_SECONDS:
        return Verdict("undecided", "too_little_data", facts)
    against = _CONTRADICTED[alarm.kind](rates)
    if against:
        return Verdict("contradicted", against, facts)
    return Verdict("undecided", "not_contradicted", facts)


def _until(
    alarm: Alarm, measurements: Iterable[Measurement]
) -> list[tuple[float, Mapping[str, float]]]:
    """(Seconds after the alarm, values) of what was measured in the last 70 seconds before it."""
    rows = ((m.time.timestamp() - alarm.time, m.values) for m in measurements)
    kept = [row for row in rows if -AVERAGING_SECONDS - USUAL_SECONDS < row[0] <= 0]
    return sorted(kept, key=itemgetter(0))


def _possible(signal: str, values: Mapping[str, float]) -> bool:
    """Whether a value is there and physically possible."""
    return SIGNALS[signal].lowest <= values.get(signal, -1.0) <= SIGNALS[signal].highest


def _parted(rows: Iterable[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Values before, and in, the last seconds."""
    known = list(rows)
    before = [value for at, value in known if at <= -AVERAGING_SECONDS]
    return before, [value for at, value in known if at > -AVERAGING_SECONDS]


def _pressure_fell(
    rows: Sequence[tuple[float, Mapping[str, float]]], facts: dict[str, float]
) -> bool:
    """Whether an arterial pressure that was measuring fell, or stopped pulsating."""
    pairs = [
        row for row in rows if _possible("systolic", row[1]) and _possible("diastolic", row[1])
    ]
    before, now = _parted((at, v["systolic"]) for at, v in pairs)
    pulses, pulses_now = _parted((at, v["systolic"] - v["diastolic"]) for at, v in pairs)
    if len(before) < USUAL_SECONDS / 2 or not now or median(pulses) < PULSATILE:
        return False
    usual, lowest = median(before), min(now)
    facts |= {"systolic_usual": usual, "systolic_lowest": lowest}
    return lowest <= (1 - PRESSURE_FELL_SHARE) * usual or min(pulses_now) <= (
        1 - 2 * PRESSURE_FELL_SHARE
    ) * median(pulses)


def _no_asystole(rates: _Rates) -> str:
    return "" if rates.fallen else "rate_did_not_fall"


def _no_bradycardia(rates: _Rates) -> str:
    reached = rates.lowest <= 30 + 0.25 * rates.usual
    return "" if reached or rates.fallen else "rate_did_not_fall"


def _no_tachycardia(rates: _Rates) -> str:
    return "rate_steady" if rates.steady and rates.highest < 100 else ""


def _no_ventricular_tachycardia(rates: _Rates) -> str:
    """Where a run at 100 would raise the mean by less than is called steady, only that counts."""
    if rates.steady:
        return "rate_steady"
    must_reach = 30 + 0.7 * rates.usual
    shows = must_reach - rates.usual > STEADY_SHARE * rates.usual
    rose = rates.highest >= must_reach
    return "rate_did_not_rise" if shows and not rose and not rates.fallen else ""


def _no_fibrillation(rates: _Rates) -> str:
    near = NEAR_SHARE * rates.usual
    same = rates.usual - rates.lowest <= near and rates.highest - rates.usual <= near
    return "rate_as_usual" if same else ""


_CONTRADICTED: Mapping[str, Callable[[_Rates], str]] = MappingProxyType(
    {
        "asystole": _no_asystole,
        "bradycardia": _no_bradycardia,
        "tachycardia": _no_tachycardia,
        "ventricular_tachycardia": _no_ventricular_tachycardia,
        "ventricular_flutter_fibrillation": _no_fibrillation,
    }
)
"""Why the rates contradict an alarm; empty: they do not."""

_CONFIRMED: Mapping[str, Callable[[_Rates], str]] = MappingProxyType(
    {
        "asystole": lambda rates: "rate_fell" if rates.last <= 0.5 * rates.usual else "",
        "bradycardia": lambda rates: "rate_fell" if rates.lowest < 40 else "",
        "tachycardia": lambda rates: "rate_rose" if rates.highest > 140 else "",
        "ventricular_tachycardia": lambda rates: (
            "rate_rose" if rates.highest >= max(100, 1.3 * rates.usual) else ""
        ),
        "ventricular_flutter_fibrillation": lambda rates: "",
    }
)
"""Why the rates bear an alarm out. Fibrillation has no rate that could."""
