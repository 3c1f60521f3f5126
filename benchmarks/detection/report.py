"""What a scenario hands back: plain tables, aims, misses and notes.

A scenario is a module of :mod:`benchmarks.detection.scenarios` with ``NAME`` and
``run(options: Options) -> Report``. It computes; :mod:`benchmarks.detection.render` prints. A cell
is a plain value, a :class:`~benchmarks.detection.scoring.Rate` (shown with its interval), or None.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

from benchmarks.detection.scoring import Rate
from benchmarks.detection.split import Group

Labels = Literal["real labels", "INJECTED", "no labels"]
Cell = str | int | float | Rate | None


class Options(NamedTuple):
    """How to run."""

    peers: bool = True
    """Run the other detectors too."""
    quick: bool = False
    """Fewer people and repetitions, for a look while working; never for results."""
    out: Path | None = None
    """Where pictures and lists may be written."""


class Table(NamedTuple):
    """Rows of plain values; the unit stands in the column's name."""

    title: str
    labels: Labels
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""
    folded: bool = False
    """Detail: in Markdown it opens on a click."""


class Aim(NamedTuple):
    """What was aimed at, beside what was reached on either side of the split."""

    what: str
    aim: str
    tune: str
    test: str
    reached: bool | None
    """On the test people; None: cannot be said (too few, or no labels)."""


class Miss(NamedTuple):
    """A case that went wrong."""

    group: Group
    patient_id: str
    episode: str
    why: str
    """Empty where it is not known."""


class Curve(NamedTuple):
    """One detector in a chart: points of (false alert episodes per patient-day, sensitivity)."""

    name: str
    points: tuple[tuple[float, float], ...]


class Chart(NamedTuple):
    """Sensitivity over false alerts; becomes ``detection-NAME.svg``."""

    name: str
    title: str
    curves: tuple[Curve, ...]


class Report(NamedTuple):
    """A scenario's results."""

    name: str
    summary: str
    """One or two sentences: the recordings, the protocol, what is an event and what a hit."""
    tables: tuple[Table, ...] = ()
    aims: tuple[Aim, ...] = ()
    misses: tuple[Miss, ...] = ()
    notes: tuple[str, ...] = ()
    charts: tuple[Chart, ...] = ()
