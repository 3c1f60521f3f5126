"""Everything that holds for one patient: one section a concern, each in its own module."""

from __future__ import annotations

from detectors.admission.clocks.configuration import ClockOffsetConfig
from detectors.admission.configuration import AdmissionConfig
from detectors.admission.sources_configuration import SourcesConfig
from detectors.baseline.configuration import BaselineConfig
from detectors.baseline.novelty_configuration import NoveltyConfig
from detectors.blood_pressure_over_days.configuration import PressureDaysConfig
from detectors.configuration.budget import Budget
from detectors.configuration.late import LateConfig
from detectors.configuration.missing_data import SilenceConfig
from detectors.configuration_section import Positive, Section
from detectors.context.configuration import ContextConfig
from detectors.early_warning.configuration import EarlyWarningConfig
from detectors.early_warning.deterioration_configuration import DeteriorationConfig
from detectors.episodes.configuration import EpisodePolicy, RepeatConfig
from detectors.irregularity.configuration import IrregularityConfig
from detectors.limits.configuration import Limit
from detectors.limits.exertion_configuration import AgeConfig, Exertion
from detectors.rate_scorer.configuration import ScorerConfig
from detectors.resting_heart_rate.configuration import RestingConfig
from detectors.river_plugin.configuration import PluginConfig


class PatientConfig(Section, frozen=True):
    """Everything that holds for one patient."""

    late_after_seconds: Positive
    age: AgeConfig
    context: ContextConfig
    admission: AdmissionConfig
    clock_offset: ClockOffsetConfig
    silence: SilenceConfig
    late: LateConfig
    limits: dict[str, Limit]
    exertion: dict[str, Exertion]
    baseline: BaselineConfig
    scorer: ScorerConfig
    resting: RestingConfig
    pressure_days: PressureDaysConfig
    irregularity: IrregularityConfig
    early_warning: EarlyWarningConfig
    novelty: NoveltyConfig
    deterioration: DeteriorationConfig
    sources: SourcesConfig
    plugins: dict[str, PluginConfig]
    episodes: dict[str, EpisodePolicy]
    repeat: RepeatConfig
    budget: Budget
