"""Age, and which heart rates and shock indices are judged although the person is active."""

from __future__ import annotations

from typing import Literal

from detectors.configuration_section import Count, Positive, Seconds, Section, Steps

ADULT_ASSUMED = "adult_assumed"
"""In place of an age band where nobody gave one."""
Why = Literal["share_of_maximum", "duration", "low_pressure"]
"""Faster than any activity makes a heart, fast for longer than any activity lasts, or beside a
pressure that activity does not lower."""


class AgeConfig(Section, frozen=True):
    """Whose limits these are."""

    band: str
    """A file of ``detectors/configuration/ages``, or ``adult_assumed``."""
    heart_rate_maximum: Positive
    """Predicted from age: the fastest that exercise makes a heart, in beats a minute."""


class Exertion(Section, frozen=True):
    """A limit that holds at rest only, extended to the time in which the person is active."""

    extends: str
    """The limit: kind, priority and ``clear`` are its own, and so is the least that is beyond."""
    reason: Why
    seconds: Seconds
    """How long it must hold; never less than the limit asks for."""
    readings: Count
    share: Positive | None = None
    """Of the age-predicted maximum: from here on it is beyond. Of a heart rate, and only there."""
    steps_below: Steps | None = None
    """From so many steps a minute on, or where a device says ``active``, activity explains it."""
    systolic_to: Positive | None = None
    """Above so many mmHg activity explains it. Of a shock index only."""
    enabled: bool = True
