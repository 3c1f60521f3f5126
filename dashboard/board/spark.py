"""A sparkline as inline SVG: cheap on the server, no script in the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import Markup

from vigil.domain import figures

WIDTH, HEIGHT, PAD = 132, 32, 3
LEAST_SPAN = 30.0
"""Smallest range of the axis, beats a minute, so that a steady line looks steady."""


def _runs(points: Mapping[int, float], slices: int) -> list[list[tuple[int, float]]]:
    """Adjacent points, grouped: a line is never drawn across a gap."""
    runs: list[list[tuple[int, float]]] = []
    for index in range(slices):
        if index not in points:
            continue
        if runs and runs[-1][-1][0] == index - 1:
            runs[-1].append((index, points[index]))
        else:
            runs.append([(index, points[index])])
    return runs


def sparkline(points: Mapping[int, float], slices: int, label: str) -> Markup:
    """The line of one patient's newest hours.

    Args:
        points: slice → mean value; a slice without readings is absent.
        slices: how many there are from left to right.
        label: the text for screen readers, before the lowest and highest value.
    """
    if not points:
        return Markup('<span class="muted">no readings</span>')
    low, high = min(points.values()), max(points.values())
    middle, span = (low + high) / 2, max(high - low, LEAST_SPAN)
    bottom = middle - span / 2

    def xy(point: tuple[int, float]) -> str:
        x = PAD + point[0] / max(1, slices - 1) * (WIDTH - 2 * PAD)
        y = HEIGHT - PAD - (point[1] - bottom) / span * (HEIGHT - 2 * PAD)
        return f"{x:.1f},{y:.1f}"

    runs = _runs(points, slices)
    lines = Markup("").join(_run([xy(point) for point in run]) for run in runs)
    x, y = xy(runs[-1][-1]).split(",")
    return Markup(
        '<svg class="spark" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img"'
        ' aria-label="{label}, {low} to {high}">{lines}'
        '<circle cx="{x}" cy="{y}" r="2.6"/></svg>'
    ).format(
        w=WIDTH,
        h=HEIGHT,
        label=label,
        low=figures.text("heart_rate", low),
        high=figures.text("heart_rate", high),
        lines=lines,
        x=x,
        y=y,
    )


def _run(spots: Sequence[str]) -> Markup:
    if len(spots) == 1:
        x, y = spots[0].split(",")
        return Markup('<circle class="lone" cx="{}" cy="{}" r="1.4"/>').format(x, y)
    return Markup('<polyline points="{}"/>').format(" ".join(spots))
