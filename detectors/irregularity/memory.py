"""What is remembered of how a patient's heart rate changes from reading to reading."""

from __future__ import annotations

from msgspec import Struct


class Steps(Struct, array_like=True):
    """What is remembered of the last minutes."""

    time: float = -1e12
    rate: float = 0.0
    total: float = 0.0
    weight: float = 0.0
