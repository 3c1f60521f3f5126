"""How long tests wait for what must come, and how they measure what must not take long."""

from __future__ import annotations

from collections.abc import Callable

TIMEOUT = 60.0
"""Seconds until what must come is missing: many times what it takes, for a machine may be busy."""


def soon_enough(attempt: Callable[[], float], seconds: float, tries: int = 5) -> None:
    """Fail where none of a few attempts takes as little as this many seconds.

    A busy machine adds to what the code needs and takes nothing from it: one attempt in time shows
    that the code is quick enough, and a code that waits for longer never is.

    Args:
        attempt: does it once, and returns the seconds that it took.
    """
    took: list[float] = []
    for _ in range(tries):
        took.append(attempt())
        if took[-1] <= seconds:
            return
    raise AssertionError(f"not within {seconds} s in any of {tries} attempts: {took}")
