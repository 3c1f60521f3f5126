"""How a request stands before the tuned model: the same in training and at run time."""

from __future__ import annotations

AFTER = " =>"
"""Measured beside the model's own chat turns, which take eight tokens more of forty: after 640
examples the validation loss was the same (1.242 and 1.246 a token)."""


def framed(request: str) -> str:
    """The text that the answer follows at once.

    >>> framed("patient | new | no slots")
    'patient | new | no slots =>'
    """
    return f"{request}{AFTER}"
