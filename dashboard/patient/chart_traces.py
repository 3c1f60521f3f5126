"""The lines and bands of a patient's chart, as Plotly traces.

Around the mean heart rate lies a band from the lowest to the highest reading of each bucket and,
where buckets hold enough readings for percentiles, a darker one from the 10th to the 90th.

Every point is drawn at its figure (:mod:`vigil.domain.figures`), which is sent along as text: the
browser rounds nothing, so that chart, row and alert text show the same figure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from dashboard.patient.chart_theme import Theme
from dashboard.patient.trend import NAMES, Trend, has_spread
from vigil.domain import figures
from vigil.domain.signals import SIGNALS

PANELS = {"heart_rate": "y", "systolic": "y2", "diastolic": "y2"}
"""Charted signal → the axis of its panel."""
UNDRAWN: Mapping[str, Any] = {"mode": "lines", "line": {"width": 0}}
"""The style of the lines that only bound a band."""


@dataclass(frozen=True, slots=True)
class _Point:
    time: datetime
    figure: float | None
    """None: a gap."""


def all_traces(trend: Trend, theme: Theme) -> list[dict[str, Any]]:
    """The bands, then a line for each charted signal."""
    return [*_bands(trend, theme), *(_signal_line(trend, theme, signal) for signal in PANELS)]


def _points(trend: Trend, signal: str, stat: str) -> Iterator[_Point]:
    """A signal's figures, with a gap wherever nothing was measured for too long."""
    longest = max(3 * trend.width, timedelta(minutes=15))
    if signal != "heart_rate":  # a cuff measures a few times a day
        longest = timedelta(hours=26)
    to_figure, field = SIGNALS[signal].figure, f"{signal}_{stat}"
    before: datetime | None = None
    for point in trend.points:
        value, time = point.get(field), point["bucket"]
        if value is None:
            continue
        if before is not None and time - before > longest:
            yield _Point(before + (time - before) / 2, None)
        yield _Point(time, to_figure(value))
        before = time


def _line(
    trend: Trend, theme: Theme, *, signal: str, stat: str, style: Mapping[str, Any]
) -> dict[str, Any]:
    points = list(_points(trend, signal, stat))
    return {
        "type": "scatter",
        "x": [theme.local(point.time) for point in points],
        "y": [point.figure for point in points],
        "yaxis": PANELS[signal],
        "hoverinfo": "skip",
        "showlegend": False,
        **style,
    }


def _bands(trend: Trend, theme: Theme) -> Iterator[dict[str, Any]]:
    """The bands around the mean heart rate, each between two lines that are not drawn."""
    if has_spread(trend, "min", "max"):
        yield from _band(trend, theme, low="min", high="max", style={"fillcolor": theme.band})
    if has_spread(trend, "p10", "p90"):
        style = {"fillcolor": theme.middle, "name": "Middle 80 %", "showlegend": True}
        yield from _band(trend, theme, low="p10", high="p90", style=style)


def _band(
    trend: Trend, theme: Theme, *, low: str, high: str, style: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    filled = {"fill": "tonexty", **style, **UNDRAWN}
    yield _line(trend, theme, signal="heart_rate", stat=low, style=UNDRAWN)
    yield _line(trend, theme, signal="heart_rate", stat=high, style=filled)


def _signal_line(trend: Trend, theme: Theme, signal: str) -> dict[str, Any]:
    color = str(getattr(theme, signal))
    style = {
        "mode": "lines" if signal == "heart_rate" else "lines+markers",
        "name": NAMES[signal],
        "showlegend": True,
        "line": {"color": color, "width": 1.6},
        "marker": {"size": 5, "color": color},
        "hoverinfo": "all",
        "hovertemplate": f"%{{text}} {SIGNALS[signal].unit_label}",
    }
    line = _line(trend, theme, signal=signal, stat="avg", style=style)
    return {**line, "text": _texts(signal, line["y"])}


def _texts(signal: str, values: Sequence[float | None]) -> list[str]:
    """The figures as text; empty for a gap."""
    return ["" if value is None else figures.text(signal, value) for value in values]
