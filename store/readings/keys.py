"""Converts a reading's id to the number that is the table's key, and back.

An id that Vigil derived is ``r-`` and 64 bits in hexadecimal: the number is the id, and nothing
else is stored (36 random characters would be most of a compressed row). Any other id, a device's
own, is stored as it is together with a number derived from it. So the number distinguishes readings
of one patient at one time, and the id can always be restored.
"""

from __future__ import annotations

import re
from hashlib import sha256

_DERIVED = re.compile(r"r-[0-9a-f]{16}").fullmatch
_SIGN = 1 << 63


def split_id(reading_id: str) -> tuple[int, str | None]:
    """The key, as a signed 64-bit number, and the id if it cannot be restored from the key.

    >>> split_id("r-000000000000002a")
    (42, None)
    >>> split_id("watch-7-000041")
    (1053007583097262318, 'watch-7-000041')
    """
    if len(reading_id) == 18 and _DERIVED(reading_id):
        return _signed(int(reading_id[2:], 16)), None
    return _signed(int.from_bytes(sha256(reading_id.encode()).digest()[:8], "big")), reading_id


def join_id(key: int, reading_id: str | None) -> str:
    """Restore the id.

    >>> join_id(*split_id("r-ffffffffffffffff"))
    'r-ffffffffffffffff'
    """
    return f"r-{key % (1 << 64):016x}" if reading_id is None else reading_id


def _signed(number: int) -> int:
    return number - (1 << 64) if number >= _SIGN else number
