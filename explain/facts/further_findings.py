"""What else an event's evidence names, as one list: further findings that are told within its
episode, and the signals that make up a score.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from explain import tables
from explain.facts import speech
from explain.facts.evidence import number
from explain.facts.speech import Said
from explain.facts.units import UNITS

MOST_PARTS = 4
MOST_SIGNALS = 3


def parts(evidence: Mapping[str, Any]) -> Said | None:
    """The further findings, the most urgent first; those of kinds that the tables know."""
    listed = evidence.get("parts")
    if not isinstance(listed, list):
        return None
    known = tables.words("en")["parts"]
    told: list[str] = []
    for part in listed:
        kind = part.get("kind") if isinstance(part, Mapping) else None
        if isinstance(kind, str) and kind in known:
            told += (kind, *_figure(part))
    return (speech.PARTS, *told[: 3 * MOST_PARTS]) if told else None


def contributors(evidence: Mapping[str, Any]) -> Said | None:
    """What a score is made of, the largest share first."""
    shares = evidence.get("contributions")
    if not isinstance(shares, Mapping):
        return None
    known = {name: number(shares, name) or 0.0 for name in tables.words("en")["signals"]}
    ranked = sorted((-share, name) for name, share in known.items() if share > 0)
    return (speech.SIGNALS, *(name for _, name in ranked[:MOST_SIGNALS])) if ranked else None


def _figure(part: Mapping[str, Any]) -> tuple[str, str]:
    """A finding's unit and figure; both empty where it has none that can be true."""
    signal = part.get("signal")
    if not isinstance(signal, str) or signal not in UNITS:
        return "", ""
    figure = UNITS[signal].figure(number(part, "value"))
    return ("", "") if figure is None else (signal, figure)
