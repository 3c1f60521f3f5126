"""What is remembered of how a patient's signals go together."""

from __future__ import annotations

from msgspec import Struct


class Together(Struct, array_like=True):
    """What is remembered of a patient."""

    latest: dict[str, list[float]] = {}
    """Signal → time and residual of its latest value."""
    products: dict[str, list[float]] = {}
    """``heart_rate*systolic`` → fading mean of the product, and readings that it rests on."""
    first: float = 0.0
    learned: float = -1e12
    readings: int = 0
