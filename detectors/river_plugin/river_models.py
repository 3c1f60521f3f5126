"""River objects from a configuration's tables.

A table ``{detector = "river.module.Class", parameters = {…}, transform = […]}`` makes one object;
in ``parameters`` any value that is such a table is made first, and so on down. Where a class takes
a ``seed`` and none is given it is 0: the same log must give the same events.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from river import base, compose

JUDGES = ("river.anomaly", "river.drift", "river.drift.binary")
"""Modules of the detectors themselves."""
PARTS = (
    *JUDGES,
    "river.feature_extraction",
    "river.linear_model",
    "river.neighbors",
    "river.optim",
    "river.optim.initializers",
    "river.optim.losses",
    "river.optim.schedulers",
    "river.preprocessing",
    "river.proba",
    "river.stats",
    "river.time_series",
    "river.utils",
)
"""Modules of what they may be made of."""
FILTER = base.AnomalyFilter
ANOMALY = (base.AnomalyDetector, base.SupervisedAnomalyDetector, FILTER)
BINARY = base.BinaryDriftDetector
DRIFT = (base.DriftDetector, BINARY)


def build(path: str, parameters: Mapping[str, Any], transform: Sequence[Any] = ()) -> Any:
    """A detector, behind its transformers if it has any.

    Raises:
        ValueError: what the table must hold instead.
    """
    found = _class(path, JUDGES)
    if not issubclass(found, (*ANOMALY, *DRIFT)):
        raise ValueError(f"{path} is no anomaly or drift detector")  # noqa: TRY004
    if transform and issubclass(found, DRIFT):
        raise ValueError("a drift detector takes no `transform`")
    return _behind(transform, _make(path, found, parameters))


def last_of(model: Any) -> Any:
    """The detector itself, past its transformers."""
    return list(model.steps.values())[-1] if isinstance(model, compose.Pipeline) else model


def _behind(transform: Sequence[Any], model: Any) -> Any:
    steps = [_part({"detector": one} if isinstance(one, str) else one) for one in transform]
    if not all(isinstance(step, base.Transformer) for step in steps):
        raise ValueError("`transform` lists river transformers, as river.preprocessing has them")
    return compose.Pipeline(*steps, model) if steps else model


def _part(table: Any) -> Any:
    """A nested object, or the value as it is."""
    if isinstance(table, Mapping):
        if "detector" not in table:
            return {key: _part(value) for key, value in table.items()}
        unknown = set(table) - {"detector", "parameters", "transform"}
        if unknown:
            raise ValueError(f"a nested table has no {', '.join(sorted(unknown))}")
        path = table["detector"]
        model = _make(path, _class(path, PARTS), table.get("parameters", {}))
        return _behind(table.get("transform", ()), model)
    return [_part(value) for value in table] if isinstance(table, (list, tuple)) else table


def _class(path: Any, modules: tuple[str, ...]) -> type:
    module, _, name = str(path).rpartition(".")
    if module not in modules:
        raise ValueError(f"{path!r} is not a class of {', '.join(modules[:3])}")
    found = getattr(import_module(module), name, None)
    if not isinstance(found, type) or name.startswith("_"):
        known = [one for one in import_module(module).__all__ if one[0].isupper()]
        raise ValueError(f"{path!r} is not known. Known: {', '.join(known)}")
    return found


def _make(path: str, found: type, parameters: Any) -> Any:
    if not isinstance(parameters, Mapping):
        raise ValueError("`parameters` is a table")  # noqa: TRY004
    takes = inspect.signature(found).parameters
    for name in parameters:
        if name not in takes:
            raise ValueError(f"{path} has no parameter {name!r}. It has: {', '.join(takes)}")
    made = {name: _part(value) for name, value in parameters.items()}
    if "seed" in takes:
        made.setdefault("seed", 0)
    try:
        return found(**made)
    except Exception as error:  # river checks its parameters each in its own way
        raise ValueError(f"{path} cannot be made so: {error}") from error
