"""The colours of a patient's chart, and the reader's time zone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from vigil.values import time_zones


@dataclass(frozen=True, slots=True, kw_only=True)
class Theme:
    """Colours as CSS writes them, and the reader's time zone."""

    ink: str
    muted: str
    grid: str
    heart_rate: str
    systolic: str
    diastolic: str
    band: str
    """From the lowest to the highest heart rate of a bucket."""
    middle: str
    """From the 10th to the 90th percentile."""
    high: str
    medium: str
    low: str
    zone: ZoneInfo | None = None
    """None: UTC."""

    def local(self, time: datetime) -> str:
        """A time on the axis: the reader's local time, without a zone."""
        return time.astimezone(self.zone or UTC).strftime("%Y-%m-%d %H:%M:%S")

    def priority(self, name: str) -> str:
        """The colour of a priority."""
        return str(getattr(self, name))


LIGHT = Theme(
    ink="#14202b",
    muted="#51606e",
    grid="#e1e7ed",
    heart_rate="#0b5cad",
    systolic="#5b2d9e",
    diastolic="#1f7a5c",
    band="rgba(11,92,173,0.13)",
    middle="rgba(11,92,173,0.24)",
    high="#b3141d",
    medium="#a87900",
    low="#0b7f93",
)
DARK = Theme(
    ink="#e6edf3",
    muted="#9fb0bf",
    grid="#2a3641",
    heart_rate="#6cb2ff",
    systolic="#c3a1ff",
    diastolic="#5fd0a5",
    band="rgba(108,178,255,0.16)",
    middle="rgba(108,178,255,0.28)",
    high="#ff6b70",
    medium="#ffd60a",
    low="#3fd0e6",
)


def theme_for(name: str, zone: str) -> Theme:
    """The theme of a browser.

    Args:
        name: its colour scheme; anything but ``dark`` is light.
        zone: its IANA time zone; an unknown one is UTC.
    """
    return replace(DARK if name == "dark" else LIGHT, zone=time_zones.find(zone))
