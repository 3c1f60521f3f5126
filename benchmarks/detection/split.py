"""Who is tuned on and who is only tested: decided by the person's id alone, for ever.

A half of each set's people, by a hash, so that nobody can choose who lands where and a person is
on the same side in every set that they appear in. Figures are chosen by method, standards and the
*tune* people; the *test* people are looked at when the choice is made.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

Group = Literal["tune", "test"]
GROUPS: tuple[Group, ...] = ("tune", "test")


def group_of(patient_id: str) -> Group:
    """The side that a person is on.

    >>> group_of("AURCTAK"), group_of("A0NVTRV")
    ('tune', 'test')
    """
    return "tune" if sha256(patient_id.encode()).digest()[0] % 2 == 0 else "test"
