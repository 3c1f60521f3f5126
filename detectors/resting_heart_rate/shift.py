"""Have the nights shifted up? river's Page-Hinkley test over the nights of one person.

``river.drift.PageHinkley`` (Page, Biometrika 1954) adds up how far each value is above the mean of
the values so far, less ``delta``, and detects a change when the sum has risen by ``threshold``
above its lowest. Its values here are the distances of nights from the reference, in spreads and
clipped, so that no single night is enough. It finds a rise of a few beats that lasts for days,
which two nights alone do not show. Chosen over river's other drift detectors, at the same rate of
false episodes (``python -m benchmarks.detection river``).

The test is kept as plain numbers: river's object is made anew for each night, a few microseconds a
person a day, and goes on exactly where it was.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from river.drift import PageHinkley
from river.stats import Mean

from detectors.resting_heart_rate.configuration import RestingConfig

DETECTOR = "river.drift.PageHinkley"
NEVER = -1e12


class Shift(Struct, array_like=True):
    """What the test knows of one person's nights."""

    nights: float = 0.0
    """Nights since it began, or since it last detected a change."""
    mean: float = 0.0
    """Their mean distance from the reference, in spreads."""
    total: float = 0.0
    """The sum of what they are above that mean, fading."""
    least: float | None = None
    """The lowest that the sum has been."""
    score: float = 0.0
    """By how much the sum is above its lowest; of the newest night."""
    rising_since: float = NEVER
    """The end of the first night since the sum was at its lowest."""
    since: float = NEVER
    """Of the rise that was detected: the end of its first night."""
    raised_at: float = NEVER
    """When it was detected; before all times while no rise holds."""

    @property
    def raised(self) -> bool:
        """Whether a detected rise still holds."""
        return self.raised_at > NEVER

    def rest(self) -> None:
        """The rise is over, or adopted."""
        self.since = self.raised_at = NEVER

    def take(self, distance: float, ended: float, *, near: bool, settings: RestingConfig) -> bool:
        """Learn a night; return whether it completes a change.

        Args:
            distance: of the night from the reference, in spreads.
            ended: when the night was over.
            near: the night before is not too long ago; else the sum begins anew, since nobody
                knows what lay between.
        """
        test = _test(settings)
        if self.least is not None:
            test._x_mean = Mean._from_state(self.nights, self.mean)
            test._min_increase = self.least
            test._sum_increase = self.total if near else self.least
        test.update(distance)
        self.score = test._sum_increase - test._min_increase
        if self.score <= 0.0:
            self.rising_since = NEVER
        elif self.rising_since == NEVER:
            self.rising_since = ended
        if test.drift_detected:  # river begins anew with the next value
            self.nights, self.mean, self.total, self.least = 0.0, 0.0, 0.0, None
            return True
        self.nights, self.mean = test._x_mean.n, test._x_mean.get()
        self.total, self.least = test._sum_increase, test._min_increase
        return False


def basis(shift: Shift, settings: RestingConfig) -> dict[str, Any]:
    """The test as the evidence names it: which, with what parameters, and its score."""
    return {
        "name": DETECTOR,
        "parameters": _parameters(settings),
        "score": round(shift.score, 3),
        "limit": settings.shift_threshold,
    }


def _parameters(settings: RestingConfig) -> dict[str, Any]:
    return {
        "min_instances": settings.ready_nights,
        "delta": settings.shift_delta,
        "threshold": settings.shift_threshold,
        "alpha": settings.shift_alpha,
        "mode": "up",
    }


def _test(settings: RestingConfig) -> PageHinkley:
    return PageHinkley(**_parameters(settings))
