"""Everything that judges the patients of one configuration, made once and shared by them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from detectors.admission.rules import Admission, technical_policies
from detectors.admission.sources import Sources
from detectors.contract import Detector, Finding, Memoryless
from detectors.engine import missing_data
from detectors.episodes.tracker import Episodes
from detectors.registry import BUILT_IN
from detectors.sections.patient import PatientConfig


class Judges(NamedTuple):
    """Who is asked about a moment that holds certain signals, by name, in order."""

    examine: tuple[tuple[str, Callable[..., Iterable[Finding]]], ...]
    learn: tuple[tuple[str, Callable[..., None]], ...]


class Pipeline:
    """Admission, detectors and episodes, as one configuration has them."""

    def __init__(self, config: PatientConfig):
        self.config = config
        self.admission = Admission(config.admission)
        self.sources = Sources(config.sources)
        self.detectors: dict[str, Detector] = {
            name: make(config) for name, make in BUILT_IN.items()
        }
        self.episodes = Episodes({**technical_policies(config.admission), **config.episodes})
        self.rules = frozenset(
            [
                *self.admission.rules(),
                *self.sources.rules(),
                *(rule for detector in self.detectors.values() for rule in detector.rules()),
                missing_data.KIND,
            ]
        )
        """Names of the rules in force; an open episode of another is let go."""
        self._judges: dict[tuple[str, ...], Judges] = {}

    def judges(self, values: Mapping[str, Any]) -> Judges:
        """The detectors for a moment with these values; found once for each set of signals."""
        measured = tuple(values)
        judges = self._judges.get(measured)
        if judges is None:
            judges = self._judges[measured] = self._asked(measured)
        return judges

    def _asked(self, measured: tuple[str, ...]) -> Judges:
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
