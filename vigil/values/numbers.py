"""Numbers from outside: what is taken for one."""

from __future__ import annotations

from math import isfinite


def finite_number(value: object) -> float | None:
    """A decoded JSON value as a number; None: it is no finite number.

    Neither a boolean, a text that looks like a number, nor a whole number beyond a float's range
    (309 digits) is one.

    >>> finite_number(118), finite_number(True), finite_number("118"), finite_number(10**400)
    (118.0, None, None, None)
    """
    if type(value) is float:
        return value if isfinite(value) else None
    if type(value) is not int:
        return None
    try:
        return float(value)
    except OverflowError:
        return None
