"""What is let through to the detectors, and what is wrong with the rest.

A value that is refused here is never judged clinically and never learned from. What is wrong shows
as a *technical* event at most: ``sensor_fault`` (impossible, contradictory or frozen values) or
``poor_contact``. A single large step is held back until a second reading agrees with it: a true
change (a tachycardia can begin from one beat to the next) loses one reading, a spike is dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from msgspec import Struct

from detectors.config import AdmissionConfig, EpisodePolicy
from detectors.contract import BEYOND, CLEAR, Finding, Rule
from vigil.signals import SIGNALS

FAULT, CONTACT, CLOCK = "sensor_fault", "poor_contact", "device_clock"
_PAIR = frozenset({"systolic", "diastolic"})
_RANGES = {name: (signal.lowest, signal.highest) for name, signal in SIGNALS.items()}


class Track(Struct, array_like=True):
    """What is remembered of one signal."""

    value: float
    time: float
    since: float
    """When ``value`` was first seen in the present run of equal ones."""
    equal: int = 1
    suspect: float | None = None
    """A value held back because it stepped too far."""


class Admitted(NamedTuple):
    """What was let through, and what was found."""

    values: Mapping[str, float]
    findings: list[Finding]
    refused: int
    """How many values were held back or refused."""


def technical_policies(config: AdmissionConfig) -> dict[str, EpisodePolicy]:
    """How technical kinds are held together: closed by the first thing that is right again."""
    at_once = EpisodePolicy(
        gap_seconds=86_400, clear_seconds=0, clear_readings=1, update_step=1, update_seconds=3600
    )
    held = EpisodePolicy(
        gap_seconds=86_400, clear_seconds=config.fault_clear_seconds, clear_readings=2,
        update_step=1, update_seconds=3600,
    )  # fmt: skip
    return {FAULT: held, CONTACT: held, CLOCK: at_once, "no_data": at_once}


class Admission:
    """Judges whether values can be believed."""

    name = "admission"

    def __init__(self, config: AdmissionConfig):
        self._config = config
        self._stuck = {name: row for name, row in config.stuck.items() if row.enabled}
        self._jump = {name: row for name, row in config.jump.items() if row.enabled}
        self._contact = _rule(CONTACT, CONTACT, "", config.contact_seconds, 2)
        self._clock = _rule(CLOCK, CLOCK, "", 0.0, 1)
        self._faults = {
            signal: (
                _rule(f"{FAULT}.{signal}", FAULT, signal, 0.0, config.fault_readings),
                _rule(f"{FAULT}.{signal}.stuck", FAULT, signal, 0.0, 1),
            )
            for signal in SIGNALS
        }

    def rules(self) -> list[str]:
        """Names of the rules that are in force."""
        names = [rule.name for pair in self._faults.values() for rule in pair]
        return [CONTACT, CLOCK, *names]

    def clock(self, right: bool) -> Finding:
        """The finding about a reading's time."""
        return Finding(self._clock, CLEAR if right else BEYOND, reason="from_the_future")

    def admit(
        self, values: Mapping[str, float], time: float, contact: bool | None,
        tracks: dict[str, Track], watched: bool,
    ) -> Admitted:  # fmt: skip
        """Let through what can be believed.

        Args:
            tracks: the patient's memory; changed.
            watched: whether findings that nothing is wrong are needed.
        """
        if contact is False:
            return Admitted({}, [Finding(self._contact, BEYOND)], len(values))
        wrong = {}
        for signal, value in values.items():
            reason = self._reason(signal, value, values, time, tracks)
            if reason:
                wrong[signal] = reason
        if not wrong and not watched:
            return Admitted(values, [], 0)
        findings = [Finding(self._contact, CLEAR)]
        for signal, value in values.items():
            findings.extend(self._findings(signal, value, wrong.get(signal, ""), tracks))
        taken = {signal: value for signal, value in values.items() if signal not in wrong}
        return Admitted(taken, findings, len(wrong))

    def _findings(
        self, signal: str, value: float, reason: str, tracks: dict[str, Track]
    ) -> Iterable[Finding]:
        """What the two rules on a signal say: impossible, and frozen."""
        if reason == "stepped":
            return ()
        ordinary, frozen = self._faults[signal]
        stuck = reason == "stuck"
        since = tracks[signal].since if stuck else None
        wrong = BEYOND if reason else CLEAR
        return (
            Finding(ordinary, CLEAR if stuck else wrong, value, reason=reason),
            Finding(frozen, BEYOND if stuck else CLEAR, value, since=since, reason=reason),
        )

    def _reason(
        self, signal: str, value: float, values: Mapping[str, float], time: float,
        tracks: dict[str, Track],
    ) -> str:  # fmt: skip
        """Why a value cannot be believed; empty: it can."""
        low, high = _RANGES[signal]
        if not low <= value <= high:  # also refuses NaN
            return "out_of_range"
        if signal in _PAIR and not values.get("systolic", high) > values.get("diastolic", 0):
            return "systolic_not_above_diastolic"
        track = tracks.get(signal)
        if track is None:
            tracks[signal] = Track(value, time, time)
            return ""
        if self._stepped(signal, value, time, track):
            return "stepped"
        if value != track.value:
            track.value, track.since, track.equal = value, time, 0
        track.time, track.suspect = time, None
        track.equal += 1
        return "stuck" if self._frozen(signal, time, track) else ""

    def _frozen(self, signal: str, time: float, track: Track) -> bool:
        """Whether a value has been the same for too long to be measured."""
        stuck = self._stuck.get(signal)
        if stuck is None or track.equal < stuck.readings:
            return False
        return time - track.since >= stuck.seconds

    def _stepped(self, signal: str, value: float, time: float, track: Track) -> bool:
        """Whether a value stepped too far and no second one agrees yet."""
        jump = self._jump.get(signal)
        if jump is None or time - track.time > jump.seconds:
            return False
        if abs(value - track.value) <= jump.change:
            return False
        if track.suspect is not None and abs(value - track.suspect) <= jump.change / 2:
            return False
        track.suspect = value
        return True


def _rule(name: str, kind: str, signal: str, seconds: float, readings: int) -> Rule:
    return Rule(
        name=name, detector="admission", kind=kind, signal=signal, direction="", priority="low",
        rank=0, seconds=seconds, unknown_seconds=seconds, readings=readings,
    )  # fmt: skip
