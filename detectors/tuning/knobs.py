"""The figures that a proposal may loosen, and how far: never a high-priority rule's.

Each figure goes one way only, to where fewer alarms are made: a limit away from the normal, a
delay up, a hysteresis wider. A limit is not moved out of force. The end of an episode belongs to
its kind, so a hysteresis is left alone where the kind has a high-priority limit too: a wider one
could make one episode of two, and the second would not be announced at high priority anew.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import floor
from typing import Any

from detectors.configuration.budget import Bound
from detectors.configuration.checks import BOUND_UNUSUAL
from detectors.configuration.patient import PatientConfig
from detectors.limits.configuration import Limit


@dataclass(frozen=True, slots=True)
class Knob:
    """One figure of the configuration and the values that it may be given."""

    path: tuple[str, ...]
    """As in ``("limits", "heart_rate_high", "above")``."""
    kind: str
    """The kind of alarm that it makes fewer."""
    present: float
    rungs: tuple[float, ...]
    """Looser values, the nearest first; the last one is the bound."""


def knobs(config: PatientConfig) -> list[Knob]:
    """Every figure that may be loosened, in the order of the bounds."""
    return [*_limits(config), *_unusual(config)]


def _limits(config: PatientConfig) -> Iterator[Knob]:
    kinds = {
        limit.kind for limit in config.limits.values() if limit.enabled and limit.priority == "high"
    }
    for name, bounds in config.budget.bounds.limits.items():
        limit = config.limits.get(name)
        if limit is None or not limit.enabled or limit.priority == "high":
            continue
        for key, bound in bounds.items():
            if key == "clear" and limit.kind in kinds:
                continue
            yield from _knob(
                ("limits", name, key), limit.kind, row=limit, way=_way(limit, key), bound=bound
            )


def _unusual(config: PatientConfig) -> Iterator[Knob]:
    for name, bounds in config.budget.bounds.unusual.items():
        usual = config.baseline.signals.get(name)
        if usual is None or not usual.enabled:
            continue
        for key, bound in bounds.items():
            way = 1 if key in BOUND_UNUSUAL else 0
            path = ("baseline", "signals", name, key)
            yield from _knob(path, usual.kind, row=usual, way=way, bound=bound)


def _way(limit: Limit, key: str) -> int:
    """Which way makes fewer alarms; 0: none, it is no such figure."""
    if key == "clear":
        return -1 if limit.above is not None else 1
    return {"above": 1, "below": -1, "seconds": 1, "unknown_seconds": 1}.get(key, 0)


def _knob(path: tuple[str, ...], kind: str, row: Any, way: int, bound: Bound) -> Iterator[Knob]:
    present = getattr(row, path[-1], None)
    if way == 0 or not isinstance(present, float | int):
        return
    room = (bound.furthest - present) * way
    if room <= 0:
        return
    whole = floor(room / bound.step + 1e-9)
    rungs = [round(present + way * bound.step * n, 6) for n in range(1, whole + 1)]
    rungs = [rung for rung in rungs if (bound.furthest - rung) * way > 1e-6]
    rungs.append(bound.furthest)
    yield Knob(path=path, kind=kind, present=float(present), rungs=tuple(rungs))


def with_values(
    own: Mapping[str, Any], where: tuple[str, ...], values: Mapping[tuple[str, ...], float]
) -> dict[str, Any]:
    """An operator's tables with figures set below ``where``; nothing given is changed.

    >>> with_values({"a": {"b": 1}}, ("wards", "w"), {("limits", "x", "above"): 130.0})
    {'a': {'b': 1}, 'wards': {'w': {'limits': {'x': {'above': 130.0}}}}}
    """
    result = dict(own)
    for path, value in values.items():
        table = result
        *tables, key = (*where, *path)
        for name in tables:
            table[name] = dict(table.get(name, {}))
            table = table[name]
        table[key] = value
    return result
