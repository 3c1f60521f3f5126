"""Failed sign-ins, remembered by this process: by account and network, and by network.

Kept in memory and bounded: a flood of attempts writes nothing to the database; at most it makes the
process forget failures.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime
from ipaddress import IPv6Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.people.sessions import Backoff

MAX_REMEMBERED = 20_000
"""Accounts and networks that are remembered; the least recently used is forgotten."""
HALF_LIFE_SECONDS = 60.0
FREE = 20.0
"""Failures of one network within a minute or two that delay nobody: a ward has one address."""
LONGEST_SECONDS = 5.0


def network_of(host: str) -> str:
    """The network that an address is counted for: itself, or with IPv6 its /64.

    >>> network_of("192.0.2.7"), network_of("2001:db8::1:2:3:4")
    ('192.0.2.7', '2001:db8::/64')
    >>> network_of("::ffff:192.0.2.7")
    '192.0.2.7'
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
    """The times of failed attempts, by key."""

    def __init__(self) -> None:
        self._times: OrderedDict[str, list[datetime]] = OrderedDict()

    def begin_attempt(self, key: str, now: datetime, rule: Backoff) -> datetime | None:
        """Count an attempt as failed until :meth:`clear` is called.

        Returns:
            None: go on. A time: not before then; nothing was counted.
        """
        times = [time for time in self._times.pop(key, ()) if time > now - rule.window]
        again_at = max(times, default=now) + rule.wait(len(times))
        if again_at <= now:
            times.append(now)
        if times:
            self._times[key] = times
        if len(self._times) > MAX_REMEMBERED:
            self._times.popitem(last=False)
        return again_at if again_at > now else None

    def undo_attempt(self, key: str) -> None:
        """Discount the newest attempt."""
        times = self._times.get(key)
        if times:
            times.pop()

    def clear(self, key: str) -> None:
        """Forget the failures: an attempt succeeded."""
        self._times.pop(key, None)


class FailureRates:
    """Failures of each network, halved every minute: its refusals are delayed more and more."""

    def __init__(self, monotonic: Callable[[], float]):
        self._monotonic = monotonic
        self._scores: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def score(self, network: str) -> float:
        """The network's failures, older ones with less weight."""
        score, at = self._scores.get(network, (0.0, 0.0))
        return float(score * 0.5 ** ((self._monotonic() - at) / HALF_LIFE_SECONDS))

    def record_failure(self, network: str) -> None:
        """Count a failure."""
        score = self.score(network) + 1
        self._scores.pop(network, None)
        self._scores[network] = (score, self._monotonic())
        if len(self._scores) > MAX_REMEMBERED:
            self._scores.popitem(last=False)

    def delay(self, network: str) -> float:
        """Seconds by which the next refusal of this network is delayed.

        >>> rates = FailureRates(lambda: 0.0)
        >>> for _ in range(30): rates.record_failure("192.0.2.7")
        >>> rates.delay("192.0.2.7"), rates.delay("192.0.2.8")
        (0.5, 0.0)
        """
        over = self.score(network) - FREE
        return min(LONGEST_SECONDS, max(0.0, over / FREE))
