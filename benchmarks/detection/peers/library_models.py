"""Models of pysad and streamad that run beside today's numpy, through their own interfaces.

pysad 0.7.0 installs with numpy 2 (``pip install vigil[bench]``). Left out of it: IForestASD and
RobustRandomCutForest take 10 and 16 ms a reading, SeasonalESD and Inqmad need a period or a shape
that readings with gaps do not have.

streamad 0.3.1 pins pandas < 2, plotly < 6 and statsmodels 0.13, which cannot stand beside Dash.
With ``pip install --no-deps streamad`` and those packages as they are now, KNNDetector, SRDetector,
MadDetector, ZScoreDetector, RShashDetector, LodaDetector, RrcfDetector and HSTreeDetector run;
xStreamDetector, OCSVMDetector, SArimaDetector and ZSpotDetector fail on numpy 2. Of those that run,
the first three are shown: the others are the same methods as peers shown already.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from benchmarks.detection.rows import Row

SIGNALS = ("heart_rate", "systolic", "diastolic")
WINDOW = 288
"""A day of five-minute rows."""


class LibraryModel:
    """Score: the library's own, of one model a signal; the largest signal's."""

    def __init__(self, make: Callable[[], Any], judge: Callable[[Any, Any], Any]):
        self._make = make
        self._judge = judge
        self._models: dict[str, Any] = {}

    def score(self, row: Row) -> float:
        """0 while a model says nothing yet."""
        own = [item for item in row.values.items() if item[0] in SIGNALS]
        return max((self._one(*item) for item in own), default=0.0)

    def _one(self, signal: str, value: float) -> float:
        model = self._models.get(signal)
        if model is None:
            model = self._models[signal] = self._make()
        return _plain(self._judge(model, np.array([value])))


def pysad(name: str, **settings: Any) -> Callable[[int], LibraryModel]:
    """How to make one of its models.

    Raises:
        ImportError: pysad is not installed.
    """
    model = getattr(import_module("pysad.models"), name)
    return lambda _memory: LibraryModel(lambda: model(**settings), _pysad_judge)


def streamad(name: str, **settings: Any) -> Callable[[int], LibraryModel]:
    """How to make one of its models.

    Raises:
        ImportError: streamad is not installed, or something that it imports is not.
    """
    model = getattr(import_module("streamad.model"), name)
    return lambda _memory: LibraryModel(lambda: model(**settings), _streamad_judge)


def _pysad_judge(model: Any, value: Any) -> Any:
    """Its order is to learn first; a window of a day hardly notices."""
    return model.fit_score_partial(value)


def _streamad_judge(model: Any, value: Any) -> Any:
    return model.fit_score(value)


def _plain(score: Any) -> float:
    if score is None or not np.isfinite(score):
        return 0.0
    return float(score)
