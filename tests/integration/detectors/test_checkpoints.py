"""State and offset: saved together, fenced by an epoch, on a real database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import psycopg
import pytest

from store.workers.checkpoints import Checkpoint, Checkpoints, GroupPartition, Saving
from vigil.service.errors import StaleOwnerError, UnavailableError
from vigil.service.settings import Settings

PLACE = GroupPartition("detectors", "vitals.readings", 1)
MARK = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def checkpoints(database_url: str) -> Iterator[Checkpoints]:
    store = Checkpoints(Settings(demo=True, database_url=database_url))
    yield store
    store.close()


def another(url: str) -> Checkpoints:
    return Checkpoints(Settings(demo=True, database_url=url))


def test_a_new_partition_stands_nowhere(checkpoints: Checkpoints) -> None:
    assert checkpoints.claim(PLACE, "log") == (Checkpoint(1, None, None), {})


def test_what_was_saved_is_there_for_the_next_owner(checkpoints: Checkpoints) -> None:
    first, _ = checkpoints.claim(PLACE, "log")
    states = {f"p{i}": bytes([i % 256]) * 10 for i in range(3000)}
    checkpoints.save([Saving(PLACE, Checkpoint(first.epoch, 7, MARK), states)])
    checkpoints.save([Saving(PLACE, Checkpoint(first.epoch, 9, None), {"p1": b"newer"})])
    claimed, found = checkpoints.claim(PLACE, "log")
    assert claimed == Checkpoint(2, 9, None)
    assert found == {**states, "p1": b"newer"}


def test_another_log_keeps_the_states_and_not_the_offset(checkpoints: Checkpoints) -> None:
    first, _ = checkpoints.claim(PLACE, "log")
    checkpoints.save([Saving(PLACE, Checkpoint(first.epoch, 7, MARK), {"p1": b"x"})])
    assert checkpoints.claim(PLACE, "other") == (Checkpoint(2, None, MARK), {"p1": b"x"})
    assert checkpoints.claim(PLACE, "other")[0].next_offset is None


def test_an_earlier_owner_writes_nothing(checkpoints: Checkpoints, database_url: str) -> None:
    old, _ = checkpoints.claim(PLACE, "log")
    rival = another(database_url)
    new, _ = rival.claim(PLACE, "log")
    late = Saving(PLACE, Checkpoint(old.epoch, 99, MARK), {"p1": b"late"})
    other = GroupPartition("detectors", "vitals.readings", 2)
    mine, _ = checkpoints.claim(other, "log")
    with pytest.raises(StaleOwnerError):
        checkpoints.save([Saving(other, Checkpoint(mine.epoch, 5, MARK), {"p2": b"x"}), late])
    rival.save([Saving(PLACE, Checkpoint(new.epoch, 3, MARK), {})])
    assert rival.claim(PLACE, "log") == (Checkpoint(3, 3, MARK), {})
    assert rival.claim(other, "log") == (Checkpoint(2, None, None), {}), "all, or nothing"
    rival.close()


def test_a_lost_connection_is_opened_again(checkpoints: Checkpoints, database_url: str) -> None:
    claimed, _ = checkpoints.claim(PLACE, "log")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    saving = Saving(PLACE, Checkpoint(claimed.epoch, 4, MARK), {"p1": b"x"})
    with pytest.raises(UnavailableError):
        checkpoints.save([saving])
    checkpoints.save([saving])
    assert checkpoints.claim(PLACE, "log") == (Checkpoint(2, 4, MARK), {"p1": b"x"})


def test_a_database_that_is_away_is_said_so() -> None:
    nowhere = another("postgresql://vigil:vigil@127.0.0.1:1/vigil")
    with pytest.raises(UnavailableError) as refusal:
        nowhere.claim(PLACE, "log")
    assert refusal.value.code == "unavailable.database"


def aside(url: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "SELECT partition, patient_id, state, why FROM states_set_aside ORDER BY state"
        ).fetchall()


def test_idle_patients_are_not_claimed_and_come_back(checkpoints: Checkpoints) -> None:
    here, _ = checkpoints.claim(PLACE, "log")
    states = {"ida": b"1", "ada": b"2", "eva": b"3"}
    checkpoints.save([Saving(PLACE, here, states, idle={"ida"})])
    checkpoints.save([Saving(PLACE, here, {}, idle=["ada"])])
    here, found = checkpoints.claim(PLACE, "log")
    assert found == {"eva": b"3"}
    assert checkpoints.load(PLACE, ["ida", "eva", "nobody"]) == {"ida": b"1", "eva": b"3"}
    assert checkpoints.load(PLACE, []) == {}
    assert checkpoints.load(replace(PLACE, partition=2), ["ida"]) == {}
    checkpoints.save([Saving(PLACE, here, {"ida": b"4"})])
    assert checkpoints.claim(PLACE, "log")[1] == {"eva": b"3", "ida": b"4"}


def test_a_stale_owner_puts_nobody_to_rest(checkpoints: Checkpoints, database_url: str) -> None:
    old, _ = checkpoints.claim(PLACE, "log")
    checkpoints.save([Saving(PLACE, old, {"ida": b"1"})])
    rival = another(database_url)
    _, found = rival.claim(PLACE, "log")
    with pytest.raises(StaleOwnerError):
        checkpoints.save([Saving(PLACE, old, {}, idle={"ida"})])
    assert rival.claim(PLACE, "log")[1] == found == {"ida": b"1"}
    rival.close()


def test_a_broken_state_is_kept_once_and_stays(checkpoints: Checkpoints, database_url: str) -> None:
    here, _ = checkpoints.claim(PLACE, "log")
    broken = b"\x00\xff\xc1"
    checkpoints.save([Saving(PLACE, here, {"ida": broken})])
    for _repeated in range(2):
        checkpoints.set_aside(PLACE, "ida", broken, "not a state")
    assert checkpoints.claim(PLACE, "log")[1] == {"ida": broken}, "nothing was saved over it yet"
    checkpoints.set_aside(PLACE, "ida", b"\x01", "partly lost")
    assert aside(database_url) == [
        (1, "ida", broken, "not a state"),
        (1, "ida", b"\x01", "partly lost"),
    ]


def test_a_stale_owner_sets_nothing_aside(checkpoints: Checkpoints, database_url: str) -> None:
    checkpoints.claim(PLACE, "log")
    rival = another(database_url)
    rival.claim(PLACE, "log")
    with pytest.raises(StaleOwnerError):
        checkpoints.set_aside(PLACE, "ida", b"x", "late")
    rival.set_aside(PLACE, "ida", b"x", "in time")
    assert aside(database_url) == [(1, "ida", b"x", "in time")]
    rival.close()
