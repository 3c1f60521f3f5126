"""Reads what else the evidence of an event names: further findings announced within its episode,
and the signals that make up a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explain import tables
from explain.facts.evidence import number
from explain.facts.slot_formatting import PARTS, SIGNALS, SlotValue
from explain.facts.units import UNITS

MAX_PARTS = 4
MAX_SIGNALS = 3


def read_parts(evidence: Mapping[str, Any]) -> SlotValue | None:
    """The further findings that hold, the most urgent first, of kinds that the tables know."""
    listed = evidence.get("parts")
    if not isinstance(listed, list):
        return None
    known = tables.words("en")["parts"]
    rows: list[str] = []
    for part in listed:
        kind = part.get("kind") if isinstance(part, Mapping) else None
        if isinstance(kind, str) and kind in known and part.get("within_limits") is not True:
            rows += (kind, *_figure(part))
    return (PARTS, *rows[: 3 * MAX_PARTS]) if rows else None


def read_contributors(evidence: Mapping[str, Any]) -> SlotValue | None:
    """What a score is made of, the largest share first."""
    shares = evidence.get("contributions")
    if not isinstance(shares, Mapping):
        return None
    known = {name: number(shares, name) or 0.0 for name in tables.words("en")["signals"]}
    ranked = sorted((-share, name) for name, share in known.items() if share > 0)
    return (SIGNALS, *(name for _, name in ranked[:MAX_SIGNALS])) if ranked else None


def _figure(part: Mapping[str, Any]) -> tuple[str, str]:
    """A finding's unit and figure; both empty where it has none that can be true."""
    signal = part.get("signal")
    if not isinstance(signal, str) or signal not in UNITS:
        return "", ""
    figure = UNITS[signal].figure(number(part, "value"))
    return ("", "") if figure is None else (signal, figure)
