"""Values that rounding rules disagree about, and the figure that each of them must have."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from math import inf, nextafter

from hypothesis import strategies as st

from vigil.domain.signals import Signal

_WIDE = Context(prec=400)


def exact(value: float, decimals: int) -> Decimal:
    """The figure by the decimal library, as the definition has it."""
    step = Decimal(1).scaleb(-decimals)
    return Decimal(repr(value)).quantize(step, ROUND_HALF_UP, _WIDE)


@st.composite
def near_halves(draw: st.DrawFn, highest: float, lowest: float = 0.0) -> float:
    """A value in the range: on a step, on half of one, a double beside either, or any."""
    decimals = draw(st.integers(0, 3))
    steps = draw(st.integers(int(lowest * 10**decimals), int(highest * 10**decimals)))
    half = draw(st.sampled_from(("", "5")))
    value = float(f"{Decimal(steps).scaleb(-decimals):f}" + _tail(decimals, half))
    value = draw(st.sampled_from((value, nextafter(value, -inf), nextafter(value, inf))))
    return draw(st.sampled_from((value, draw(st.floats(lowest, highest)))))


def _tail(decimals: int, half: str) -> str:
    """What stands behind the last digit."""
    return half if decimals or not half else f".{half}"


def of_signal(signal: Signal) -> st.SearchStrategy[float]:
    """Possible values of a signal."""
    return near_halves(signal.highest, signal.lowest).filter(
        lambda value: signal.lowest <= value <= signal.highest
    )
