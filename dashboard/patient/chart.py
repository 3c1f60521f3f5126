"""The patient's chart as a Plotly figure: plain dictionaries, so that no Plotly object is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboard.patient.chart_shapes import all_shapes, judged_signal
from dashboard.patient.chart_theme import Theme
from dashboard.patient.chart_traces import PANELS, all_traces
from dashboard.patient.trend import Trend

AXES = {"y": "yaxis", "y2": "yaxis2"}
TITLES = {"y": "HR, bpm", "y2": "BP, mmHg"}
TICKS = (
    {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%b %-d"},
    {"dtickrange": [86_400_000, None], "value": "%b %-d"},
)
"""How the time axis is written: short, so that it stays upright on a phone."""
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"
LAYOUT: Mapping[str, Any] = {
    "paper_bgcolor": "rgba(0,0,0,0)",
    "plot_bgcolor": "rgba(0,0,0,0)",
    "margin": {"l": 56, "r": 12, "t": 28, "b": 44},
    "height": 460,
    "hovermode": "x unified",
    "hoverlabel": {"font": {"color": "#14202b"}, "bgcolor": "#ffffff"},
    "dragmode": "zoom",
    "legend": {
        "orientation": "h",
        "x": 0,
        "y": 1.13,
        "font": {"size": 12},
        "traceorder": "normal",
    },
}


@dataclass(frozen=True, slots=True)
class _Domain:
    """A panel's part of the height of the figure, 0 to 1."""

    bottom: float
    top: float


def build_figure(trend: Trend, theme: Theme) -> dict[str, Any]:
    """The figure: heart rate above, blood pressure below, episodes shaded over both.

    A quantity that was not measured in the window has no panel.
    """
    domains = _domains(trend)
    layout = {
        **LAYOUT,
        "xaxis": _time_axis(trend, theme, anchor=list(domains)[-1]),
        **{AXES[panel]: _axis(theme, TITLES[panel], part) for panel, part in domains.items()},
        "shapes": list(all_shapes(trend, theme)),
        "font": {"family": FONT, "size": 12, "color": theme.ink},
        "uirevision": f"{trend.end - trend.start}",  # the zoom is kept while the window is the same
    }
    traces = [trace for trace in all_traces(trend, theme) if trace["yaxis"] in domains]
    return {"data": traces, "layout": layout}


def _time_axis(trend: Trend, theme: Theme, *, anchor: str) -> dict[str, Any]:
    zone = theme.zone.key if theme.zone else "UTC"
    return {
        "range": [theme.local(trend.start), theme.local(trend.end)],
        "gridcolor": theme.grid,
        "title": {"text": f"Time ({zone})", "font": {"size": 11, "color": theme.muted}},
        "anchor": anchor,
        "tickangle": 0,
        "tickformatstops": TICKS,
    }


def _axis(theme: Theme, name: str, domain: _Domain) -> dict[str, Any]:
    return {
        "title": {"text": name, "font": {"size": 12}},
        "domain": [domain.bottom, domain.top],
        "gridcolor": theme.grid,
        "zeroline": False,
        "fixedrange": True,
        "nticks": 6,
    }


def _domains(trend: Trend) -> dict[str, _Domain]:
    """Axis → its part of the height, for panels that have anything to show; else for both."""
    measured = {
        panel
        for signal, panel in PANELS.items()
        if any(point[f"{signal}_avg"] is not None for point in trend.points)
    }
    judged = {PANELS.get(judged_signal(one.basis) or "") for one in trend.episodes}
    shown = [panel for panel in ("y", "y2") if panel in measured | judged]
    if len(shown) == 1:
        return {shown[0]: _Domain(0.0, 1.0)}
    return {"y": _Domain(0.56, 1.0), "y2": _Domain(0.0, 0.48)}
