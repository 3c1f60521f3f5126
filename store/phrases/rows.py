"""Writes phrases: every revision once, and the current revision of each phrase."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from psycopg import sql

from store.database.connections import Connection
from vigil.domain.encoding import encode
from vigil.domain.phrase import Phrase, precedence

_FIELDS = Phrase.__struct_fields__
_KEEP = """
    INSERT INTO phrase_history (phrase_id, revision, digest, status, time, by, content)
    SELECT phrase_id, revision, digest, status, time, by, content
    FROM jsonb_to_recordset(%s::jsonb) AS r (
        phrase_id text, revision integer, digest text, status text, time timestamptz, by text,
        content text
    )
    ON CONFLICT DO NOTHING
"""
_NAMES = sql.SQL(", ").join(sql.Identifier(name) for name in (*_FIELDS, "content"))
_HOLD = sql.SQL(
    """
    INSERT INTO phrases AS kept ({names})
    SELECT {names} FROM jsonb_populate_recordset(NULL::phrases, %s::jsonb)
    ON CONFLICT (phrase_id) DO UPDATE SET {changes}
    WHERE (EXCLUDED.revision, EXCLUDED.time, EXCLUDED.content)
        > (kept.revision, kept.time, kept.content)
    """
).format(
    names=_NAMES,
    changes=sql.SQL(", ").join(
        sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name))
        for name in (*_FIELDS[1:], "content")
    ),
)


def insert(connection: Connection, phrases: Sequence[Phrase]) -> int:
    """Store phrases in any order; returns how many revisions were not there before."""
    rows = [_row(phrase) for phrase in phrases]
    new = connection.execute(_KEEP, (_json(rows),)).rowcount
    current: dict[str, Phrase] = {}
    for phrase in phrases:
        kept = current.get(phrase.phrase_id)
        if kept is None or precedence(phrase) > precedence(kept):
            current[phrase.phrase_id] = phrase
    newest = [
        _row(current[key]) for key in sorted(current)
    ]  # always in the same order: no deadlock
    connection.execute(_HOLD, (_json(newest),))
    return new


def _row(phrase: Phrase) -> dict[str, Any]:
    content = encode(phrase)
    row = msgspec.structs.asdict(phrase)
    return {**row, "content": content.decode(), "digest": sha256(content).hexdigest()}


def _json(rows: Sequence[dict[str, Any]]) -> str:
    return encode(rows).decode()
