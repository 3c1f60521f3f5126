"""What is let through to the detectors, and what is wrong with the rest.

A value that is refused here is never judged clinically and never learned from. What is wrong shows
as a *technical* event at most: ``sensor_fault`` (impossible, contradictory or frozen values) or
``poor_contact``.

A single large step is *held back* until a second reading agrees with it, which is nearer to it than
to the readings before. Then both are judged, each at its own time
(:mod:`detectors.admission.held_readings`): a true change (a tachycardia can begin from one beat to
the next) is announced one reading later and loses none, a spike or one odd pressure between normal
ones is dropped. A pressure is held as a whole.

A heart rate that repeats exactly, reading after reading, is *unproven* long before it is stuck: no
living heart does so for long while it is fast or slow. It is not judged until it moves; where it
would be an alarm, that it does not move is announced soon.

Whether a value is possible, repeats or steps is asked of the value as sent: its figure may stand
still while a finer value moves. Whether systolic is above diastolic is asked of their figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from detectors.admission.configuration import AdmissionConfig
from detectors.admission.tracks import Track
from detectors.contract import BEYOND, CLEAR, Finding, Rule
from detectors.episodes.configuration import EpisodePolicy
from vigil.domain.figures import is_systolic_above_diastolic
from vigil.domain.signals import SENTINELS, SIGNALS

FAULT, CONTACT, CLOCK = "sensor_fault", "poor_contact", "device_clock"
PRESSURE = ("systolic", "diastolic")
_RANGES = {name: (signal.lowest, signal.highest) for name, signal in SIGNALS.items()}
_SENTINELS = {name: frozenset(values) for name, values in SENTINELS.items()}
_STEPPED, _UNPROVEN, _STUCK = "stepped", "unproven", "stuck"
_QUIET = frozenset({_STEPPED, _UNPROVEN})
"""Reasons that are no fault of the sensor's."""


class Admitted(Struct, frozen=True, gc=False):
    """What was let through, and what was found."""

    values: Mapping[str, float]
    findings: list[Finding]
    refused: int = 0
    """How many values were refused as faulty."""
    held: tuple[str, ...] = ()
    """Signals held back until a second reading agrees."""
    confirmed: tuple[str, ...] = ()
    """Signals of which what was held back is now confirmed."""
    flat: tuple[str, ...] = ()
    """Signals that have repeated for so long that nothing which began since is proven either."""


def technical_policies(config: AdmissionConfig) -> dict[str, EpisodePolicy]:
    """How technical kinds are held together: closed by the first thing that is right again."""
    at_once = EpisodePolicy(
        gap_seconds=86_400, clear_seconds=0, clear_readings=1, update_step=1, update_seconds=3600
    )
    held = EpisodePolicy(
        gap_seconds=86_400,
        clear_seconds=config.fault_clear_seconds,
        clear_readings=2,
        update_step=1,
        update_seconds=3600,
    )
    return {FAULT: held, CONTACT: held, CLOCK: at_once, "no_data": at_once}


class Admission:
    """Judges whether values are plausible."""

    name = "admission"

    def __init__(self, config: AdmissionConfig):
        self._config = config
        self._stuck = {name: row for name, row in config.stuck.items() if row.enabled}
        self._jump = {name: row for name, row in config.jump.items() if row.enabled}
        self._contact = _rule(
            CONTACT, CONTACT, signal="", seconds=config.contact_seconds, readings=2
        )
        self._motion = _rule(f"{CONTACT}.motion", CONTACT, signal="", seconds=0.0, readings=1)
        self._clock = _rule(CLOCK, CLOCK, signal="", seconds=0.0, readings=1)
        self._repeat = _rule(f"{FAULT}.repeat", FAULT, signal="systolic", seconds=0.0, readings=1)
        self._faults = {
            signal: (
                _rule(
                    f"{FAULT}.{signal}",
                    FAULT,
                    signal=signal,
                    seconds=0.0,
                    readings=config.fault_readings,
                ),
                _rule(f"{FAULT}.{signal}.stuck", FAULT, signal=signal, seconds=0.0, readings=1),
            )
            for signal in SIGNALS
        }

    def rules(self) -> list[str]:
        """Names of the rules that are in force."""
        names = [rule.name for pair in self._faults.values() for rule in pair]
        return [CONTACT, self._motion.name, CLOCK, self._repeat.name, *names]

    def clock_fault(self, time: float, received: float) -> str:
        """Why a reading's time cannot be right; empty: it can."""
        if time > received + self._config.clock_tolerance_seconds:
            return "from_the_future"
        return "from_the_past" if time < received - self._config.clock_oldest_seconds else ""

    def clock(self, reason: str) -> Finding:
        """The finding about a reading's time."""
        return Finding(self._clock, BEYOND if reason else CLEAR, reason=reason)

    def admit(
        self,
        values: Mapping[str, float],
        time: float,
        contact: bool | None,
        tracks: dict[str, Track],
        watched: bool,
    ) -> Admitted:
        """Let through what is plausible.

        Args:
            tracks: the patient's memory; changed.
            watched: whether findings that nothing is wrong are needed.
        """
        if contact is False:
            return Admitted({}, [Finding(self._contact, BEYOND)], len(values))
        wrong: dict[str, str] = {}
        confirmed: list[str] = []
        for signal, value in values.items():
            if signal not in PRESSURE:
                reason = self._reason(signal, value, time, tracks, confirmed)
                if reason:
                    wrong[signal] = reason
        if "systolic" in values or "diastolic" in values:
            self._pressure(values, time, tracks, wrong, confirmed)
        if not wrong and not watched:
            return Admitted(values, [], confirmed=tuple(confirmed))
        taken = {signal: value for signal, value in values.items() if signal not in wrong}
        held = tuple(signal for signal, reason in wrong.items() if reason == _STEPPED)
        refused = sum(reason not in _QUIET for reason in wrong.values())
        findings = self._findings(values, wrong, time=time, tracks=tracks)
        flat = tuple(signal for signal in wrong if self._flat(wrong[signal], tracks.get(signal)))
        return Admitted(
            values=taken,
            findings=findings,
            refused=refused,
            held=held,
            confirmed=tuple(confirmed),
            flat=flat,
        )

    def _flat(self, reason: str, track: Track | None) -> bool:
        """Whether a value repeated for far longer than a fast heart ever did."""
        if reason not in {_UNPROVEN, _STUCK} or track is None:
            return False
        return track.time - track.since >= self._config.flat_seconds

    def _findings(
        self,
        values: Mapping[str, float],
        wrong: Mapping[str, str],
        time: float,
        tracks: Mapping[str, Track],
    ) -> list[Finding]:
        """What every rule finds in this reading."""
        findings = [Finding(self._contact, CLEAR)]
        for signal, value in values.items():
            findings.extend(self._fault(signal, value, reason=wrong.get(signal, ""), tracks=tracks))
        pressure = wrong.get("systolic", "") if "systolic" in values else None
        if pressure == _STEPPED and self._alone(_last_pressure(tracks), time):
            value = values["systolic"]
            findings.append(Finding(self._repeat, BEYOND, value, reason="far_from_recent"))
        elif pressure == "":
            findings.append(Finding(self._repeat, CLEAR, values["systolic"]))
        if "heart_rate" in values:
            findings.extend(self._moving(wrong.get("heart_rate", ""), tracks.get("heart_rate")))
        return findings

    def _alone(self, track: Track, time: float) -> bool:
        """Whether this device is used so rarely that no second reading will come in time."""
        return time - track.time > self._config.confirm_seconds

    def _moving(self, reason: str, track: Track | None) -> Iterable[Finding]:
        """Step upon step: the sensor moves on the skin."""
        if reason == _STEPPED and track is not None and track.jumps >= self._config.motion_jumps:
            return (Finding(self._motion, BEYOND, reason="motion"),)
        return () if reason else (Finding(self._motion, CLEAR),)

    def _fault(
        self, signal: str, value: float, reason: str, tracks: Mapping[str, Track]
    ) -> Iterable[Finding]:
        """What the two rules on a signal find: impossible, and frozen."""
        if reason in _QUIET:
            return ()
        ordinary, frozen = self._faults[signal]
        stuck = reason == _STUCK
        since = tracks[signal].since if stuck else None
        wrong = BEYOND if reason else CLEAR
        return (
            Finding(ordinary, CLEAR if stuck else wrong, value, reason=reason),
            Finding(frozen, BEYOND if stuck else CLEAR, value, since=since, reason=reason),
        )

    def _reason(
        self,
        signal: str,
        value: float,
        time: float,
        tracks: dict[str, Track],
        confirmed: list[str],
    ) -> str:
        """Why a value is implausible; empty: it is plausible, and is remembered."""
        if not _possible(signal, value):
            return "out_of_range"
        track = tracks.get(signal)
        if track is None:
            tracks[signal] = Track(value, time, time, mean=value)
            return ""
        jump = self._jump.get(signal)
        if jump is not None:
            if track.held_value is not None and track.agrees(value, time, jump):
                confirmed.append(signal)
                track.confirm()
            elif track.far(value, time, jump):
                track.hold(value, time, self._config.motion_seconds)
                return _STEPPED
        return self._take(signal, track, value, time)

    def _pressure(
        self,
        values: Mapping[str, float],
        time: float,
        tracks: dict[str, Track],
        wrong: dict[str, str],
        confirmed: list[str],
    ) -> None:
        """Systolic and diastolic are one measurement: held back, or confirmed, together."""
        wrong.update(_impossible_pressure(values))
        pair = [signal for signal in PRESSURE if signal in values and signal not in wrong]
        known = [(signal, tracks[signal]) for signal in pair if signal in tracks]
        agrees = self._pair_agrees(known, values, time)
        far = False
        for signal, track in known:
            jump = self._jump.get(signal)
            far = far or (jump is not None and track.far(values[signal], time, jump))
        if len(known) == 2 and self._implausible(values["systolic"] - values["diastolic"]):
            far = far or not self._implausible(known[0][1].value - known[1][1].value)
        if far and not agrees:
            for signal, track in known:
                track.hold(values[signal], time, self._config.motion_seconds)
            wrong.update(dict.fromkeys(pair, _STEPPED))
            return
        if agrees:
            confirmed.extend(pair)
            for _, track in known:
                track.confirm()
        for signal in pair:
            reason = self._first_or_next(signal, values[signal], time, tracks)
            if reason:
                wrong[signal] = reason

    def _pair_agrees(
        self, known: Sequence[tuple[str, Track]], values: Mapping[str, float], time: float
    ) -> bool:
        """Whether a pressure is nearer, as a whole, to the one held back than to those before."""
        to_held = to_last = 0.0
        for signal, track in known:
            jump = self._jump.get(signal)
            if track.held_value is None or jump is None or time - track.jumped > jump.seconds:
                return False
            to_held += abs(values[signal] - track.held_value)
            to_last += abs(values[signal] - track.value)
        return bool(known) and to_held <= to_last

    def _implausible(self, width: float) -> bool:
        """Whether one reading is not enough to accept this pulse pressure."""
        return not self._config.pulse_pressure_least <= width <= self._config.pulse_pressure_most

    def _first_or_next(
        self, signal: str, value: float, time: float, tracks: dict[str, Track]
    ) -> str:
        track = tracks.get(signal)
        if track is not None:
            return self._take(signal, track, value, time)
        tracks[signal] = Track(value, time, time, mean=value)
        return ""

    def _take(self, signal: str, track: Track, value: float, time: float) -> str:
        """Remember a value; return why, if it repeats too often to be measured."""
        track.take(value, time)
        stuck = self._stuck.get(signal) if track.equal > 1 else None
        return track.repeats(time, stuck) if stuck is not None else ""


def _possible(signal: str, value: float) -> bool:
    """Whether a value is within the range of its signal and no sentinel; NaN is not."""
    low, high = _RANGES[signal]
    return low <= value <= high and value not in _SENTINELS[signal]


def _last_pressure(tracks: Mapping[str, Track]) -> Track:
    """When a pressure came last: diastolic may have come before without systolic."""
    return tracks.get("systolic") or tracks["diastolic"]


def _impossible_pressure(values: Mapping[str, float]) -> dict[str, str]:
    """Signal → why a pressure cannot be, whatever came before it."""
    pair = [signal for signal in PRESSURE if signal in values]
    wrong = {}
    for signal in pair:
        if not _possible(signal, values[signal]):
            wrong[signal] = "out_of_range"
    if wrong or len(pair) < 2 or values["systolic"] - values["diastolic"] >= 1.0:
        return wrong
    if is_systolic_above_diastolic(values["systolic"], values["diastolic"]):
        return {}
    return dict.fromkeys(pair, "systolic_not_above_diastolic")


def possible(values: Mapping[str, float]) -> dict[str, float]:
    """The values that can be, whatever came before them.

    >>> possible({"heart_rate": 900.0, "systolic": 80.0, "diastolic": 120.0, "spo2": 97.0})
    {'spo2': 97.0}
    """
    good = {name: value for name, value in values.items() if _possible(name, value)}
    if all(name in good for name in PRESSURE) and not is_systolic_above_diastolic(
        good["systolic"], good["diastolic"]
    ):
        return {name: value for name, value in good.items() if name not in PRESSURE}
    return good


def _rule(name: str, kind: str, signal: str, seconds: float, readings: int) -> Rule:
    return Rule(
        name=name,
        detector="admission",
        kind=kind,
        signal=signal,
        direction="",
        priority="low",
        rank=0,
        seconds=seconds,
        unknown_seconds=seconds,
        readings=readings,
    )
