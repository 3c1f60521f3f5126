"""One thing that cannot be read or shown breaks nothing about others.

What is stored may be older than the rules that hold now, or another program's: a page that shows
many patients shows each by itself, and in the place of what cannot be shown it says so. The reason
is logged, once a process and kind of thing, and counted each time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import TypeVar

from vigil.service import logs

T = TypeVar("T")
log = logs.get("isolation")

_KEPT = 1000
"""So many that were logged are remembered; then all are forgotten and logged again."""
_counts: Counter[str] = Counter()
_logged: set[tuple[str, str, str]] = set()


def attempt(what: str, of: str, make: Callable[[], T], otherwise: Callable[[], T]) -> T:
    """What ``make`` gives, or ``otherwise`` where it cannot.

    Args:
        what: the kind of thing, in words that do not vary.
        of: whose it is, a patient's id; logged as a digest.
    """
    try:
        return make()
    except Exception as error:  # whatever it is: it is about this one alone
        _note(what, of, error)
        return otherwise()


def counts() -> dict[str, int]:
    """Kind of thing → how often one could not be shown, since the process started."""
    return dict(sorted(_counts.items()))


def _note(what: str, of: str, error: Exception) -> None:
    _counts[what] += 1
    if len(_logged) >= _KEPT:
        _logged.clear()
    case = (what, of, type(error).__name__)
    if case not in _logged:
        _logged.add(case)
        log.exception("cannot be shown", what=what, patient_id=of, error=type(error).__name__)
