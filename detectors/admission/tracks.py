"""What admission remembers of one signal: the last values, and one that is held back."""

from __future__ import annotations

from typing import Literal

from detectors.admission.configuration import Jump, Stuck
from vigil.domain.figures import is_same
from vigil.domain.reading import Measurement

RECENT_WEIGHT = 0.25
"""Of the newest value in the mean of the last few."""


Number = tuple[str, int]
"""A device and its own number of a measurement (``sequence``): numbers of two devices mean nothing
to each other."""


def number_of(device: str, measurement: Measurement) -> Number | None:
    """A device's own number of a measurement; None: it gives none."""
    return None if measurement.sequence is None else (device, measurement.sequence)


class Track:
    """What is remembered of one signal. Saved as the list of its fields, in order
    (``detectors.engine.state``).

    Args:
        value: the last value let through.
        time: when it was measured.
        since: when it was first seen in the present run of equal ones.
        mean: of the last few values let through; None: not known.
        sequence: the device's number of the measurement that the last or the held value is of;
            without the device in a state of before.
    """

    __slots__ = (
        "equal",
        "held_value",
        "jumped",
        "jumps",
        "mean",
        "repeated",
        "sequence",
        "since",
        "time",
        "value",
    )

    def __init__(
        self,
        value: float,
        time: float,
        since: float,
        mean: float | None = None,
        sequence: int | Number | None = None,
    ):
        self.value = value
        self.time = time
        self.since = since
        self.equal = 1
        """How many equal values there are in the present run."""
        self.held_value: float | None = None
        """A value held back because it stepped too far."""
        self.mean = mean
        self.jumps = 0
        """Steps held back that followed each other within ``motion_seconds``."""
        self.jumped = 0.0
        """Time of the last of them, which is that of ``held_value``."""
        self.repeated = 0.0
        """When the last or the held value was last sent again, as no measurement of its own. Of a
        heart rate: when one was last measured beside a pressure that was sent again."""
        self.sequence = sequence

    def later_by(self, number: Number | None) -> int | None:
        """By how much a number is later than that of the last or the held value; None: numbers do
        not tell, as of another device or where there are none."""
        known = self.sequence
        if number is None or known is None:
            return None
        if isinstance(known, int):
            return number[1] - known
        return number[1] - known[1] if known[0] == number[0] else None

    def is_numbered_again(self, signal: str, value: float, number: Number | None) -> bool:
        """Whether a value is the last one, or the one held back, with that one's own number: the
        same measurement, sent again."""
        if self.later_by(number) != 0:
            return False
        return is_same(signal, self.value if self.held_value is None else self.held_value, value)

    def begin_run(self, time: float) -> None:
        """Begin a run of equal values anew with the value that is taken next: none came for so long
        that nobody knows whether it stood still."""
        self.since, self.equal = time, 0

    def take(self, value: float, time: float) -> None:
        """Remember a value that is let through."""
        if value != self.value:
            self.value = value
            self.begin_run(time)
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

    def release(self) -> None:
        """What was held back does not count: nothing is compared with it."""
        self.held_value, self.sequence, self.jumps = None, None, 0

    def far(self, value: float, time: float, jump: Jump) -> bool:
        """Whether a value stepped too far from the last one and from the last few."""
        share = jump.share * self.value
        change = share if share < jump.change else jump.change
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
        return "unproven"
