"""How a request stands before the tuned model: the same in training and at run time."""

from __future__ import annotations

BEFORE = "<|im_start|>user\n"
AFTER = "<|im_end|>\n<|im_start|>assistant\n"


def framed(request: str) -> str:
    """The text that the answer follows: the model's own turns, without a system's.

    >>> framed("patient | new | no slots")
    '<|im_start|>user\\npatient | new | no slots<|im_end|>\\n<|im_start|>assistant\\n'
    """
    return f"{BEFORE}{request}{AFTER}"
