"""A backtest's report as one HTML file: plots by plotly and the same in tables; nothing is fetched.

Equal reports give equal bytes. It adapts to light and dark, and the tables have everything where
scripts do not run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vigil.domain.kinds import KINDS, PRIORITY_ORDER
from vigil.values import bidi

if TYPE_CHECKING:
    from detectors.tuning.report import Changed, Listed, Report

PAGES = Path(__file__).with_name("pages")
PATIENTS_AT_MOST = 60
"""Patients in the timeline: those with the most differences."""
ROWS_AT_MOST = 500
"""Rows in each list; the JSON file has all."""
PATTERNS = {"high": "", "medium": "/", "low": "."}
"""Patterns of the bars: colour is never the only sign."""


def render_page(report: Report) -> str:
    """Render the file's text."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    environment = Environment(
        loader=FileSystemLoader(PAGES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        moment=moment, kind=label, later=later, bdi=bidi.element, isolated=bidi.isolated
    )
    figures = [bars(report), *([timeline(report)] if report.after else [])]
    return environment.get_template("backtest.html").render(
        report=report,
        plotly=get_plotlyjs(),
        figures=_script(figures),
        at_most=ROWS_AT_MOST,
        patients_at_most=PATIENTS_AT_MOST,
        differing=len(_differing(report)),
    )


def bars(report: Report) -> dict[str, Any]:
    """A plot of alarms per patient-day by kind and priority, before and after."""
    rates = [rate for rate in report.rates if rate.kind != "all"]
    kinds = list(dict.fromkeys(rate.kind for rate in rates))
    sides = ("before", "after") if report.after else ("before",)
    traces = []
    for priority in PRIORITY_ORDER:
        known = {rate.kind: rate for rate in rates if rate.priority == priority}
        points = [(kind, side) for kind in kinds if kind in known for side in sides]
        if not points:
            continue
        values = [getattr(known[kind], f"{side}_per_patient_day") for kind, side in points]
        traces.append(
            {
                "type": "bar",
                "orientation": "h",
                "name": f"{priority} priority",
                "x": values,
                "y": [[label(kind) for kind, _ in points], [side for _, side in points]],
                "marker": {"pattern": {"shape": PATTERNS[priority]}},
                "meta": priority,
                "hovertemplate": "%{x:.3f} per patient-day<extra>%{fullData.name}</extra>",
            }
        )
    height = 140 + 26 * len(kinds) * len(sides)
    return _figure("burden", traces, "alarms per patient-day", height, barmode="stack")


def timeline(report: Report) -> dict[str, Any]:
    """A plot of when each patient's alarms were gained, lost or changed."""
    shown = _differing(report)[:PATIENTS_AT_MOST]
    changed = [(c, c.after) for c in report.changed]
    marks: list[tuple[str, str, list[Listed], list[str]]] = [
        ("gained", "triangle-up", *_with_texts(report.gained)),
        ("lost", "triangle-down-open", *_with_texts(report.lost)),
        ("changed", "diamond-open", [a for _, a in changed], [_change(c) for c, _ in changed]),
    ]
    traces = []
    for name, symbol, alarms, texts in marks:
        kept = [(a, t) for a, t in zip(alarms, texts, strict=True) if a.patient_id in shown]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": f"{name} ({len(alarms)})",
                "meta": name,
                "x": [moment(alarm.announced_at) for alarm, _ in kept],
                "y": [alarm.patient_id for alarm, _ in kept],
                "text": [text for _, text in kept],
                "marker": {"symbol": symbol, "size": 11, "line": {"width": 2}},
                "hovertemplate": "%{y}, %{x}<br>%{text}<extra></extra>",
            }
        )
    span = [moment(report.counted.first), moment(report.counted.last)]
    layout = {
        "xaxis": {"title": {"text": "time of the alarm (UTC)"}, "automargin": True, "range": span},
        "showlegend": True,
        "yaxis": {
            "type": "category",
            "categoryorder": "array",
            "categoryarray": list(reversed(shown)),
            "automargin": True,
        },
    }
    return _figure("timeline", traces, "", 160 + 22 * len(shown), **layout)


def label(kind: str) -> str:
    """The label that the care team reads."""
    return "All kinds" if kind == "all" else KINDS[kind].label


def moment(time: Any) -> str:
    """A moment in UTC; nothing for none.

    >>> moment(None)
    ''
    """
    return time.strftime("%Y-%m-%d %H:%M:%S") if time is not None else ""


def later(seconds: float) -> str:
    """Format how much later something is.

    >>> later(-90), later(0), later(7200)
    ('1.5 min earlier', 'at the same time', '2 h later')
    """
    if not seconds:
        return "at the same time"
    size = abs(seconds)
    how = f"{size / 3600:.3g} h" if size >= 3600 else f"{size / 60:.3g} min"
    return f"{how} {'later' if seconds > 0 else 'earlier'}"


def _with_texts(alarms: Iterable[Listed]) -> tuple[list[Listed], list[str]]:
    kept = list(alarms)
    return kept, [f"{label(a.kind)}, {a.priority} priority" for a in kept]


def _change(change: Changed) -> str:
    one, two = change.before, change.after
    was = f"{label(one.kind)}, {one.priority}"
    now = f"{label(two.kind)}, {two.priority}"
    return f"{was}{'' if was == now else f' → {now}'}, {later(change.later_seconds)}"


def _differing(report: Report) -> list[str]:
    """Patients with differences, most first."""
    listed: tuple[Listed, ...] = report.gained + report.lost
    count = Counter(alarm.patient_id for alarm in listed)
    count.update(change.after.patient_id for change in report.changed)
    return sorted(count, key=lambda patient: (-count[patient], patient))


def _figure(
    name: str, traces: list[dict[str, Any]], title: str, height: int, **more: Any
) -> dict[str, Any]:
    layout: dict[str, Any] = {
        "height": height,
        "margin": {"l": 16, "r": 16, "t": 40, "b": 48},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"},
        "legend": {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "traceorder": "normal"},
        "xaxis": {"title": {"text": title}, "automargin": True},
        "yaxis": {"automargin": True, "autorange": "reversed"},
        **more,
    }
    return {"name": name, "traces": traces, "layout": layout}


def _script(what: Any) -> str:
    """JSON that no text in it can end a script with."""
    text = json.dumps(what, ensure_ascii=True, sort_keys=True)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
