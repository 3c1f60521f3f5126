"""How one reading walks through the detectors of the tree that ``PYTHONPATH`` names.

Run as a program by :mod:`tests.support.structure`, also on trees of before. A patient is settled by
some readings; of the next one it counts the functions of ``detectors/`` that are entered while
``Engine.process`` works, and the deepest chain of them. Prints JSON.
"""

from __future__ import annotations

import json
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from importlib import import_module
from types import FrameType
from typing import Any

BEGIN = datetime(2026, 3, 2, tzinfo=UTC)


class Walk:
    """Counts calls into ``detectors/``."""

    def __init__(self) -> None:
        self.entered: set[tuple[str, str]] = set()
        self.depth = self.deepest = 0

    def profile(self, frame: FrameType, event: str, _given: Any) -> None:
        """For ``sys.setprofile``."""
        code = frame.f_code
        if event not in {"call", "return"} or "/detectors/" not in code.co_filename:
            return
        if event == "return":
            self.depth -= 1
            return
        self.depth += 1
        self.deepest = max(self.deepest, self.depth)
        self.entered.add((code.co_filename, code.co_qualname))


def main() -> None:
    """Settle a patient, then walk with the next reading."""
    parts = first_of("vigil.domain.reading", "vigil.model")
    engine = make_engine()

    def upload(minute: int) -> Any:
        time = BEGIN + timedelta(minutes=minute)
        values = {"heart_rate": 72.0 + minute % 5, "systolic": 124.0, "diastolic": 79.0}
        context = parts.Context("rest", None, None, None)
        item = parts.Measurement(f"r{minute}", time, values, context)
        return parts.Upload("p1", "d1", time + timedelta(seconds=1), (item,))

    for minute in range(30):
        engine.process(upload(minute))
    walk = Walk()
    sys.setprofile(walk.profile)
    engine.process(upload(30))
    sys.setprofile(None)
    sys.stdout.write(json.dumps({"deepest": walk.deepest, "functions": len(walk.entered)}))


def make_engine() -> Any:
    """The engine of the tree, wherever its folders have it."""
    loading = first_of("detectors.configuration.loading", "detectors.config")
    return first_of("detectors.engine.engine", "detectors.engine").Engine(loading.load())


def first_of(*names: str) -> Any:
    """The first of these modules that the tree has."""
    for name in names:
        with suppress(ImportError):
            return import_module(name)
    raise ImportError(f"none of {', '.join(names)}")


if __name__ == "__main__":
    main()
