"""What the reading is that a step of a finding came with: does it show the finding?

An episode goes on while its readings lie between a limit and its end, and a step may be announced
then, as when a further finding joins. "Still high, now 128 over 80" would be false.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from explain.facts.evidence import number
from explain.facts.units import UNITS

Latest = Literal["", "within", "unread"]
"""Of a clinical finding that lasts. Empty: the reading of the step shows it. ``within``: it lies
within the limits, so that the finding was, and is not now. ``unread``: none of its signals came
with the step, so that only the latest one before is known."""


def lies_within(evidence: Mapping[str, Any], unit: str, direction: str, *, shown: bool) -> bool:
    """Whether the judged value, or the value of its signal that is shown, is not beyond the limit.

    Args:
        unit: of the judged quantity.
        shown: whether the value that was measured now is shown beside the finding.

    >>> high = {"value": 128.0, "limit": 160.0}
    >>> lies_within(high, "systolic", "above", shown=True)
    True
    >>> lies_within({**high, "value": 160.0}, "systolic", "above", shown=True)
    False
    """
    figure = UNITS[unit].figure
    limit = figure(number(evidence, "limit"))
    if limit is None or direction == "none":
        return False
    paths = (("value",), ("values", unit)) if shown else (("value",),)
    known = [figure(number(evidence, *path)) for path in paths]
    bound, above = float(limit), direction == "above"
    return any(
        float(one) < bound if above else float(one) > bound for one in known if one is not None
    )
