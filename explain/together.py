"""What else an event's evidence names, as one list in words: further findings that are told within
its episode, and the signals that make up a score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from explain.evidence import number
from vigil.model import Event

Words = Mapping[str, Any]
Say = Callable[[str, float, Words], str | None]
"""A quantity's value with its unit, or None where it cannot be true."""
MOST_PARTS = 4
MOST_SIGNALS = 3


def parts(event: Event, words: Words, say: Say) -> str | None:
    """``shock index high, 1.20; mean arterial pressure low, 58 mmHg``: the most urgent first."""
    told = [text for part in _parts(event) if (text := _part(part, words, say)) is not None]
    return "; ".join(told[:MOST_PARTS]) or None


def contributors(event: Event, words: Words) -> str | None:
    """``breathing, heart rate``: what a score is made of, the largest share first."""
    shares = event.evidence.get("contributions")
    if not isinstance(shares, Mapping):
        return None
    known = {name: number(shares, name) or 0.0 for name in words["signals"]}
    ranked = sorted((-share, name) for name, share in known.items() if share > 0)
    return ", ".join(words["signals"][name] for _, name in ranked[:MOST_SIGNALS]) or None


def _parts(event: Event) -> Iterator[Mapping[str, Any]]:
    listed = event.evidence.get("parts")
    if isinstance(listed, list):
        yield from (part for part in listed if isinstance(part, Mapping))


def _part(part: Mapping[str, Any], words: Words, say: Say) -> str | None:
    """One finding, with its value where it has one; None: a kind that the tables do not know."""
    kind, signal = part.get("kind"), part.get("signal")
    name = words["parts"].get(kind) if isinstance(kind, str) else None
    if name is None:
        return None
    value = number(part, "value")
    figure = say(signal, value, words) if isinstance(signal, str) and value is not None else None
    return str(name) if figure is None else f"{name}, {figure}"
