"""The episodes of a patient's chart, as Plotly shapes.

Shaded is what the detectors found: each episode over its own time, with the personal baseline and
the limit *that it was judged by*, taken from its evidence. Outside episodes no baseline is drawn,
because the page does not know the one that was in force then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from dashboard.board.rows import episode_title
from dashboard.patient.basis import shown_number
from dashboard.patient.chart_theme import Theme
from dashboard.patient.chart_traces import PANELS
from dashboard.patient.trend import JudgedEpisode, Trend
from store.episodes.evidence import Basis
from vigil.domain import figures
from vigil.service import isolation

MAX_LABELS = 12
"""With more episodes than this in the window, only their marks are written."""
MARKS = {"high": "▲", "medium": "◆", "low": "●"}


def all_shapes(trend: Trend, theme: Theme) -> Iterator[dict[str, Any]]:
    """The shapes of every episode; none of one that cannot be drawn."""
    for judged in trend.episodes:
        drawn = partial(_episode_shapes, trend, theme, judged)
        nothing: Callable[[], list[dict[str, Any]]] = list
        yield from isolation.attempt(
            "episode in a chart", judged.episode.patient_id, make=drawn, otherwise=nothing
        )


def judged_signal(basis: Basis) -> str | None:
    """The signal that an episode's numbers are about; None where the chart does not show it."""
    evidence: Any = basis.evidence
    named = evidence.get("signal") if isinstance(evidence, Mapping) else None
    if not isinstance(named, str):
        named = basis.signals[0] if len(basis.signals) == 1 else None
    return named if named in PANELS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Extent:
    """The position of an episode in the figure."""

    x0: str
    x1: str
    panel: str | None
    """The axis of the signal that it is about; None: all panels."""
    near_right: bool

    @property
    def full_height(self) -> dict[str, Any]:
        """From the bottom of its panel to the top."""
        across = f"{self.panel} domain" if self.panel else "paper"
        return {"xref": "x", "yref": across, "y0": 0, "y1": 1}


def _extent(trend: Trend, theme: Theme, judged: JudgedEpisode) -> _Extent:
    episode = judged.episode
    begin = max(episode.onset, trend.start)
    end = max(min(episode.ended_at or trend.end, trend.end), begin + trend.width)
    return _Extent(
        x0=theme.local(begin),
        x1=theme.local(end),
        panel=PANELS.get(judged_signal(judged.basis) or ""),
        near_right=begin - trend.start > (trend.end - trend.start) * 0.7,
    )


def _episode_shapes(trend: Trend, theme: Theme, judged: JudgedEpisode) -> list[dict[str, Any]]:
    extent, mark = _extent(trend, theme, judged), MARKS[judged.episode.peak]
    labelled = len(trend.episodes) <= MAX_LABELS
    text = f"{mark} {episode_title(judged.episode).rstrip('.')}" if labelled else mark
    color = theme.priority(judged.episode.peak)
    shapes = [_shaded_time(extent, color), _onset_line(extent, theme, color=color, text=text)]
    if extent.panel is not None:
        shapes += _judged_by(extent, theme, judged)
    return shapes


def _shaded_time(extent: _Extent, color: str) -> dict[str, Any]:
    return {
        "type": "rect",
        **extent.full_height,
        "x0": extent.x0,
        "x1": extent.x1,
        "layer": "below",
        "fillcolor": color,
        "opacity": 0.16,
        "line": {"width": 0},
    }


def _onset_line(extent: _Extent, theme: Theme, *, color: str, text: str) -> dict[str, Any]:
    """A line at the onset, with the episode's name."""
    return {
        "type": "line",
        **extent.full_height,
        "x0": extent.x0,
        "x1": extent.x0,
        "line": {"color": color, "width": 1.5},
        "label": {
            "text": text,
            "textposition": "end",
            "textangle": 0,
            "xanchor": "right" if extent.near_right else "left",
            "yanchor": "top",
            "font": {"size": 11, "color": theme.ink},
            "padding": 2,
        },
    }


def _figure(basis: Basis, *path: str) -> float | None:
    """The figure of a number of the evidence that has the unit of its signal."""
    known = shown_number(basis.evidence, *path)
    return None if known is None else figures.figure(judged_signal(basis) or "", known)


def _judged_by(extent: _Extent, theme: Theme, judged: JudgedEpisode) -> Iterator[dict[str, Any]]:
    """The usual range and the limit that the detector used."""
    place = {"x0": extent.x0, "x1": extent.x1, "xref": "x", "yref": extent.panel}
    low, high = (_figure(judged.basis, "baseline", key) for key in ("low", "high"))
    if low is not None and high is not None:
        yield {
            "type": "rect",
            **place,
            "y0": low,
            "y1": high,
            "fillcolor": "rgba(0,0,0,0)",
            "line": {"color": theme.muted, "width": 1, "dash": "dot"},
        }
    limit = _figure(judged.basis, "limit")
    if limit is not None:
        color = theme.priority(judged.episode.peak)
        yield {
            "type": "line",
            **place,
            "y0": limit,
            "y1": limit,
            "line": {"color": color, "width": 2, "dash": "dash"},
        }
