"""When a delivery that was not taken is tried again."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 300.0
SPREAD = 0.25
"""Up to this share is added, so that what failed together does not come back together."""


def pause(attempts: int, delivery_id: str, retry_after_seconds: float | None = None) -> timedelta:
    """How long to wait after the given number of attempts.

    5 s, doubling up to 5 min, plus a spread that the delivery's id decides (so the same delivery
    always waits the same). A service that asks for longer is given it.

    >>> pause(1, "a") < pause(2, "a") < pause(3, "a")
    True
    >>> pause(1, "a", retry_after_seconds=90)
    datetime.timedelta(seconds=90)
    """
    doubled = FIRST_SECONDS * 2 ** min(attempts - 1, 30)
    base = min(doubled, LONGEST_SECONDS)
    share = sha256(f"{delivery_id}:{attempts}".encode()).digest()[0] / 255
    return timedelta(seconds=max(base * (1 + SPREAD * share), retry_after_seconds or 0.0))
