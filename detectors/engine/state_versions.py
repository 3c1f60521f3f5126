"""How a state that an older Vigil wrote becomes one of today's: a chain of small steps.

Each step takes the plain list of one version and returns that of the next. What a version wrote
stands in ``tests/unit/detectors/engine/data/states/vN``, and stays there: the newest Vigil reads
all of them.

    1  nothing of late readings; every detector's memory, empty ones too
    2  when the patient first sent something, the past that late readings may fill, and late data;
       memories that hold nothing are left out
    3  what was taken at the newest times; of an episode, how closely it was observed, how severe it
       was and when it is announced again; late readings that wait; whose clocks are off;
       the withdrawals applied

To change the form: raise ``VERSION`` in :mod:`detectors.engine.state`, add the step here, and write
the golden files by ``python -m tests.support.state_stories
tests/unit/detectors/engine/data/states/vN``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from detectors.contract import LONG_AGO

_ADDED: tuple[Any, ...] = ({}, ["", {}])
"""What version 1 came to have at its end, after nine fields: readings held back, the devices."""


def with_a_past(plain: list[Any]) -> list[Any]:
    """1 → 2. When such a patient first sent something is not known, so nothing before is a gap."""
    lacking = _ADDED[max(0, len(plain) - 9) :]
    return [2, *plain[1:], *lacking, LONG_AGO, None, None]


def with_taken(plain: list[Any]) -> list[Any]:
    """2 → 3. What was taken is not known, so whatever has the newest time again is taken for the
    same; the fields that episodes have gained stand at their ends, and begin with their defaults.
    Nothing was withdrawn.
    """
    return [3, *plain[1:], [{}, {}], []]


STEPS: tuple[Callable[[list[Any]], list[Any]], ...] = (with_a_past, with_taken)
"""The n-th makes version n + 1 of version n, counted from 1."""


def upgraded(plain: list[Any]) -> list[Any]:
    """A state of any earlier version as the newest would write it.

    Raises:
        IndexError, TypeError: it is not a state.
    """
    for step in STEPS[plain[0] - 1 :]:
        plain = step(plain)
    return plain
