"""Reads numbers from an event's evidence, where they are what they should be.

Evidence is written by detectors, this version's and others', so every key may be absent or of
another type. What is not a plain finite number does not exist here; nothing is ever guessed.
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


def within(value: float | None, lowest: float, highest: float) -> float | None:
    """The value if it lies in the range, else None.

    >>> within(118.0, 20, 300), within(1180.0, 20, 300)
    (118.0, None)
    """
    return value if value is not None and lowest <= value <= highest else None
