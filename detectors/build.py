"""Whether detection runs as Python or compiled: events and states are the same either way.

See docs/compiled.md.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from detectors.baseline import usual
from detectors.engine import monitor

COMPILED = "compiled"
PURE = "Python"


def is_compiled(module: ModuleType = monitor) -> bool:
    """Whether a module was loaded from a compiled wheel."""
    return Path(module.__file__ or "").suffix != ".py"


def describe() -> str:
    """``compiled`` or ``Python``; both, where an installation holds parts of two."""
    found = {COMPILED if is_compiled(module) else PURE for module in (monitor, usual)}
    return " and ".join(sorted(found))
