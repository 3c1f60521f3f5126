"""Failed attempts, remembered by this process: of one account from one place, and of one place.

Kept in memory and bounded: a flood writes nothing, and forgets at most that somebody failed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.people.sessions import Backoff

KEPT = 20_000
"""Accounts and places that are remembered; the one that was quiet the longest is forgotten."""
HALF_LIFE_SECONDS = 60.0
FREE = 20.0
"""So many failures of one place in a minute or two slow nobody down: a ward has one address."""
LONGEST_SECONDS = 5.0


def source(host: str) -> str:
    """What an address counts as: itself, or the network that a person with IPv6 has (a /64).

    >>> source("192.0.2.7"), source("2001:db8::1:2:3:4"), source("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8::/64', '192.0.2.7')
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((int(address), 64), strict=False))
    return str(address)


class Failures:
    """When attempts failed, by key."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, list[datetime]] = OrderedDict()

    def begin(self, key: str, now: datetime, rule: Backoff) -> datetime | None:
        """Count an attempt as failed until :meth:`clear` says that it was not.

        Returns:
            None: go on. A moment: not before then; nothing was counted.
        """
        times = [time for time in self._times.pop(key, ()) if time > now - rule.window]
        again_at = max(times, default=now) + rule.wait(len(times))
        if again_at <= now:
            times.append(now)
        if times:
            self._times[key] = times
        if len(self._times) > KEPT:
            self._times.popitem(last=False)
        return again_at if again_at > now else None

    def take_back(self, key: str) -> None:
        """The attempt that was counted last was none."""
        times = self._times.get(key)
        if times:
            times.pop()

    def clear(self, key: str) -> None:
        """An attempt succeeded."""
        self._times.pop(key, None)


class Places:
    """How much each place fails, halved every minute: what it is told comes later and later."""

    def __init__(self, monotonic: Callable[[], float]):
        self._monotonic = monotonic
        self._scores: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def score(self, place: str) -> float:
        """Failures, the older ones counting less."""
        score, at = self._scores.get(place, (0.0, 0.0))
        return float(score * 0.5 ** ((self._monotonic() - at) / HALF_LIFE_SECONDS))

    def failed(self, place: str) -> None:
        """Another one."""
        score = self.score(place) + 1
        self._scores.pop(place, None)
        self._scores[place] = (score, self._monotonic())
        if len(self._scores) > KEPT:
            self._scores.popitem(last=False)

    def delay(self, place: str) -> float:
        """Seconds that the next failure of this place is told later.

        >>> places = Places(lambda: 0.0)
        >>> for _ in range(30): places.failed("192.0.2.7")
        >>> places.delay("192.0.2.7"), places.delay("192.0.2.8")
        (0.5, 0.0)
        """
        over = self.score(place) - FREE
        return min(LONGEST_SECONDS, max(0.0, over / FREE))
