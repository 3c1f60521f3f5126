"""River objects as bytes, and back, without running what the bytes name.

River's estimators have no plain form, so a plug-in's state is a pickle. It comes back from a
database, and a pickle can name any function; so only classes of river's own modules, and the few of
the standard library that they are made of, can be named. Of functions, two: river's distance, and a
method bound to a river object.
"""

from __future__ import annotations

import io
import pickle
from importlib import import_module
from typing import Any

from river.base import Base

MODULES = (
    "river._river_rust.",
    "river.anomaly.",
    "river.base.",
    "river.compose.",
    "river.drift.",
    "river.feature_extraction.",
    "river.linear_model.",
    "river.neighbors.",
    "river.optim.",
    "river.preprocessing.",
    "river.proba.",
    "river.sketch.",
    "river.stats.",
    "river.time_series.",
    "river.tree.",
    "river.utils.",
)
PLAIN = {
    "builtins": {"tuple", "list", "dict", "set", "frozenset", "float", "int", "bool", "str"},
    "collections": {"deque", "defaultdict", "OrderedDict", "Counter"},
    "functools": {"partial"},
    "random": {"Random"},
}
DISTANCE = ("river._river_rust.vectordict", "euclidean_distance_tuple")


def dumps(model: Any) -> bytes:
    """The bytes of a model."""
    return pickle.dumps(model, protocol=5)


def loads(data: bytes) -> Any:
    """The model again.

    Raises:
        ValueError: the bytes are no pickle, or name what a model is not made of.
    """
    try:
        return _Reader(io.BytesIO(data)).load()
    except Exception as error:  # whatever a broken pickle does
        raise ValueError(f"not a model: {type(error).__name__}") from error


class _Reader(pickle.Unpickler):
    """Admits what models are made of."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _method
        if name in PLAIN.get(module, ()):
            return getattr(import_module(module), name)
        if module.startswith(MODULES) and "." not in name and not name.startswith("__"):
            found = getattr(import_module(module), name)
            own = isinstance(found, type) and found.__module__.startswith(("river.", "builtins"))
            if own or (module, name) == DISTANCE:
                return found
        raise pickle.UnpicklingError(f"{module}.{name} is not admitted")


def _method(owner: Any, name: str) -> Any:
    """A method bound to a river object: all that river's pickles ask ``getattr`` for."""
    if not isinstance(owner, Base) or name.startswith("__"):
        raise pickle.UnpicklingError(f"getattr of {name} is not admitted")
    found = getattr(owner, name)
    if getattr(found, "__self__", None) is not owner:
        raise pickle.UnpicklingError(f"{name} is no method")
    return found
