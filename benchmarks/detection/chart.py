"""Sensitivity over false alerts as a small SVG that reads well on light and on dark pages."""

from __future__ import annotations

from html import escape
from math import sqrt

from benchmarks.detection.report import Chart, Curve

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 58, 196, 44, 50
TICKS_X = (0.0, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
COLOURS = (
    "#0f766e", "#c2410c", "#2563eb", "#a21caf", "#64748b", "#b45309", "#15803d", "#be123c",
    "#0891b2", "#7c3aed", "#4d7c0f", "#92400e",
)  # fmt: skip
"""Each at least 3 to 1 against both white and #1b1f24; shapes tell lines apart as well."""
DASHES = ("", "6 3", "2 3", "8 3 2 3")
MOST = TICKS_X[-1]
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#57606a}.t{font-size:14px;font-weight:600}"
    ".a{stroke:#8c959f;stroke-width:1}.g{stroke:#8c959f;stroke-width:.5;opacity:.4}"
    "@media(prefers-color-scheme:dark){text{fill:#adbac7}}"
)


def svg(chart: Chart) -> str:
    """The picture. Vigil is the first curve and the thick one."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(chart.title, quote=True)}">',
        f"<style>{STYLE}</style>",
        f'<text class="t" x="{LEFT}" y="24">{escape(chart.title)}</text>',
        *_grid(),
    ]
    for place, curve in enumerate(chart.curves):
        parts += _curve(curve, place)
    return "\n".join([*parts, "</svg>", ""])


def x_of(rate: float) -> float:
    """Square root: the low rates, which matter, get room."""
    share = sqrt(min(max(rate, 0.0), MOST) / MOST)
    return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)


def y_of(sensitivity: float) -> float:
    """From the bottom, 0, to the top, 1."""
    return round(HEIGHT - BOTTOM - sensitivity * (HEIGHT - TOP - BOTTOM), 1)


def _grid() -> list[str]:
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for tick in TICKS_X:
        x = x_of(tick)
        parts.append(f'<line class="g" x1="{x}" y1="{TOP}" x2="{x}" y2="{bottom}"/>')
        parts.append(f'<text x="{x}" y="{bottom + 17}" text-anchor="middle">{tick:g}</text>')
    for tenth in range(0, 11, 2):
        y = y_of(tenth / 10)
        parts.append(f'<line class="g" x1="{LEFT}" y1="{y}" x2="{right}" y2="{y}"/>')
        label = f"{tenth / 10:g}"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{label}</text>')
    middle = (LEFT + right) / 2
    parts.append(
        f'<text x="{middle}" y="{HEIGHT - 12}" text-anchor="middle">'
        "false alert episodes per patient-day</text>"
    )
    across = f'transform="rotate(-90 16 {HEIGHT / 2})" text-anchor="middle"'
    parts.append(f'<text x="16" y="{HEIGHT / 2}" {across}>sensitivity</text>')
    return parts


def _curve(curve: Curve, place: int) -> list[str]:
    colour = COLOURS[place % len(COLOURS)]
    dash = DASHES[place % len(DASHES)]
    width = 3 if place == 0 else 1.5
    points = [(x_of(rate), y_of(share)) for rate, share in sorted(curve.points) if rate <= MOST]
    line = " ".join(f"{x},{y}" for x, y in points)
    style = f'stroke="{colour}" stroke-width="{width}" stroke-dasharray="{dash}"'
    y = TOP + 14 + 19 * place
    x = WIDTH - RIGHT + 14
    return [
        f'<polyline fill="none" {style} points="{line}"/>',
        *(f'<circle cx="{a}" cy="{b}" r="{width}" fill="{colour}"/>' for a, b in points),
        f'<line x1="{x}" y1="{y - 4}" x2="{x + 22}" y2="{y - 4}" {style}/>',
        f'<text x="{x + 28}" y="{y}">{escape(curve.name)}</text>',
    ]
