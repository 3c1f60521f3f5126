"""Fills a migrated, empty database with a ward's weeks, made by the database itself.

Made up, with nothing random: the same numbers give the same rows. Readings come in the order in
which devices send them, minute after minute and patient beside patient, as they lie on disk in use.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import psycopg

from store.database.connections import Connection

DAY = timedelta(days=1)


class Ward(NamedTuple):
    """How much there is of everything."""

    patients: int
    days: int
    every_seconds: int
    """Between two readings of a patient."""
    end: datetime
    """Just after the newest reading."""

    @property
    def values(self) -> dict[str, Any]:
        """As parameters of the statements."""
        return {
            **self._asdict(),
            "start": self.end - self.days * DAY,
            "every": timedelta(seconds=self.every_seconds),
        }


_PEOPLE = """
    INSERT INTO patients (patient_id, display_name, ward, synthetic)
    SELECT 'p' || lpad(n::text, 5, '0'), 'Person ' || n, 'Ward ' || chr(65 + n %% 8), true
    FROM generate_series(1, %(patients)s) n;

    INSERT INTO devices (device_id, key_sha256, patient_id)
    SELECT 'band-' || p.patient_id, 'no key ' || p.patient_id, p.patient_id FROM patients p;

    INSERT INTO phones (phone_id, token_sha256, patient_id)
    SELECT 'phone-' || p.patient_id, 'no token ' || p.patient_id, p.patient_id FROM patients p;
"""

# Whole beats, a daily rhythm and some unrest; a cuff and an oximeter four times a day.
_READINGS = """
    INSERT INTO readings (patient_id, time, reading_key, device_id, received_at, heart_rate,
        systolic, diastolic, spo2, steps_per_min, activity, synthetic)
    SELECT p.patient_id, m.time + p.late, hashint8extended(m.second * 100003 + p.n, 0),
           'band-' || p.patient_id, m.time + p.late + interval '2 seconds',
           round(p.usual + 9 * sin(m.second / 13750.0) + noise.one / 16.0),
           CASE WHEN m.cuff THEN round(p.usual + 50 + noise.two / 20.0) END,
           CASE WHEN m.cuff THEN round(p.usual + 8 + noise.one / 20.0) END,
           CASE WHEN m.cuff THEN 94 + noise.two %% 6 END,
           CASE WHEN noise.two > 200 THEN noise.one / 4 ELSE 0 END,
           CASE WHEN noise.two > 200 THEN 'active' ELSE 'rest' END, true
    FROM (
        SELECT time, extract(epoch FROM time)::bigint AS second,
               extract(epoch FROM time)::bigint %% 21600 < %(every_seconds)s AS cuff
        FROM generate_series(%(from)s::timestamptz, %(to)s::timestamptz - %(every)s, %(every)s)
            AS moments (time)
    ) m
    CROSS JOIN (
        SELECT patient_id, row_number() OVER (ORDER BY patient_id) AS n,
               62 + hashtext(patient_id) %% 12 AS usual,
               abs(hashtext(patient_id)) %% greatest(20, %(every_seconds)s - 40)
                   * interval '1 second' AS late
        FROM patients
    ) p
    CROSS JOIN LATERAL (
        SELECT (h & 255) AS one, ((h >> 8) & 255) AS two
        FROM (SELECT hashint8(m.second * 7919 + p.n)) AS hashed (h)
    ) noise
"""

_LATEST = """
    INSERT INTO latest (patient_id, signal, value, time, received_at)
    SELECT p.patient_id, s.signal, r.value, r.time, r.received_at
    FROM patients p
    CROSS JOIN (VALUES ('heart_rate'), ('systolic'), ('diastolic'), ('spo2')) AS s (signal)
    CROSS JOIN LATERAL (
        SELECT time, received_at, CASE s.signal WHEN 'heart_rate' THEN heart_rate
               WHEN 'systolic' THEN systolic WHEN 'diastolic' THEN diastolic ELSE spo2 END AS value
        FROM readings
        WHERE patient_id = p.patient_id AND (s.signal = 'heart_rate' OR systolic IS NOT NULL)
        ORDER BY time DESC LIMIT 1
    ) r
"""

# One episode a patient each other day, of two steps; of every twentieth patient the newest goes on.
_EVENTS = """
    INSERT INTO events (event_id, sequence, patient_id, kind, category, phase, priority, onset,
        detected_at, ended_at, retrospective, signals, evidence, context, detector_version,
        config_hash, synthetic)
    SELECT 'e-' || p.patient_id || '-' || day, step, p.patient_id,
           CASE WHEN hue < 128 THEN 'heart_rate_high' ELSE 'heart_rate_unusual' END, 'clinical',
           CASE step WHEN 0 THEN 'opened' ELSE 'closed' END,
           CASE WHEN hue < 16 THEN 'high' WHEN hue < 128 THEN 'medium' ELSE 'low' END,
           o.onset, o.onset + interval '10 minutes' + step * interval '25 minutes',
           CASE step WHEN 1 THEN o.onset + interval '35 minutes' END, hue %% 16 = 0,
           ARRAY['heart_rate'],
           jsonb_build_object('rule', 'heart_rate_high_limit', 'signal', 'heart_rate',
               'value', 121 + hue %% 20, 'limit', 120, 'limit_clear', 110, 'samples', 12,
               'persistence_seconds', 600, 'quality', 0.97, 'baseline', jsonb_build_object(
                   'median', 71, 'spread', 4.5, 'low', 57.5, 'high', 84.5, 'n', 812),
               'scores', jsonb_build_object('baseline', 6.2)),
           '{"activity": "rest"}', '1', '3f9a51c2', true
    FROM (SELECT patient_id, row_number() OVER (ORDER BY patient_id) AS n FROM patients) p
    CROSS JOIN generate_series(0, %(days)s - 1, 2) AS days (day)
    CROSS JOIN LATERAL (SELECT hashint8(p.n * 31 + day) & 255) AS shade (hue)
    CROSS JOIN LATERAL (
        SELECT %(end)s - day * interval '1 day' - (40 + hue) * interval '1 minute'
    ) AS o (onset)
    CROSS JOIN generate_series(0, 1) AS steps (step)
    WHERE NOT (day = 0 AND step = 1 AND p.n %% 20 = 0)
"""

_WORDS = """
    INSERT INTO alerts (alert_id, revision, event_id, patient_id, sequence, kind, category, phase,
        priority, retrospective, time, onset, texts, slots, provenance, synthetic)
    SELECT 'a-' || event_id, 2 * sequence, event_id, patient_id, sequence, kind, category, phase,
           priority, retrospective, detected_at, onset,
           jsonb_build_object('care_team', words.text, 'patient', words.text),
           '{"heart_rate": "128 beats a minute"}',
           '{"care_team": {"author": "template"}, "patient": {"author": "phrasebook"}}', synthetic
    FROM events, (SELECT jsonb_build_object('en', jsonb_build_object(
        'title', 'Heart rate high',
        'body', 'Heart rate has been 128 bpm for 12 minutes at rest, above the limit of 120 bpm.',
        'action', 'See the patient now. Check pulse and breathing by hand.'))) AS words (text);

    INSERT INTO actions (action_id, event_id, patient_id, actor, verb, time)
    SELECT 'h-' || event_id, event_id, patient_id, 'patient', 'need_help',
           detected_at + interval '2 minutes'
    FROM events WHERE sequence = 0 AND hashtext(event_id) %% 20 = 0;

    INSERT INTO actions (action_id, event_id, patient_id, actor, verb, time)
    SELECT 'k-' || event_id, event_id, patient_id, 'kim', 'acknowledge', now()
    FROM events WHERE sequence = 0 AND hashtext(event_id) %% 7 <> 1;

    INSERT INTO deliveries (delivery_id, alert_id, event_id, patient_id, sequence, channel,
        recipient, priority, state, next_try_at, created_at, kind, reason, made_at, expires_at)
    SELECT 'd-' || event_id, 'a-' || event_id, event_id, patient_id, 0, 'web_push',
           'subscription-' || patient_id, priority, 'sent', detected_at, detected_at, kind,
           'opened', detected_at, detected_at + interval '1 hour'
    FROM events WHERE sequence = 0;

    INSERT INTO users (user_id, password_hash, role, display_name)
    VALUES ('kim', 'none', 'care_team', 'Kim Berg') ON CONFLICT DO NOTHING
"""


def load(
    connection: Connection, ward: Ward, report: Callable[[str], None] = lambda _: None
) -> None:
    """Fill an empty, migrated database; ``told`` hears how far it is.

    The averages of TimescaleDB are refreshed and its old chunks packed, as its policies would do.
    """
    with _on_its_own(connection):
        _each(connection, _PEOPLE, ward.values)
        for number in range(ward.days):
            begin = ward.end - (ward.days - number) * DAY
            _each(connection, _READINGS, {**ward.values, "from": begin, "to": begin + DAY})
            report(f"readings of day {number + 1} of {ward.days}")
        _each(connection, f"{_LATEST};{_EVENTS};{_WORDS}", ward.values)
        report("episodes and what was done about them")
        if timescale(connection):
            _upkeep(connection, report)
        connection.execute("ANALYZE")


def _each(connection: Connection, statements: str, values: dict[str, Any]) -> None:
    for statement in filter(str.strip, statements.split(";")):
        connection.execute(statement.encode(), values)


def _upkeep(connection: Connection, report: Callable[[str], None]) -> None:
    """What TimescaleDB's policies do in time: averages first, then what they are made of.

    As they do, it leaves the newest hours to be computed when they are asked for.
    """
    averages = connection.execute(
        "SELECT a.view_name AS name, j.config ->> 'end_offset' AS settled"
        " FROM timescaledb_information.continuous_aggregates a"
        " JOIN timescaledb_information.jobs j ON j.hypertable_name"
        " IN (a.view_name, a.materialization_hypertable_name) WHERE j.config ? 'end_offset'"
        " ORDER BY 1"
    ).fetchall()
    for row in averages:
        _patiently(
            connection,
            b"CALL refresh_continuous_aggregate(%(name)s, NULL, now() - %(settled)s::interval)",
            row,
        )
        report(f"{row['name']} refreshed")
    chunks = connection.execute(
        "SELECT show_chunks(format('%I.%I', hypertable_schema, hypertable_name)::regclass,"
        " older_than => (config ->> 'compress_after')::interval)::text AS name"
        " FROM timescaledb_information.jobs WHERE config ? 'compress_after'"
    ).fetchall()
    for row in chunks:
        _patiently(connection, b"CALL convert_to_columnstore(%(name)s, true)", row)
    report(f"{len(chunks)} chunks packed")


def _patiently(connection: Connection, statement: bytes, values: dict[str, Any]) -> None:
    """Run a statement, again after a second while a policy is at the same."""
    while True:
        try:
            connection.execute(statement, values)
        except psycopg.errors.LockNotAvailable:
            time.sleep(1)
        else:
            return


def timescale(connection: Connection) -> str | None:
    """The version of TimescaleDB; None on plain PostgreSQL."""
    row = connection.execute(
        "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    return str(row["extversion"]) if row else None


@contextmanager
def _on_its_own(connection: Connection) -> Iterator[None]:
    """Each statement a transaction (a refresh needs it), none waiting for the disk."""
    before = connection.autocommit
    connection.autocommit = True
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET statement_timeout = 0")
    try:
        yield
    finally:
        if connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            connection.execute("RESET synchronous_commit")
            connection.execute("RESET statement_timeout")
            connection.autocommit = before
