"""Every pair of ink and ground on the board reaches WCAG 2.2 AA, in light and in dark."""

from __future__ import annotations

import re

import pytest

from dashboard.patient.chart_theme import DARK, LIGHT
from dashboard.shell.templating import STATIC

TEXT, PARTS = 4.5, 3.0
GROUNDS = ("ground", "surface", "high-tint", "medium-tint", "low-tint")
PAIRS = [
    *((ink, ground, TEXT) for ink in ("ink", "muted", "accent") for ground in GROUNDS),
    ("on-accent", "accent", TEXT),
    ("on-high", "high", TEXT),
    ("on-medium", "medium", TEXT),
    ("on-low", "low", TEXT),
    ("warn-ink", "warn-ground", TEXT),
    ("surface", "ink", TEXT),
    ("ground", "ink", TEXT),
    *(("control", ground, PARTS) for ground in ("ground", "surface")),
    *((edge, "surface", PARTS) for edge in ("high", "edge-medium", "edge-low", "good", "accent")),
]


def tokens() -> dict[str, dict[str, str]]:
    """Scheme → token → colour, as ``tokens.css`` has them."""
    css = (STATIC / "tokens.css").read_text()
    light, dark = css.split("@media (prefers-color-scheme: dark)")
    found = [dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", part)) for part in (light, dark)]
    return {"light": found[0], "dark": {**found[0], **found[1]}}


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    bright, dim = sorted((luminance(one), luminance(two)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def test_black_on_white_is_21() -> None:
    assert round(contrast("#000000", "#ffffff")) == 21


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("ink", "ground", "least"), PAIRS)
def test_contrast(scheme: str, ink: str, ground: str, least: float) -> None:
    palette = tokens()[scheme]
    assert contrast(palette[ink], palette[ground]) >= least


@pytest.mark.parametrize(("scheme", "look"), [("light", LIGHT), ("dark", DARK)])
def test_lines_of_the_chart_stand_out(scheme: str, look: object) -> None:
    surface = tokens()[scheme]["surface"]
    for name in ("ink", "muted"):
        assert contrast(getattr(look, name), surface) >= TEXT
    for name in ("heart_rate", "systolic", "diastolic", "high", "medium", "low"):
        assert contrast(getattr(look, name), surface) >= PARTS
