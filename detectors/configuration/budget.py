"""How many alarms are few enough, and how far a limit may be moved to get there."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from detectors.configuration_section import Positive, Section


class Bound(Section, frozen=True):
    """How far one figure may be proposed to move, and by how much at once."""

    furthest: float
    step: Positive


class Bounds(Section, frozen=True):
    """Figures that a proposal may loosen. What has no bound is never proposed."""

    limits: dict[str, dict[str, Bound]]
    """Limit → ``above``, ``below``, ``clear``, ``seconds`` or ``unknown_seconds`` → its bound."""
    unusual: dict[str, dict[str, Bound]]
    """Signal of the personal baseline → one of its figures → its bound."""


class Budget(Section, frozen=True):
    """Alarms per patient-day that a ward, and one patient, should not go beyond.

    Every clinical alarm counts, high priority too; but only medium and low ones are ever proposed
    to be announced later or not at all, and only a person can approve that.
    """

    alarms_per_patient_day: Positive
    """Of a ward's patients together."""
    alarms_per_patient_day_of_one: Positive
    """Of any one patient."""
    least_patient_days: Annotated[float, Meta(ge=0)]
    """Patient-days below which nothing is judged: chance alone would decide."""
    bounds: Bounds
