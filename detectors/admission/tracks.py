"""What admission remembers of one signal: the last values, and one that is held back."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from detectors.admission.configuration import Jump, Stuck

RECENT_WEIGHT = 0.25
"""Of the newest value in the mean of the last few."""


class Track(Struct, array_like=True):
    """What is remembered of one signal."""

    value: float
    time: float
    since: float
    """When ``value`` was first seen in the present run of equal ones."""
    equal: int = 1
    held_value: float | None = None
    """A value held back because it stepped too far."""
    mean: float | None = None
    """Of the last few values let through."""
    jumps: int = 0
    """Steps held back that followed each other within ``motion_seconds``."""
    jumped: float = 0.0
    """Time of the last of them, which is that of ``held_value``."""

    def take(self, value: float, time: float) -> None:
        """Remember a value that is let through."""
        if value != self.value:
            self.value, self.since, self.equal = value, time, 0
        self.time, self.held_value = time, None
        self.equal += 1
        mean = value if self.mean is None else self.mean
        self.mean = mean + RECENT_WEIGHT * (value - mean)

    def hold(self, value: float, time: float, motion_seconds: float) -> None:
        """Remember a step that waits, and how many followed each other."""
        self.held_value = value
        near = time - self.jumped <= motion_seconds
        self.jumps = self.jumps + 1 if near else 1
        self.jumped = time

    def confirm(self) -> None:
        """What was held back was true: it is the last value now."""
        if self.held_value is not None:
            self.value, self.since, self.equal = self.held_value, self.jumped, 1

    def far(self, value: float, time: float, jump: Jump) -> bool:
        """Whether a value stepped too far from the last one and from the last few."""
        change = min(jump.change, jump.share * self.value)
        if abs(value - self.value) <= change or time - self.time > jump.seconds:
            return False
        return self.mean is None or abs(value - self.mean) > change

    def agrees(self, value: float, time: float, jump: Jump) -> bool:
        """Whether a value is nearer to the one held back than to those before it."""
        if self.held_value is None or time - self.jumped > jump.seconds:
            return False
        return abs(value - self.held_value) <= abs(value - self.value)

    def repeats(self, time: float, stuck: Stuck) -> Literal["", "unproven", "stuck"]:
        """Whether a value has been the same for too long to be judged, or to be measured at all."""
        lasted = time - self.since
        if self.equal >= stuck.readings and lasted >= stuck.seconds:
            return "stuck"
        extreme = self.value <= stuck.extreme_below or self.value >= stuck.extreme_above
        if extreme and self.equal >= stuck.extreme_readings and lasted >= stuck.extreme_seconds:
            return "stuck"
        if self.equal < stuck.unproven_readings or lasted < stuck.unproven_seconds:
            return ""
        close = lasted <= stuck.unproven_interval_seconds * (self.equal - 1)
        return "unproven" if close else ""
