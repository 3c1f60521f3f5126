"""Push subscriptions as the notify worker sees them: whom to reach, and which are dead."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from store.database.connections import Connection


def live(connection: Connection, patient_ids: Iterable[str]) -> dict[str, list[str]]:
    """Patient → the ids of the subscriptions that can be reached now."""
    rows = connection.execute(
        """
        SELECT patient_id, subscription_id FROM push_subscriptions
        JOIN phones USING (phone_id) JOIN patients USING (patient_id)
        WHERE patient_id = ANY(%s) AND ended_at IS NULL AND revoked_at IS NULL AND active
        ORDER BY subscription_id
        """,
        (list(patient_ids),),
    )
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["patient_id"], []).append(row["subscription_id"])
    return found


def end(connection: Connection, subscription_id: str, because: str, now: datetime) -> None:
    """Push nothing more to a subscription that its push service says is gone."""
    connection.execute(
        "UPDATE push_subscriptions SET ended_at = %s, ended_because = %s"
        " WHERE subscription_id = %s AND ended_at IS NULL",
        (now, because, subscription_id),
    )
