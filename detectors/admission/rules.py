"""What is let through to the detectors, and what is wrong with the rest.

A value that is refused here is never judged clinically and never learned from. What is wrong shows
as a *technical* event at most: ``sensor_fault`` (impossible, contradictory or frozen values) or
``poor_contact``.

A single large step is *held back* until a second reading agrees with it, which is nearer to it than
to the readings before. Then both are judged, each at its own time
(:mod:`detectors.admission.held_readings`): a true change (a tachycardia can begin from one beat to
the next) is announced one reading later and loses none, a spike or one odd pressure between normal
ones is dropped. A pressure is held as a whole.

A pressure whose figures are those of the last one within minutes is that measurement sent again,
and no second one, with a diastolic or without: it confirms nothing, and is not counted as a sign of
life. The device's own number of the measurement (``sequence``) distinguishes a true second one that
happens to be equal, and an equal one with the same number is that measurement, be it a pressure or
any other value; numbers of two devices mean nothing to each other. The pulse of a cuff that is sent
again with its pressure, all of it equal, confirms nothing either, for two and a half minutes: a
bedside monitor repeats its last pressure beside each heart rate, and the rates count, at once where
it is known to measure them between pressures, and then whatever is known.

A heart rate that repeats exactly, reading after reading, is *unproven* long before it is stuck: no
living heart does so for long while it is fast or slow. It is not judged until it moves; where it
would be an alarm, that it does not move is announced soon. Readings further apart than
``unproven_interval_seconds`` are no such run: rounded values repeat by chance, and between them
nothing was seen to stand still.

Whether a value is possible, stands still or steps is asked of the value as sent: its figure may
stand still while a finer value moves. Whether a pressure is sent again, and whether systolic is
above diastolic, is asked of their figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Literal

from msgspec.structs import replace

from detectors.admission.configuration import AdmissionConfig
from detectors.admission.tracks import Number, Track
from detectors.contract import BEYOND, CLEAR, NEVER, Finding, Rule
from detectors.episodes.configuration import EpisodePolicy
from vigil.domain.figures import is_same, is_systolic_above_diastolic
from vigil.domain.signals import SENTINELS, SIGNALS, is_pressure_sentinel

FAULT, CONTACT, CLOCK = "sensor_fault", "poor_contact", "device_clock"
PRESSURE = ("systolic", "diastolic")
_PAIR = frozenset(PRESSURE)
PULSE = "heart_rate"
"""What a cuff counts with a pressure."""
PULSE_SECONDS = 150.0
"""For so long an equal heart rate beside an equal pressure may be that measurement sent again: our
own figure. A monitor that was just connected to a steady heart loses two rates by it."""
PAST = "from_the_past"
"""Why a time cannot be right, unless it is history."""
DAY = 86_400.0
_RANGES = {name: (signal.lowest, signal.highest) for name, signal in SIGNALS.items()}
_SENTINELS = {name: frozenset(values) for name, values in SENTINELS.items()}
_STEPPED, _UNPROVEN, _STUCK, _REPEATED = "stepped", "unproven", "stuck", "repeated"
_QUIET = frozenset({_STEPPED, _UNPROVEN, _REPEATED})
"""Reasons that are no fault of the sensor's."""


class Admitted:
    """What was let through of a reading, and what was found.

    Args:
        refused: how many values were refused as faulty.
        held: signals held back until a second reading agrees.
        confirmed: signals of which what was held back is now confirmed.
        flat: signals that have repeated for so long that nothing which began since is proven
            either.
    """

    __slots__ = ("confirmed", "findings", "flat", "held", "refused", "values")

    def __init__(
        self,
        values: Mapping[str, float],
        findings: list[Finding],
        refused: int = 0,
        held: tuple[str, ...] = (),
        confirmed: tuple[str, ...] = (),
        flat: tuple[str, ...] = (),
    ):
        self.values = values
        self.findings = findings
        self.refused = refused
        self.held = held
        self.confirmed = confirmed
        self.flat = flat


def technical_policies(
    config: AdmissionConfig, clock_forget_seconds: float
) -> dict[str, EpisodePolicy]:
    """How technical kinds are held together.

    They are closed by the first thing that is right again, or after a day without a reading;
    silence itself by what comes.

    Args:
        clock_forget_seconds: after so long without its device a clock that is off is forgotten, so
            that of one that is used more rarely than daily one episode is announced, not one a use.
    """
    at_once = EpisodePolicy(
        gap_seconds=DAY,
        unobserved_seconds=DAY,
        observed_gap_seconds=DAY,
        clear_seconds=0,
        clear_readings=1,
        ease_seconds=DAY,
        update_step=1,
        update_seconds=3600,
    )
    held = replace(at_once, clear_seconds=config.fault_clear_seconds, clear_readings=2)
    silent = replace(at_once, unobserved_seconds=NEVER)
    clock = replace(at_once, unobserved_seconds=max(DAY, clock_forget_seconds))
    return {FAULT: held, CONTACT: held, CLOCK: clock, "no_data": silent}


class Admission:
    """Judges whether values are plausible."""

    name: ClassVar[str] = "admission"

    def __init__(self, config: AdmissionConfig):
        self._config = config
        self.confirm_seconds = config.confirm_seconds
        self.repeat_seconds = config.repeat_seconds
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
        return PAST if time < received - self._config.clock_oldest_seconds else ""

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
        number: Number | None = None,
    ) -> Admitted:
        """Let through what is plausible, and change ``tracks``, the patient's memory.

        Args:
            watched: whether findings that nothing is wrong are needed.
            number: the device's own of the measurement.
        """
        if contact is False:
            return Admitted({}, [Finding(self._contact, BEYOND)], len(values))
        confirmed = list[str]()
        if number is None and _PAIR.isdisjoint(values):  # almost every reading
            wrong = dict[str, str]()
            for signal, value in values.items():
                if reason := self._reason(signal, value, time, tracks, confirmed):
                    wrong[signal] = reason
                track = tracks.get(signal)
                if track is not None and track.sequence is not None:
                    track.sequence = None
        else:
            wrong = self._wrong(values, time, tracks, confirmed, number)
        if not wrong and not watched:
            return Admitted(values, [], confirmed=tuple(confirmed))
        taken = {name: value for name, value in values.items() if name not in wrong}
        held = tuple(name for name in wrong if wrong[name] == _STEPPED)
        refused = sum(reason not in _QUIET for reason in wrong.values())
        findings = self._findings(values, wrong, time=time, tracks=tracks)
        flat = tuple(signal for signal in wrong if self._flat(wrong[signal], tracks.get(signal)))
        return Admitted(taken, findings, refused, held, tuple(confirmed), flat)

    def _wrong(
        self,
        values: Mapping[str, float],
        time: float,
        tracks: dict[str, Track],
        confirmed: list[str],
        number: Number | None,
    ) -> dict[str, str]:
        """Signal → why its value is not let through, of a measurement that is numbered, or holds a
        pressure: it may be one that is sent again."""
        fresh = _unnumbered(values, tracks, number)
        wrong = {signal: _REPEATED for signal in values if signal not in fresh}
        measured = not _PAIR.isdisjoint(values)
        repeated = measured and self.is_repeated(values, time, tracks, number)
        again = _pulse_of(values, time, tracks, repeated) if measured and PULSE not in wrong else ""
        for signal, value in fresh.items():
            if signal not in _PAIR and (
                reason := self._reason_or_again(again, signal, value, time, tracks, confirmed)
            ):
                wrong[signal] = reason
        if repeated:
            wrong |= _sent_again(tracks, time)
        elif measured:
            self._pressure(values, time, tracks, wrong, confirmed)
        _remember_number(tracks, fresh.keys() - _PAIR if repeated else fresh, number)
        return wrong

    def _reason_or_again(
        self,
        again: str,
        signal: str,
        value: float,
        time: float,
        tracks: dict[str, Track],
        confirmed: list[str],
    ) -> str:
        """:meth:`_reason` of a value, which may be a pulse that is sent again. What is held would
        confirm itself; that what was taken stands still shows all the same."""
        sent = again if signal == PULSE else ""
        if sent == "held":
            return _REPEATED
        return self._reason(signal, value, time, tracks, confirmed) or (_REPEATED if sent else "")

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

    def ask_again(self, admitted: Admitted, systolic: float) -> None:
        """Add to what was found that the pressure which is held back asks for another."""
        if not any(finding.rule is self._repeat for finding in admitted.findings):
            admitted.findings.append(
                Finding(self._repeat, BEYOND, systolic, reason="far_from_recent")
            )

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
        if len(pair) == 1:
            _settle_missing(tracks, pair[0], agrees)
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

    def is_repeated(
        self,
        values: Mapping[str, float],
        time: float,
        tracks: Mapping[str, Track],
        number: Number | None,
    ) -> bool:
        """Whether a pressure is the last one, or the one held back, sent again.

        So it is if its figures are equal within ``repeat_seconds`` of the last one or of its last
        repetition, unless the same device gives it another number; and with the same one always.
        A systolic pressure alone is read to a round figure, and so is often equal when it is
        measured again: it is counted from the measurement, whatever was sent in between.
        """
        systolic, track = values.get("systolic"), tracks.get("systolic")
        if systolic is None or track is None:
            return False
        same, held = _is_same("systolic", systolic, track.value, track.held_value)
        if not (same or held):
            return False
        diastolic, other = values.get("diastolic"), tracks.get("diastolic")
        alone = diastolic is None or not _possible("diastolic", diastolic)
        if not alone:
            same = same and other is not None
            if other is not None and diastolic is not None:
                below, waits = _is_same("diastolic", diastolic, other.value, other.held_value)
                same = same and below and other.time == track.time
                held = held and waits and other.jumped == track.jumped
            if not (same or held):  # of a held pair whose diastolic is the first, only one is known
                return False
        later = track.later_by(number)
        if later is not None:
            return later == 0
        last = track.jumped if held else track.time
        newest = last if alone else max(last, track.repeated)
        return time - newest <= self._config.repeat_seconds

    def is_sent_again(
        self,
        values: Mapping[str, float],
        time: float,
        tracks: Mapping[str, Track],
        number: Number | None,
    ) -> bool:
        """Whether a reading is nothing but the last measurement again: its pressure is, and all
        else that it holds has the device's same number. The arguments are those of
        :meth:`is_repeated`."""
        if values.keys().isdisjoint(PRESSURE):
            return bool(values) and not _unnumbered(values, tracks, number)
        rest = _unnumbered(values, tracks, number)
        return rest.keys() <= _PAIR and self.is_repeated(values, time, tracks, number)

    def agrees_with_held(
        self, pressure: Mapping[str, float], time: float, tracks: Mapping[str, Track]
    ) -> bool:
        """Whether a pressure would confirm the one that is held back."""
        known = [(name, tracks[name]) for name in PRESSURE if name in pressure and name in tracks]
        return self._pair_agrees(known, pressure, time)

    def agrees_behind(
        self,
        values: Mapping[str, float],
        time: float,
        tracks: Mapping[str, Track],
        held: Mapping[str, float],
    ) -> bool:
        """Whether a reading that came behind the newer one which is held back confirms it: it was
        measured after all that was taken, and is nearer to the one held back than to those.

        Args:
            values: possible ones, of what is held together.
            held: those that are held back.
        """
        known = [(name, tracks[name]) for name in values if name in tracks]
        newer = all(track.time < time for _, track in known)
        again = all(name in held and is_same(name, held[name], values[name]) for name in values)
        if not newer or again:
            return False  # the same values are that measurement, sent again
        return self._pair_agrees(known, values, time)

    def is_later_number(self, tracks: Mapping[str, Track], number: Number | None) -> bool:
        """Whether a device's number of a measurement is later than that of its last pressure."""
        track = tracks.get("systolic")
        return track is not None and (track.later_by(number) or 0) > 0

    def _pair_agrees(
        self, known: Sequence[tuple[str, Track]], values: Mapping[str, float], time: float
    ) -> bool:
        """Whether a pressure is nearer, as a whole, to the one held back than to those before."""
        to_held = to_last = 0.0
        waiting = False
        for signal, track in known:
            jump = self._jump.get(signal)
            if track.held_value is None or jump is None:
                continue  # a palpated pressure has no diastolic
            if time - track.jumped > jump.seconds:
                return False
            waiting = True
            to_held += abs(values[signal] - track.held_value)
            to_last += abs(values[signal] - track.value)
        return waiting and to_held <= to_last

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
        stuck = self._stuck.get(signal)
        if stuck is not None and time - track.time > stuck.unproven_interval_seconds:
            track.begin_run(time)
        track.take(value, time)
        return track.repeats(time, stuck) if stuck is not None and track.equal > 1 else ""


def _possible(signal: str, value: float) -> bool:
    """Whether a value is within the range of its signal and no sentinel; NaN is not."""
    low, high = _RANGES[signal]
    return low <= value <= high and value not in _SENTINELS[signal]


def _last_pressure(tracks: Mapping[str, Track]) -> Track:
    """When a pressure came last: diastolic may have come before without systolic."""
    return tracks.get("systolic") or tracks["diastolic"]


def _sent_again(tracks: Mapping[str, Track], time: float) -> dict[str, str]:
    """Remember when a pressure was last sent again; signal → why it is refused."""
    for signal in PRESSURE:
        if signal in tracks:
            tracks[signal].repeated = time
    return dict.fromkeys(PRESSURE, _REPEATED)


def _unnumbered(
    values: Mapping[str, float], tracks: Mapping[str, Track], number: Number | None
) -> Mapping[str, float]:
    """The values without those, but a pressure, that are the last ones with their device's same
    number."""
    if number is None:
        return values
    return {
        name: value
        for name, value in values.items()
        if name in _PAIR
        or name not in tracks
        or not tracks[name].is_numbered_again(name, value, number)
    }


def pulse_again(
    values: Mapping[str, float], time: float, tracks: Mapping[str, Track]
) -> Literal["", "taken", "held"]:
    """Whether the heart rate beside a pressure that is sent again is the pulse of that measurement,
    which was taken or is held back; empty: it is a measurement of its own.

    So it is if it is equal, and every heart rate since that measurement was its pulse. What shows
    otherwise is remembered for a day: the sender measures rates between pressures.
    """
    track, systolic = tracks.get(PULSE), tracks["systolic"]
    if track is None or PULSE not in values:
        return ""
    same, held = _is_same(PULSE, values[PULSE], track.value, track.held_value)
    last = _measured(systolic)
    held = held and track.jumped == last
    same = same and track.since == last and track.time == max(last, systolic.repeated)
    if not (same or held):
        track.repeated = time
    elif time - last <= PULSE_SECONDS and not _is_between(track, time):
        return "held" if held else "taken"
    return ""


def _pulse_of(
    values: Mapping[str, float], time: float, tracks: Mapping[str, Track], repeated: bool
) -> Literal["", "taken", "held"]:
    """The same of any pressure; with a new one it is noted whether rates came since the last."""
    if repeated:
        return pulse_again(values, time, tracks)
    if "systolic" in values:
        _note_between(tracks, time)
    return ""


def _measured(systolic: Track) -> float:
    """When the last pressure was measured, be it taken or held back."""
    return systolic.time if systolic.held_value is None else max(systolic.time, systolic.jumped)


def _is_between(track: Track, time: float) -> bool:
    """Whether heart rates were measured between pressures within a day."""
    return track.repeated > 0.0 and time - track.repeated <= DAY


def _note_between(tracks: Mapping[str, Track], time: float) -> None:
    """Remember, with a new pressure, that heart rates were measured since the last one."""
    track, systolic = tracks.get(PULSE), tracks.get("systolic")
    if track is None:
        return
    if systolic is None or track.time > max(_measured(systolic), systolic.repeated):
        track.repeated = time


def _settle_missing(tracks: Mapping[str, Track], present: str, agrees: bool) -> None:
    """Settle what was held back of the value that a pressure lacks, as a palpated one lacks the
    diastolic: it is taken where the present value confirms it, else dropped."""
    for signal in PRESSURE:
        track = tracks.get(signal)
        if signal == present or track is None or track.held_value is None:
            continue
        if agrees:
            track.take(track.held_value, track.jumped)
        track.held_value = None


def _is_same(signal: str, value: float, last: float, held: float | None) -> tuple[bool, bool]:
    """Whether a value is the last one again, and whether it is the one held back."""
    return is_same(signal, value, last), held is not None and is_same(signal, value, held)


def _remember_number(
    tracks: Mapping[str, Track], signals: Iterable[str], number: Number | None
) -> None:
    """Remember the device's number of values that were taken, or are held back."""
    for signal in signals:
        if signal in tracks:
            tracks[signal].sequence = number


def _impossible_pressure(values: Mapping[str, float]) -> dict[str, str]:
    """Signal → why a pressure cannot be, whatever came before it."""
    pair = [signal for signal in PRESSURE if signal in values]
    if is_pressure_sentinel(values.get("systolic"), values.get("diastolic")):
        return dict.fromkeys(pair, "out_of_range")
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
    if is_pressure_sentinel(values.get("systolic"), values.get("diastolic")):
        good.pop("systolic", None)
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
