"""Reads numbers from an event's evidence, where they have the expected type.

Evidence is written by detectors, this version's and others', so every key may be absent or of
another type. Anything but a plain finite number is treated as absent; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vigil.values.numbers import finite_number


def number(evidence: Mapping[str, Any], *path: str) -> float | None:
    """The number at a path of keys, or None.

    >>> number({"baseline": {"median": 72}}, "baseline", "median")
    72.0
    >>> number({"baseline": "72"}, "baseline", "median") is None
    True
    """
    node: Any = evidence
    for key in path:
        if not isinstance(node, dict):  # as JSON decodes to; quicker than asking for a Mapping
            return None
        node = node.get(key)
    return finite_number(node)


def within_range(value: float | None, lowest: float, highest: float) -> float | None:
    """The value if it lies in the range, else None.

    >>> within_range(118.0, 20, 300), within_range(1180.0, 20, 300)
    (118.0, None)
    """
    return value if value is not None and lowest <= value <= highest else None
