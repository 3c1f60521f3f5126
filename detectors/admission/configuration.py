"""What is let through to the detectors."""

from __future__ import annotations

from detectors.configuration_section import Count, Positive, Seconds, Section, Share


class Stuck(Section, frozen=True):
    """A value repeated exactly for both so many readings and so long is a stuck sensor.

    Before that, from ``unproven_readings`` over ``unproven_seconds`` on, the repetition is neither
    judged nor learned: nobody can know yet whether anything is measured.
    """

    readings: Count
    seconds: Seconds
    unproven_readings: Count = 3
    unproven_seconds: Seconds = 120.0
    unproven_interval_seconds: Positive = 1200.0
    """Only where the readings follow each other so closely; slower, rounded values repeat by
    chance."""
    extreme_below: float = 50.0
    extreme_above: float = 110.0
    """From these on a value would soon be an alarm if it moved: that it does not is announced
    sooner."""
    extreme_readings: Count = 10
    extreme_seconds: Seconds = 600.0
    enabled: bool = True


class Jump(Section, frozen=True):
    """A step larger than ``change``, both from the last reading and from the mean of the last few,
    within ``seconds`` of the last waits for a reading that agrees."""

    change: Positive
    seconds: Seconds
    share: Share = 1.0
    """Of the last reading: a step larger than it is too large where it is less than ``change``."""
    enabled: bool = True


class AdmissionConfig(Section, frozen=True):
    """What is let through to the detectors."""

    clock_tolerance_seconds: Seconds
    clock_oldest_seconds: Positive
    contact_seconds: Seconds
    fault_readings: Count
    fault_clear_seconds: Seconds
    pulse_pressure_least: Positive
    pulse_pressure_most: Positive
    confirm_seconds: Positive
    repeat_seconds: Seconds
    """An exactly equal pressure within so long of the last is the same measurement again."""
    motion_jumps: Count
    motion_seconds: Positive
    flat_seconds: Positive
    stuck: dict[str, Stuck]
    jump: dict[str, Jump]
