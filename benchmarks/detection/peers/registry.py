"""Every peer for readings over time, in the order in which they are shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.detection.peers import fixed_limits, library_models, moving, news2, river_models
from benchmarks.detection.peers.contract import Peer, Scorer
from benchmarks.detection.peers.library_models import WINDOW

SLOW = 5
"""Minutes between the rows of a peer that is slow."""


class Known(NamedTuple):
    """The peers that run here, and why the others do not."""

    peers: tuple[Peer, ...]
    absent: tuple[str, ...]


PLAIN = (
    Peer("fixed limits (watch)", lambda _m: fixed_limits.FixedLimits(fixed_limits.APPLE), "Apple"),
    Peer("fixed limits (bedside)", lambda _m: fixed_limits.FixedLimits(fixed_limits.BEDSIDE), "°"),
    Peer("partial NEWS2", lambda _m: news2.PartialNews2(), "RCP 2017"),
    Peer("rolling z-score", moving.RollingZ, "textbook"),
    Peer("EWMA", moving.Ewma, "Roberts 1959"),
    Peer("CUSUM", moving.Cusum, "Page 1954"),
    Peer("river HalfSpaceTrees", river_models.half_space_trees, "Tan 2011", SLOW),
    Peer("river LODA", river_models.loda, "Pevný 2016", SLOW),
)
LIBRARIES: tuple[tuple[str, Callable[[], Callable[[int], Scorer]]], ...] = (
    ("pysad KNNCAD", lambda: library_models.pysad("KNNCAD", probationary_period=WINDOW)),
    ("pysad ExactStorm", lambda: library_models.pysad("ExactStorm", window_size=WINDOW)),
    ("pysad LODA", lambda: library_models.pysad("LODA", random_state=river_models.SEED)),
    ("streamad KNN", lambda: library_models.streamad("KNNDetector")),
    ("streamad SR", lambda: library_models.streamad("SRDetector")),
    ("streamad MAD", lambda: library_models.streamad("MadDetector")),
)


def known() -> Known:
    """Import what is there."""
    peers, absent = list(PLAIN), []
    for name, make in LIBRARIES:
        try:
            peers.append(Peer(name, make(), name.partition(" ")[0], SLOW))
        except ImportError as error:
            absent.append(f"{name} is not shown: {error}")
    return Known(tuple(peers), tuple(absent))
