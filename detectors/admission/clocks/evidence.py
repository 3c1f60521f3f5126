"""What shows that a clock is constantly off: uploads that are late by about the same amount.

An upload is late by the offset, by the delay on its way, and by the age of its newest reading when
it was sent, which is anything up to the interval between readings. The last two only add to the
offset. So the uploads of a clock that is off lie in a narrow range above it, as wide as the
interval and the delays are; those of a clock that is right, whose lateness is by chance, lie in a
wide one, which begins at none. How many uploads are enough is decided by how narrow their range is
beside that one (:func:`is_closer_than_chance`): a watch that measures every minute shows its offset
with four, and one that measures every ten minutes with five or six.
"""

from __future__ import annotations

from detectors.admission.clocks.configuration import ClockOffsetConfig
from detectors.admission.clocks.memory import DeviceClock

DELAYED_SHARE = 8
"""One upload in so many may have been delayed on its way and still leave the others' offset."""
SPARSE_UPLOADS = 3
"""Where uploads are rare so few in a row show an offset …"""
SPARSE_SECONDS = 3600.0
"""… over at least so long of receive time, as of a cuff that is used twice a day …"""
SPARSE_SPREAD_SECONDS = 60.0
"""… if the latest and the least late are at most so far apart."""
CHANCE_SECONDS = 3600.0
"""Lateness by chance is taken to be anything up to this, or up to the latest where that is less."""
CHANCE = 1 / 800
"""How likely it may be that uploads whose lateness is by chance are as close to each other: that of
three within a minute of an hour, and of four within four."""
PRESUMED_CHANCE = 1 / 30
"""The same of what is only taken for no history: that of two within a minute."""
SAMPLED_SECONDS = 3600.0
"""The longest interval at which a device is taken to measure by itself."""


def is_alike(clock: DeviceClock, late: float, config: ClockOffsetConfig) -> bool:
    """Whether an upload that is so late may be of the same offset as those before it."""
    spread = max(clock.most, late) - min(clock.least, late)
    return late >= clock.least - config.slack_seconds and spread <= config.spread_seconds


def was_delayed(clock: DeviceClock, late: float, config: ClockOffsetConfig) -> bool:
    """Whether an upload that is later than the others is one of the few that may be."""
    few = (clock.delayed + 1) * DELAYED_SHARE <= clock.uploads
    return few and late > clock.most + config.slack_seconds and clock.newest > clock.time


def is_sampled(clock: DeviceClock, config: ClockOffsetConfig) -> bool:
    """Whether a clock that is right explains the newest upload: it holds several readings, and the
    next one was not due when it was sent, if the device measures by itself."""
    interval = clock.newest - clock.before
    late = clock.received - clock.newest
    due = interval + config.slack_seconds  # it may have been a while on its way
    return bool(clock.before) and 0.0 < late <= due and interval <= SAMPLED_SECONDS


def is_shown(clock: DeviceClock, config: ClockOffsetConfig) -> bool:
    """Whether the uploads that are late alike are enough to know the offset by."""
    spread, lasted = clock.most - clock.least, clock.last - clock.since
    if clock.uploads >= SPARSE_UPLOADS and _is_sparse(spread, lasted):
        return True
    if clock.uploads < config.uploads or lasted < config.seconds:
        return False
    if spread <= config.slack_seconds or clock.most < 0:  # nothing right is from the future
        return not _catches_up(spread, lasted, config)
    return not _catches_up(spread, lasted, config) and is_closer_than_chance(
        clock.uploads, spread, latest=clock.most, chance=CHANCE
    )


def presumed(clock: DeviceClock, lateness: float, config: ClockOffsetConfig) -> float:
    """The offset that is not known yet, where a reading is as late as uploads before the present
    one, an hour or more after the first of them; 0: it is not."""
    if clock.offset or not clock.uploads or not is_alike(clock, lateness, config):
        return 0.0
    most, least = max(clock.most, lateness), min(clock.least, lateness)
    spread, lasted = most - least, clock.received - clock.since
    near = lasted >= SPARSE_SECONDS and not _catches_up(spread, lasted, config)
    close = is_closer_than_chance(clock.uploads + 1, spread, latest=most, chance=PRESUMED_CHANCE)
    sparse = _is_sparse(max(spread, clock.most - clock.least), lasted)
    return least if sparse or (near and close) else 0.0


def is_closer_than_chance(uploads: int, spread: float, latest: float, chance: float) -> bool:
    """Whether so many uploads would hardly be so close to each other if their lateness were by
    chance, any up to an hour or to the latest as likely as any other.

    Args:
        uploads: how many.
        spread: seconds between the least and the latest.
        latest: seconds by which the latest is late.
        chance: how likely it may be at most.

    >>> is_closer_than_chance(3, 60.0, 5 * 3600.0, CHANCE)
    True
    >>> [is_closer_than_chance(n, 600.0, 5 * 3600.0, CHANCE) for n in (4, 5, 6)]
    [False, False, True]
    """
    share, likely = spread / max(min(latest, CHANCE_SECONDS), 1.0), float(uploads)
    for _ in range(uploads - 1):
        likely *= share
    return likely <= chance


def slack_of(clock: DeviceClock, config: ClockOffsetConfig) -> float:
    """By how many seconds less than the known offset an upload may be late and still be of it: more
    where those that it rests on were far apart, but no more than half of it by that."""
    usual = config.slack_seconds
    return max(usual, min(usual + clock.spread, abs(clock.offset) / 2))


def _is_sparse(spread: float, lasted: float) -> bool:
    """Whether uploads over so long are as late as each other as if that were by the clock alone."""
    return lasted >= SPARSE_SECONDS and spread <= SPARSE_SPREAD_SECONDS


def _catches_up(spread: float, lasted: float, config: ClockOffsetConfig) -> bool:
    """Whether uploads over so long are as far apart as those of a buffer that is sent faster than
    it was filled."""
    return spread * config.seconds > lasted * config.slack_seconds
