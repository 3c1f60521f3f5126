"""Figures that two signals make together, judged as limits are.

Mean arterial pressure = diastolic + (systolic − diastolic) / 3; pulse pressure = systolic −
diastolic; shock index = heart rate / systolic (Allgöwer & Burri 1967). The limits, and where they
come from, are in ``defaults/limits.toml``. Only values of the *same reading* are combined: a heart
rate from after the stairs and a cuff pressure from before them make no shock index.

They are made of the figures that a person reads (:mod:`vigil.domain.figures`): 160 over 100 has a
pulse pressure of 60, whatever the cuff sent behind the point. They are judged and shown by figures
of their own, in whole mmHg, the shock index in hundredths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from detectors.contract import Finding, Memoryless, Moment
from detectors.limits.configuration import DERIVED, Limit
from detectors.limits.detector import NOTHING, boards
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


class Combination(Memoryless):
    """Judges mean arterial pressure, pulse pressure and shock index."""

    name = "combination"

    def __init__(self, limits: Mapping[str, Limit]):
        self._boards = boards(limits, DERIVED, self.name, rank=1)
        self.signals = frozenset({"systolic"} if self._boards else ())

    def rules(self) -> Iterable[str]:
        """One a limit in force."""
        return [t.rule.name for board in self._boards.values() for t in board.thresholds]

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
