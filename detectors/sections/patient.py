"""Everything that holds for one patient: the sections, limits, and how episodes are held."""

from __future__ import annotations

from detectors.sections.admission import AdmissionConfig
from detectors.sections.base import Count, Positive, Seconds, Section
from detectors.sections.baseline import BaselineConfig
from detectors.sections.budget import Budget
from detectors.sections.context import ContextConfig
from detectors.sections.deterioration import Deterioration
from detectors.sections.early_warning import EarlyWarning
from detectors.sections.irregularity import Irregularity
from detectors.sections.late import Late
from detectors.sections.novelty import Novelty
from detectors.sections.plugins import Plugin
from detectors.sections.pressure_days import PressureDays
from detectors.sections.resting import Resting
from detectors.sections.silence import SilenceConfig
from detectors.sections.sources import Sources
from vigil.kinds import Priority


class Limit(Section, frozen=True):
    """One absolute limit: beyond it the condition holds, past ``clear`` it has ended."""

    kind: str
    signal: str
    """A signal, or ``mean_arterial_pressure``, ``pulse_pressure``, ``shock_index``."""
    clear: float
    priority: Priority
    above: float | None = None
    below: float | None = None
    seconds: Seconds = 0.0
    unknown_seconds: Seconds | None = None
    """In place of ``seconds`` where the activity is not known; None: the same."""
    readings: Count = 1
    at_rest_only: bool = False
    enabled: bool = True


class EpisodePolicy(Section, frozen=True):
    """How the episodes of one kind are held together."""

    gap_seconds: Seconds
    clear_seconds: Seconds
    clear_readings: Count
    update_step: Positive
    update_seconds: Seconds


class PatientConfig(Section, frozen=True):
    """Everything that holds for one patient."""

    late_after_seconds: Positive
    context: ContextConfig
    admission: AdmissionConfig
    silence: SilenceConfig
    late: Late
    limits: dict[str, Limit]
    baseline: BaselineConfig
    resting: Resting
    pressure_days: PressureDays
    irregularity: Irregularity
    early_warning: EarlyWarning
    novelty: Novelty
    deterioration: Deterioration
    sources: Sources
    plugins: dict[str, Plugin]
    episodes: dict[str, EpisodePolicy]
    budget: Budget
