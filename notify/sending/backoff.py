"""When a delivery that was not accepted is retried."""

from __future__ import annotations

from datetime import timedelta
from hashlib import sha256

FIRST_SECONDS = 5.0
LONGEST_SECONDS = 300.0
SPREAD = 0.25
"""Up to this share is added, so that deliveries that failed together are not retried together."""


def retry_pause(
    attempts: int, delivery_id: str, retry_after_seconds: float | None = None
) -> timedelta:
    """How long to wait after the given number of attempts.

    5 s, doubling up to 5 min, plus a spread derived from the delivery's id (so the same delivery
    always waits the same time). A longer ``Retry-After`` is respected.

    >>> retry_pause(1, "a") < retry_pause(2, "a") < retry_pause(3, "a")
    True
    >>> retry_pause(1, "a", retry_after_seconds=90)
    datetime.timedelta(seconds=90)
    """
    doubled = FIRST_SECONDS * 2 ** min(attempts - 1, 30)
    base = min(doubled, LONGEST_SECONDS)
    share = sha256(f"{delivery_id}:{attempts}".encode()).digest()[0] / 255
    return timedelta(seconds=max(base * (1 + SPREAD * share), retry_after_seconds or 0.0))
