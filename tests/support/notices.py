"""What a connection to the database that listens was notified of."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.support.timeouts import TIMEOUT


def notices(
    listening: psycopg.Connection[Any], other: psycopg.Connection[Any], channel: str
) -> list[str]:
    """The payloads so far, in the order of the commits, and none of later ones.

    Args:
        other: a connection without an open transaction, which marks the end.
    """
    other.execute("SELECT pg_notify(%s, 'end of the test')", (channel,))
    other.commit()
    found: list[str] = []
    for notice in listening.notifies(timeout=TIMEOUT):
        if notice.payload == "end of the test":
            return found
        found.append(notice.payload)
    raise AssertionError(f"no end after {found}")
