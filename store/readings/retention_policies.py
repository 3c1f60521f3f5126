"""Retention on TimescaleDB: a policy drops whole chunks, and the aggregates keep their buckets.

A refresh recomputes a bucket from the existing rows, so a refresh over deleted rows would empty it.
Each aggregate's refresh therefore starts a day after the last day that may be deleted: if rows are
kept for N days, N - 1 days ago.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from store.database.connections import Connection

AGGREGATES = ("readings_1m", "readings_15m", "readings_1h", "readings_1d")
MARGIN_DAYS = 1
"""Buckets so close to deleted rows are not recomputed: their rows may be partly deleted."""

_KEPT = """
    SELECT config ->> 'drop_after' AS drop_after FROM timescaledb_information.jobs
    WHERE proc_name = 'policy_retention' AND hypertable_schema = current_schema()
      AND hypertable_name = 'readings'
"""
_REFRESHED = """
    SELECT j.job_id, j.config
    FROM timescaledb_information.continuous_aggregates a
    JOIN timescaledb_information.jobs j  -- it names one or the other, by version
      ON (j.hypertable_schema, j.hypertable_name) IN (
          (a.view_schema, a.view_name),
          (a.materialization_hypertable_schema, a.materialization_hypertable_name)
      )
    WHERE j.proc_name = 'policy_refresh_continuous_aggregate'
      AND a.view_schema = current_schema() AND a.view_name = ANY(%s)
    ORDER BY j.job_id
"""


def set_policies(
    connection: Connection, keep_days: int | None, gone: datetime | None, now: datetime
) -> None:
    """Set the policies as configured; a correct policy is not changed.

    Args:
        gone: rows measured before it are deleted, or may be; None: none are.
    """
    _limit_refreshes(
        connection, gone, now
    )  # first: no rows may be deleted that a refresh still reads
    found = connection.execute(_KEPT).fetchone()
    wanted = None if keep_days is None else f"{keep_days} days"
    if (found["drop_after"] if found else None) == wanted:
        return
    connection.execute("SELECT remove_retention_policy('readings', if_exists => true)")
    if wanted is not None:
        connection.execute(
            "SELECT add_retention_policy('readings', drop_after => %s::interval)", (wanted,)
        )


def _limit_refreshes(connection: Connection, gone: datetime | None, now: datetime) -> None:
    """Refresh from the beginning, or from where no rows are deleted."""
    start: str | None = None
    if gone is not None:
        start = f"{(now - gone) // timedelta(days=1) - MARGIN_DAYS} days"
    for job in connection.execute(_REFRESHED, (list(AGGREGATES),)).fetchall():
        config: dict[str, Any] = job["config"]
        if config.get("start_offset") != start:
            changed = Jsonb({**config, "start_offset": start})
            connection.execute("SELECT alter_job(%s, config => %s)", (job["job_id"], changed))
