"""river's anomaly detectors as they are, on values scaled to [0, 1]."""

from __future__ import annotations

from typing import Any

from river.anomaly import LODA, HalfSpaceTrees

from benchmarks.detection.rows import Row
from vigil.domain.signals import SIGNALS

SEED = 7


class RiverModel:
    """Score: the model's own; judge first, then learn."""

    def __init__(self, model: Any):
        self._model = model

    def score(self, row: Row) -> float:
        """0 until it has learned."""
        scaled = {name: _scaled(name, value) for name, value in row.values.items()}
        score = float(self._model.score_one(scaled))
        self._model.learn_one(scaled)
        return score


def half_space_trees(memory: int) -> RiverModel:
    """Tan, Ting & Liu 2011. The window is what it remembers, at most a day of minutes."""
    window = min(memory, 1440)
    return RiverModel(HalfSpaceTrees(n_trees=10, height=8, window_size=window, seed=SEED))


def loda(memory: int) -> RiverModel:
    """Pevný 2016. It remembers everything: ``memory`` has no meaning for it."""
    del memory
    return RiverModel(LODA(n_bins=20, n_random_cuts=20, seed=SEED))


def _scaled(name: str, value: float) -> float:
    signal = SIGNALS[name]
    share = (value - signal.lowest) / (signal.highest - signal.lowest)
    return min(1.0, max(0.0, share))
