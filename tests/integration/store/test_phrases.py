"""Phrases: every revision is kept, and the same one holds whatever the order."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from store.database.connections import Connection
from store.writing.writer import write
from tests.support.messages import NOON, SIGNATURE, phrase, received
from vigil.domain.phrase import Phrase, precedence


def held(connection: Connection, phrase_id: str) -> Any:
    query = "SELECT * FROM phrases WHERE phrase_id = %s"
    return connection.execute(query, (phrase_id,)).fetchone()


def test_a_phrase_has_the_parts_of_its_signature(connection: Connection) -> None:
    sent = phrase(adapter="sha256:1", replaces="old")
    write(connection, [received(sent)])
    row = held(connection, sent.phrase_id)
    assert (row["locale"], row["audience"], row["kind"]) == ("en", "patient", "heart_rate_high")
    assert (row["signature"], row["adapter"], row["replaces"]) == (SIGNATURE, "sha256:1", "old")
    assert (row["status"], row["by"], row["time"]) == ("draft", "", NOON)


def test_every_revision_stays_in_the_history(connection: Connection) -> None:
    steps = [
        phrase(),
        phrase(status="approved", revision=1, by="kim"),
        phrase(status="banned", revision=2, by="ada"),
    ]
    for step in (*steps, *steps):
        write(connection, [received(step)])
    query = "SELECT revision, status, by FROM phrase_history ORDER BY revision"
    history = connection.execute(query).fetchall()
    assert [(r["revision"], r["status"], r["by"]) for r in history] == [
        (0, "draft", ""), (1, "approved", "kim"), (2, "banned", "ada"),
    ]  # fmt: skip


STEPS = st.builds(
    lambda text, status, revision, by, second: phrase(
        text, status=status, revision=revision, by=by, time=NOON + timedelta(seconds=second)
    ),
    st.sampled_from(["One {heart_rate}.", "Other {heart_rate}."]),
    st.sampled_from(["draft", "approved", "banned"]),
    st.integers(0, 2),
    st.sampled_from(["", "kim", "ådå", "Z"]),
    st.integers(0, 1),
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=1, max_size=10), cut=st.integers(0, 10))
def test_what_holds_is_what_every_worker_takes_to_hold(
    connection: Connection, steps: list[Phrase], cut: int
) -> None:
    connection.execute("TRUNCATE phrases, phrase_history")
    for part in (steps[:cut], steps[cut:]):
        write(connection, [received(step) for step in part])
    for phrase_id in {step.phrase_id for step in steps}:
        best = max((s for s in steps if s.phrase_id == phrase_id), key=precedence)
        row = held(connection, phrase_id)
        assert (row["status"], row["revision"], row["by"], row["time"]) == (
            best.status, best.revision, best.by, best.time,
        )  # fmt: skip
    count = connection.execute("SELECT count(*) AS n FROM phrase_history").fetchone()
    assert count == {"n": len({precedence(s) for s in steps})}


@pytest.mark.parametrize("status", ["approved", "banned"])
def test_a_late_draft_does_not_undo_a_review(connection: Connection, status: str) -> None:
    reviewed = phrase(status=status, revision=1, by="kim")
    write(connection, [received(reviewed)])
    write(connection, [received(phrase())])
    assert held(connection, reviewed.phrase_id)["status"] == status
