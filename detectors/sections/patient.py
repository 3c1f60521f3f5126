"""Everything that holds for one patient: the sections, limits, and how episodes are held."""

from __future__ import annotations

from detectors.sections.base import Count, Positive, Seconds, Section
from detectors.sections.budget import Budget
from detectors.sections.families.baseline import BaselineConfig
from detectors.sections.families.blood_pressure_over_days import PressureDays
from detectors.sections.families.deterioration import Deterioration
from detectors.sections.families.early_warning import EarlyWarning
from detectors.sections.families.irregularity import Irregularity
from detectors.sections.families.novelty import Novelty
from detectors.sections.families.resting_heart_rate import Resting
from detectors.sections.families.river_plugin import Plugin
from detectors.sections.intake.admission import AdmissionConfig
from detectors.sections.intake.context import ContextConfig
from detectors.sections.intake.late import Late
from detectors.sections.intake.missing_data import SilenceConfig
from detectors.sections.intake.sources import Sources
from vigil.domain.kinds import Priority


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
