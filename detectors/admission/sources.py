"""Which device is preferred where two measure the same signal of one person.

For each signal one device is *preferred*: the one that the configuration ranks first of those that
deliver; between devices of equal rank the first that sent anything, for as long as it delivers
within ``takeover_seconds`` of the other's readings. Then the other takes over and stays (no
flapping). What another device sends of that signal meanwhile is neither judged nor learned. It is
only compared: two devices that are ``change`` apart at the same moment, again and again for so
long, are a ``sensor_fault`` with the reason ``devices_disagree``: nobody can know which of them is
right.

A heart rate that comes with a pressure of the device preferred for pressure is taken as a part of
that measurement: shock index needs both of one moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase

from msgspec import Struct, field

from detectors.admission.clocks.memory import Clocks
from detectors.admission.rules import FAULT, PRESSURE
from detectors.admission.sources_configuration import Disagreement, SourcesConfig
from detectors.admission.tracks import Track
from detectors.contract import BEYOND, CLEAR, Finding, Rule
from vigil.domain.signals import NAMES

NOBODY = 10**6
"""The rank of a device that the configuration does not name."""


class Preferred(Struct, array_like=True):
    """Which device is preferred for one signal, and how another contradicted it."""

    device: str
    time: float
    """Of its newest reading of the signal."""
    rival_time: float = 0.0
    """Of the newest reading of another device that was compared."""
    apart_since: float = 0.0
    """From when on every compared reading was too far apart."""
    apart: int = 0
    """How many they are."""


class Devices(Struct, array_like=True):
    """What is remembered of one patient's devices."""

    only: str = ""
    """The one device that ever sent anything: nothing need be chosen. Empty: none yet, or
    several."""
    preferred: dict[str, Preferred] = {}
    clocks: Clocks = field(default_factory=Clocks)
    """Of those that are or may be off (:mod:`detectors.admission.clocks`)."""


class Chosen(Struct, frozen=True, gc=False):
    """What is taken of a reading, and what was found in comparing it."""

    values: Mapping[str, float]
    findings: list[Finding]


class Sources:
    """Chooses among the devices of a patient."""

    def __init__(self, config: SourcesConfig):
        self._config = config
        self.enabled = config.enabled
        self._rules = {
            signal: Rule(
                name=f"{FAULT}.{signal}.devices",
                detector="sources",
                kind=FAULT,
                signal=signal,
                direction="",
                priority="low",
                rank=0,
                seconds=row.seconds,
                unknown_seconds=row.seconds,
                readings=1,
            )
            for signal, row in config.disagree.items()
            if row.enabled
        }

    def rules(self) -> list[str]:
        """Names of the rules that are in force."""
        return [rule.name for rule in self._rules.values()]

    def choose(
        self,
        devices: Devices,
        device: str,
        time: float,
        values: Mapping[str, float],
        tracks: Mapping[str, Track],
    ) -> Chosen:
        """Take what this device is preferred for.

        Args:
            devices: the patient's memory; changed.
            tracks: the last values let through.
        """
        if device == devices.only or not self.enabled:
            return Chosen(values, [])
        if not devices.only and not devices.preferred:
            devices.only = device
            return Chosen(values, [])
        if devices.only:
            _remember(devices, tracks)
        taken: dict[str, float] = {}
        findings: list[Finding] = []
        for signal, value in values.items():
            row = devices.preferred.get(signal)
            if row is None:
                row = devices.preferred[signal] = Preferred(device, time)
            if self._is_preferred(row, signal, device, time):
                taken[signal] = value
            else:
                findings.extend(
                    self._compare(row, signal, value=value, time=time, track=tracks.get(signal))
                )
        pulse = values.get("heart_rate")
        if pulse is not None and any(signal in taken for signal in PRESSURE):
            taken["heart_rate"] = pulse
        return Chosen(taken, findings)

    def _is_preferred(self, row: Preferred, signal: str, device: str, time: float) -> bool:
        """Whether a device is the preferred one, or becomes it."""
        if device != row.device:
            if row.time - time > self._config.same_moment_seconds:
                return False  # late: history prefers nobody
            mine, theirs = self._rank(signal, device), self._rank(signal, row.device)
            silent = time - row.time > self._config.takeover_seconds
            if not (mine < theirs or silent):
                return False
            row.device, row.apart, row.rival_time = device, 0, row.time
        row.time = max(row.time, time)
        return True

    def _rank(self, signal: str, device: str) -> int:
        for rank, pattern in enumerate(self._config.priority.get(signal, ())):
            if fnmatchcase(device, pattern):
                return rank
        return NOBODY

    def _compare(
        self, row: Preferred, signal: str, value: float, time: float, track: Track | None
    ) -> list[Finding]:
        """Findings about how the reading of another device agrees with the preferred one's."""
        rule, settings = self._rules.get(signal), self._config.disagree.get(signal)
        if rule is None or settings is None or track is None or time <= row.rival_time:
            return []
        if abs(time - track.time) > self._config.same_moment_seconds:
            return []
        row.rival_time = time
        if abs(value - track.value) < settings.change:
            row.apart = 0
            return [Finding(rule, CLEAR, value, reason="devices_disagree")]
        row.apart_since = row.apart_since if row.apart else time
        row.apart += 1
        if not _lasted(row, settings, time):
            return []
        found = Finding(rule, BEYOND, value, since=row.apart_since, reason="devices_disagree")
        return [found]


def _lasted(row: Preferred, settings: Disagreement, time: float) -> bool:
    return row.apart >= settings.readings and time - row.apart_since >= settings.seconds


def _remember(devices: Devices, tracks: Mapping[str, Track]) -> None:
    """A second device came: what the first one delivered is its own."""
    for signal in NAMES:
        track = tracks.get(signal)
        if track is not None:
            devices.preferred[signal] = Preferred(devices.only, track.time)
    devices.only = ""
