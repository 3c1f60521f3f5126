"""Push subscriptions for the notify worker: active recipients, and those that have ended."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from store.database.connections import Connection


def live_subscriptions(connection: Connection, patient_ids: Iterable[str]) -> dict[str, list[str]]:
    """Patient id → ids of the subscriptions that are active now."""
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


def end_subscription(
    connection: Connection, subscription_id: str, because: str, now: datetime
) -> None:
    """End a subscription that its push service reports as gone; nothing more is pushed to it."""
    connection.execute(
        "UPDATE push_subscriptions SET ended_at = %s, ended_because = %s"
        " WHERE subscription_id = %s AND ended_at IS NULL",
        (now, because, subscription_id),
    )
