"""The patient's trend as a Plotly figure: plain dictionaries, so that no Plotly object is built.

What is shaded is what the detectors said: each episode over its own time, with the personal
baseline and the limit *that it was judged by*, taken from its evidence. Outside episodes no
baseline is drawn, because the page does not know the one that was in force then.

Around the mean heart rate lies a band from the lowest to the highest reading of each bucket and,
where buckets hold enough of them to have percentiles, a darker one from the 10th to the 90th.

Every point is drawn at its figure (:mod:`vigil.domain.figures`), which goes along as text: the
browser rounds nothing, so that the chart says what the row and the words say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dashboard.board.rows import title
from dashboard.patient.basis import number
from store.episodes.board import Episode
from store.episodes.evidence import Basis
from vigil.domain import figures
from vigil.domain.signals import SIGNALS
from vigil.service import isolation
from vigil.values import time_zones

SPANS: Mapping[str, timedelta] = {
    "6 h": timedelta(hours=6),
    "24 h": timedelta(hours=24),
    "7 d": timedelta(days=7),
    "30 d": timedelta(days=30),
}
DEFAULT_SPAN = "24 h"
LABELS_AT_MOST = 12
"""With more episodes than this in the window, only their marks are written."""
MARKS = {"high": "▲", "medium": "◆", "low": "●"}
PANELS = {"heart_rate": "y", "systolic": "y2", "diastolic": "y2"}
AXES = {"y": "yaxis", "y2": "yaxis2"}
TITLES = {"y": "HR, bpm", "y2": "BP, mmHg"}
TICKS = (
    {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%b %-d"},
    {"dtickrange": [86_400_000, None], "value": "%b %-d"},
)
"""How the time axis is written: short, so that it stays upright on a phone."""
NAMES = {"heart_rate": "Heart rate", "systolic": "Systolic", "diastolic": "Diastolic"}
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


class Trend(NamedTuple):
    """What the chart shows."""

    start: datetime
    end: datetime
    width: timedelta
    """Length of a bucket."""
    points: Sequence[Mapping[str, Any]]
    """As :func:`store.readings.trends.fetch_trend` gives them."""
    episodes: Sequence[tuple[Episode, Basis]]


class Theme(NamedTuple):
    """Colours, and the reader's time zone."""

    ink: str
    muted: str
    grid: str
    heart_rate: str
    systolic: str
    diastolic: str
    band: str
    middle: str
    high: str
    medium: str
    low: str
    zone: ZoneInfo | None = None

    def local(self, time: datetime) -> str:
        """A moment as the axis takes it: the reader's wall clock."""
        return time.astimezone(self.zone or UTC).strftime("%Y-%m-%d %H:%M:%S")

    def priority(self, name: str) -> str:
        """The colour of a priority."""
        return str(getattr(self, name))


LIGHT = Theme(
    "#14202b",
    "#51606e",
    "#e1e7ed",
    "#0b5cad",
    "#5b2d9e",
    "#1f7a5c",
    "rgba(11,92,173,0.13)",
    "rgba(11,92,173,0.24)",
    "#b3141d",
    "#a87900",
    "#0b7f93",
)
DARK = Theme(
    "#e6edf3",
    "#9fb0bf",
    "#2a3641",
    "#6cb2ff",
    "#c3a1ff",
    "#5fd0a5",
    "rgba(108,178,255,0.16)",
    "rgba(108,178,255,0.28)",
    "#ff6b70",
    "#ffd60a",
    "#3fd0e6",
)


def theme(name: str, zone: str) -> Theme:
    """The colours of the browser's scheme; an unknown time zone is UTC."""
    return (DARK if name == "dark" else LIGHT)._replace(zone=time_zones.find(zone))


def _gapped(
    trend: Trend, signal: str, stat: str, longest: timedelta
) -> Iterator[tuple[datetime, float | None]]:
    """A signal's figures, with a gap wherever nothing was measured for longer."""
    shown, field = SIGNALS[signal].figure, f"{signal}_{stat}"
    before: datetime | None = None
    for point in trend.points:
        value, time = point.get(field), point["bucket"]
        if value is None:
            continue
        if before is not None and time - before > longest:
            yield before + (time - before) / 2, None
        yield time, shown(value)
        before = time


def _line(trend: Trend, look: Theme, signal: str, stat: str, **style: Any) -> dict[str, Any]:
    longest = max(3 * trend.width, timedelta(minutes=15))
    if signal != "heart_rate":  # a cuff measures a few times a day
        longest = timedelta(hours=26)
    points = list(_gapped(trend, signal, stat, longest))
    return {
        "type": "scatter",
        "x": [look.local(time) for time, _ in points],
        "y": [value for _, value in points],
        "yaxis": PANELS[signal],
        "hoverinfo": "skip",
        "showlegend": False,
        **style,
    }


def _texts(signal: str, values: Sequence[float | None]) -> list[str]:
    """Points as they are read; of a gap nothing."""
    return ["" if value is None else figures.text(signal, value) for value in values]


def spread(trend: Trend, low: str, high: str) -> bool:
    """Whether heart rates differ within a bucket, from one figure of it to the other."""
    pairs = ((p.get(f"heart_rate_{low}"), p.get(f"heart_rate_{high}")) for p in trend.points)
    return any(a is not None and b is not None and b > a for a, b in pairs)


def _bands(trend: Trend, look: Theme) -> Iterator[dict[str, Any]]:
    """What lies around the mean heart rate, each between two lines that are not drawn."""
    none = {"mode": "lines", "line": {"width": 0}}
    for low, high, color, named in (
        ("min", "max", look.band, {}),
        ("p10", "p90", look.middle, {"name": "Middle 80 %", "showlegend": True}),
    ):
        if spread(trend, low, high):
            yield _line(trend, look, "heart_rate", low, **none)
            yield _line(
                trend, look, "heart_rate", high, fill="tonexty", fillcolor=color, **named, **none
            )


def _traces(trend: Trend, look: Theme) -> list[dict[str, Any]]:
    traces = list(_bands(trend, look))
    for signal in PANELS:
        row, color = SIGNALS[signal], str(getattr(look, signal))
        marks = "lines" if signal == "heart_rate" else "lines+markers"
        line = _line(
            trend,
            look,
            signal,
            "avg",
            mode=marks,
            name=NAMES[signal],
            showlegend=True,
            line={"color": color, "width": 1.6},
            marker={"size": 5, "color": color},
            hoverinfo="all",
            hovertemplate=f"%{{text}} {row.unit_label}",
        )
        traces.append({**line, "text": _texts(signal, line["y"])})
    return traces


def judged_signal(basis: Basis) -> str | None:
    """The signal that an episode's numbers are about, where the chart shows it."""
    evidence: Any = basis.evidence
    named = evidence.get("signal") if isinstance(evidence, Mapping) else None
    if not isinstance(named, str):
        named = basis.signals[0] if len(basis.signals) == 1 else None
    return named if named in PANELS else None


class _Span(NamedTuple):
    """Where an episode lies in the figure."""

    x0: str
    x1: str
    panel: str | None
    """The axis of the signal that it is about; None: it lies over all panels."""
    near_right: bool

    @property
    def whole(self) -> dict[str, Any]:
        """From the bottom of its panel to the top."""
        across = f"{self.panel} domain" if self.panel else "paper"
        return {"xref": "x", "yref": across, "y0": 0, "y1": 1}


def _span(trend: Trend, look: Theme, episode: Episode, basis: Basis) -> _Span:
    begin = max(episode.onset, trend.start)
    end = max(min(episode.ended_at or trend.end, trend.end), begin + trend.width)
    near_right = begin - trend.start > (trend.end - trend.start) * 0.7
    panel = PANELS.get(judged_signal(basis) or "")
    return _Span(look.local(begin), look.local(end), panel, near_right)


def _shade(look: Theme, span: _Span, episode: Episode, text: str) -> Iterator[dict[str, Any]]:
    """The episode's time, and its name at its onset."""
    color = look.priority(episode.priority)
    yield {
        "type": "rect",
        **span.whole,
        "x0": span.x0,
        "x1": span.x1,
        "layer": "below",
        "fillcolor": color,
        "opacity": 0.16,
        "line": {"width": 0},
    }
    yield {
        "type": "line",
        **span.whole,
        "x0": span.x0,
        "x1": span.x0,
        "line": {"color": color, "width": 1.5},
        "label": {
            "text": text,
            "textposition": "end",
            "textangle": 0,
            "xanchor": "right" if span.near_right else "left",
            "yanchor": "top",
            "font": {"size": 11, "color": look.ink},
            "padding": 2,
        },
    }


def _figure(basis: Basis, *path: str) -> float | None:
    """A number of the evidence that is in the unit of its signal, as it is read."""
    known = number(basis.evidence, *path)
    return None if known is None else figures.figure(judged_signal(basis) or "", known)


def _judged_by(look: Theme, span: _Span, episode: Episode, basis: Basis) -> Iterator[Any]:
    """The usual range and the limit that the detector used, where the chart has their axis."""
    place = {"x0": span.x0, "x1": span.x1, "xref": "x", "yref": span.panel}
    low, high = (_figure(basis, "baseline", key) for key in ("low", "high"))
    if low is not None and high is not None:
        yield {
            "type": "rect",
            **place,
            "y0": low,
            "y1": high,
            "fillcolor": "rgba(0,0,0,0)",
            "line": {"color": look.muted, "width": 1, "dash": "dot"},
        }
    limit = _figure(basis, "limit")
    if limit is not None:
        yield {
            "type": "line",
            **place,
            "y0": limit,
            "y1": limit,
            "line": {"color": look.priority(episode.priority), "width": 2, "dash": "dash"},
        }


def _shapes(trend: Trend, look: Theme) -> Iterator[dict[str, Any]]:
    for episode, basis in trend.episodes:
        drawn = partial(_shape, trend, look, episode, basis)
        nothing: Callable[[], list[dict[str, Any]]] = list
        yield from isolation.attempt("episode in a chart", episode.patient_id, drawn, nothing)


def _shape(trend: Trend, look: Theme, episode: Episode, basis: Basis) -> list[dict[str, Any]]:
    span, mark = _span(trend, look, episode, basis), MARKS[episode.priority]
    labelled = len(trend.episodes) <= LABELS_AT_MOST
    text = f"{mark} {title(episode).rstrip('.')}" if labelled else mark
    drawn = [*_shade(look, span, episode, text)]
    if span.panel is not None:
        drawn += _judged_by(look, span, episode, basis)
    return drawn


def _axis(look: Theme, name: str, domain: tuple[float, float]) -> dict[str, Any]:
    return {
        "title": {"text": name, "font": {"size": 12}},
        "domain": list(domain),
        "gridcolor": look.grid,
        "zeroline": False,
        "fixedrange": True,
        "nticks": 6,
    }


def _panels(trend: Trend) -> dict[str, tuple[float, float]]:
    """Axis → its part of the height: of those that have anything to show, else of both."""
    measured = {
        panel
        for signal, panel in PANELS.items()
        if any(point[f"{signal}_avg"] is not None for point in trend.points)
    }
    judged = {PANELS.get(judged_signal(basis) or "") for _, basis in trend.episodes}
    shown = [panel for panel in ("y", "y2") if panel in measured | judged]
    if len(shown) == 1:
        return {shown[0]: (0.0, 1.0)}
    return {"y": (0.56, 1.0), "y2": (0.0, 0.48)}


def figure(trend: Trend, look: Theme) -> dict[str, Any]:
    """The figure: heart rate above, blood pressure below, episodes shaded over both.

    Of what was not measured in the window there is no panel.
    """
    zone = look.zone.key if look.zone else "UTC"
    panels = _panels(trend)
    axes = {
        "xaxis": {
            "range": [look.local(trend.start), look.local(trend.end)],
            "gridcolor": look.grid,
            "title": {"text": f"Time ({zone})", "font": {"size": 11, "color": look.muted}},
            "anchor": list(panels)[-1],
            "tickangle": 0,
            "tickformatstops": TICKS,
        },
        **{AXES[panel]: _axis(look, TITLES[panel], part) for panel, part in panels.items()},
    }
    layout = {
        **LAYOUT,
        **axes,
        "shapes": list(_shapes(trend, look)),
        "font": {"family": FONT, "size": 12, "color": look.ink},
        "uirevision": f"{trend.end - trend.start}",  # a zoom stays while the window does
    }
    traces = [trace for trace in _traces(trend, look) if trace["yaxis"] in panels]
    return {"data": traces, "layout": layout}
