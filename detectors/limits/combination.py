"""Figures that two signals make together, judged as limits are.

Mean arterial pressure = diastolic + (systolic − diastolic) / 3; pulse pressure = systolic −
diastolic; shock index = heart rate / systolic (Allgöwer & Burri 1967). The limits, and where they
come from, are in ``defaults/limits.toml``. Only values of the *same reading* are combined: a heart
rate from after the stairs and a cuff pressure from before them make no shock index.

They are made of the figures that a person reads (:mod:`vigil.domain.figures`): 160 over 100 has a
pulse pressure of 60, whatever the cuff sent behind the point. They are judged and shown by figures
of their own, in whole mmHg, the shock index in hundredths. Which shock indices are judged while
the person is active is in :mod:`detectors.limits.exertion`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import ClassVar

from detectors.contract import Detector, Finding, Memoryless, Moment
from detectors.limits.configuration import DERIVED, Limit
from detectors.limits.detector import NO_EXERTION, NOTHING, Limits, boards, extend, names_of
from detectors.limits.exertion import exertion_thresholds
from detectors.limits.exertion_configuration import ADULT_ASSUMED, AgeConfig, Exertion
from vigil.domain.figures import figure


def combine(values: Mapping[str, float]) -> dict[str, float]:
    """The figures that these values allow.

    >>> combine({"heart_rate": 90.0, "systolic": 120.0, "diastolic": 75.0})
    {'mean_arterial_pressure': 90.0, 'pulse_pressure': 45.0, 'shock_index': 0.75}
    >>> combine({"heart_rate": 90.0})
    {}
    """
    systolic = values.get("systolic")
    if systolic is None:
        return {}
    made = {}
    systolic = figure("systolic", systolic) if systolic % 1.0 else systolic
    diastolic = values.get("diastolic")
    if diastolic is not None:
        diastolic = figure("diastolic", diastolic) if diastolic % 1.0 else diastolic
        made["mean_arterial_pressure"] = diastolic + (systolic - diastolic) / 3
        made["pulse_pressure"] = systolic - diastolic
    heart_rate = values.get("heart_rate")
    if heart_rate is not None:
        heart_rate = figure("heart_rate", heart_rate) if heart_rate % 1.0 else heart_rate
        made["shock_index"] = heart_rate / systolic
    return made


def absolute_limits(detectors: Mapping[str, Detector]) -> list[Detector]:
    """Of detectors by name, those that judge by limits alone, whatever was measured before."""
    return [detectors[name] for name in (Limits.name, Combination.name) if name in detectors]


class Combination(Memoryless):
    """Judges mean arterial pressure, pulse pressure and shock index.

    Args:
        age: whose limits they are; None: an adult's, as nobody gave an age.
        exertion: which of them hold while the person is active too; only with an age.
    """

    name: ClassVar[str] = "combination"

    def __init__(
        self,
        limits: Mapping[str, Limit],
        age: AgeConfig | None = None,
        exertion: Mapping[str, Exertion] = NO_EXERTION,
    ):
        band = ADULT_ASSUMED if age is None else age.band
        self._boards = boards(limits, DERIVED, self.name, rank=1, age_band=band)
        if age is not None:
            rows = exertion_thresholds(limits, exertion, age, signal="shock_index")
            extend(self._boards, "shock_index", rows)
        self.signals = frozenset({"systolic"} if self._boards else ())

    def rules(self) -> Iterable[str]:
        """One a limit in force, and one a row that extends a limit."""
        return names_of(self._boards)

    def examine(self, moment: Moment, memory: None) -> Iterable[Finding]:
        """One finding a limit, for the figures that are not calm."""
        del memory
        if "systolic" not in moment.values:
            return NOTHING
        found: list[Finding] = []
        for name, value in combine(moment.values).items():
            board = self._boards.get(name)
            if board is not None:
                found.extend(board.judge(value, moment))
        return found
