"""Everything that judges the patients of one configuration, made once and shared by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from msgspec import Struct

from detectors.admission.rules import technical_policies
from detectors.blood_pressure_over_days.detector import PressureDays
from detectors.configuration.patient import PatientConfig
from detectors.contract import Detector, Finding, Memoryless
from detectors.engine import missing_data
from detectors.engine.intake import Intake
from detectors.engine.late_readings import LateReadings
from detectors.episodes.tracker import Episodes
from detectors.registry import BUILT_IN
from detectors.withdrawal.withdrawals import Withdrawals


class Judges(Struct, frozen=True, gc=False):
    """Who is asked about a moment that holds certain signals, by name, in order."""

    examine: tuple[tuple[str, Callable[..., Iterable[Finding]]], ...]
    learn: tuple[tuple[str, Callable[..., None]], ...]


class Pipeline:
    """Intake, detectors, episodes and late readings, as one configuration has them.

    Args:
        config: what holds for the patients.
        config_hash: names the whole configuration; each event carries it.
    """

    def __init__(self, config: PatientConfig, config_hash: str):
        self.config = config
        self.config_hash = config_hash
        self.detectors: dict[str, Detector] = {
            name: make(config) for name, make in BUILT_IN.items()
        }
        days = self.detectors[PressureDays.name]
        assert isinstance(days, PressureDays)  # noqa: S101  (it is that row of the registry)
        self.pressure_days = days
        self.intake = Intake(config, self.detectors)
        technical = technical_policies(config.admission, config.clock_offset.forget_seconds)
        self.policies = {**technical, **config.episodes}
        self.episodes = Episodes(
            self.policies,
            repeat={
                "high": config.repeat.high,
                "medium": config.repeat.medium,
                "low": config.repeat.low,
            },
            late_after_seconds=config.late_after_seconds,
        )
        self.rules = frozenset(
            [
                *self.intake.admission.rules(),
                *self.intake.sources.rules(),
                *self.intake.clocks.rules(),
                *(rule for detector in self.detectors.values() for rule in detector.rules()),
                missing_data.KIND,
            ]
        )
        """Names of the rules in force; an open episode of another rule is closed."""
        self.late = LateReadings(
            config=config,
            episodes=self.episodes,
            rules=self.rules,
            detectors=self.detectors,
        )
        self.withdrawals = Withdrawals(config, self.policies, self.detectors, config_hash)
        self._judges: dict[tuple[str, ...], Judges] = {}

    def judges(self, values: Mapping[str, Any]) -> Judges:
        """The detectors for a moment with these values; found once for each set of signals."""
        measured = tuple(values)
        judges = self._judges.get(measured)
        if judges is None:
            judges = self._judges[measured] = self._interested_in(measured)
        return judges

    def _interested_in(self, measured: tuple[str, ...]) -> Judges:
        asked = {
            name: detector
            for name, detector in self.detectors.items()
            if not detector.signals.isdisjoint(measured)
        }
        return Judges(
            tuple((name, detector.examine) for name, detector in asked.items()),
            tuple(
                (name, detector.learn)
                for name, detector in asked.items()
                if not isinstance(detector, Memoryless)
            ),
        )
