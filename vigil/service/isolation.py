"""One item that cannot be read or shown does not break the others.

What is stored may be older than the present rules, or written by another program. A page that
shows many patients renders each by itself and shows a notice in place of one that fails. The error
is logged once per process and kind of item, and counted each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from vigil.service import logs

T = TypeVar("T")
log = logs.get("isolation")

_KEPT = 1000
"""How many logged cases are remembered; then all are forgotten and logged again."""
_counts: Counter[str] = Counter()
_logged: set[tuple[str, str, str]] = set()


def attempt(what: str, of: str, make: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """The result of ``make``, or of ``otherwise`` where ``make`` raises.

    Args:
        what: the kind of item, in words that do not vary.
        of: whose item it is, a patient's id; logged as a digest.
    """
    try:
        return make()
    except Exception as error:  # whatever it is: it is about this one alone
        _record_failure(what, of, error)
        return otherwise()


def counts() -> dict[str, int]:
    """Kind of item → how many could not be shown since the process started."""
    return dict(sorted(_counts.items()))


def _record_failure(what: str, of: str, error: Exception) -> None:
    _counts[what] += 1
    if len(_logged) >= _KEPT:
        _logged.clear()
    case = (what, of, type(error).__name__)
    if case not in _logged:
        _logged.add(case)
        log.exception("cannot be shown", what=what, patient_id=of, error=type(error).__name__)
