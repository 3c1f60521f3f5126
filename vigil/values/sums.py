"""Sums of floats, the same to the last bit on every Python.

``sum`` adds floats one after another up to CPython 3.11, and from 3.12 on with compensation; mypyc
compiles the sum of a generator without it again. So the last digit of a state, and then of an
event, would depend on what runs it. Here they are added one after another, from the left, as
written: the rule of 3.11, whose events stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable


def total(values: Iterable[float]) -> float:
    """The sum of a few floats, rounded after each, from the left; 0.0 of none.

    >>> total([0.1] * 10), total([1e16, 1.0, -1e16]), total([])
    (0.9999999999999999, 0.0, 0.0)
    """
    result = 0.0
    for value in values:
        result += value
    return result
