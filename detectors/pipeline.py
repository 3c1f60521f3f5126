"""Everything that judges the patients of one configuration, made once and shared by them."""

from __future__ import annotations

from detectors import silence
from detectors.admission import Admission, technical_policies
from detectors.config import PatientConfig
from detectors.contract import Detector
from detectors.episodes import Episodes
from detectors.registry import BUILT_IN


class Pipeline:
    """Admission, detectors and episodes, as one configuration has them."""

    def __init__(self, config: PatientConfig):
        self.config = config
        self.admission = Admission(config.admission)
        self.clock_tolerance = config.admission.clock_tolerance_seconds
        self.detectors: dict[str, Detector] = {
            name: make(config) for name, make in BUILT_IN.items()
        }
        self.episodes = Episodes({**technical_policies(config.admission), **config.episodes})
        self.rules = frozenset(
            [
                *self.admission.rules(),
                *(rule for detector in self.detectors.values() for rule in detector.rules()),
                silence.KIND,
            ]
        )
        """Names of the rules in force; an open episode of another is let go."""
