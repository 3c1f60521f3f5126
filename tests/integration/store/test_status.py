"""Statuses: the newest of each process holds, in whichever order they come; the old are let go."""

from __future__ import annotations

from datetime import timedelta

from store.database.connections import Connection
from store.workers.status_rows import KEPT, list_processes
from store.writing.writer import write
from tests.support.messages import NOON, received
from tests.support.statuses import status


def test_the_newest_status_of_each_process_is_kept(connection: Connection) -> None:
    late = status("explain", 30, counters={"alerts": 3}, trouble={"broker": "unavailable"})
    for batch in ([status("store")], [late], [status("explain", 15, counters={"alerts": 2})]):
        write(connection, [received(each) for each in batch])
    lines = list_processes(connection, NOON - timedelta(seconds=1))
    assert [(line.service, line.time) for line in lines] == [
        ("explain", late.time),
        ("store", NOON),
    ]
    assert (lines[0].counters, lines[0].trouble) == ({"alerts": 3}, {"broker": "unavailable"})


def test_two_processes_of_a_service_are_two(connection: Connection) -> None:
    both = [status("explain", instance="a"), status("explain", 1, instance="b"), status("store")]
    write(connection, [received(each) for each in both])
    assert [line.service for line in list_processes(connection, NOON - KEPT)] == [
        "explain", "explain", "store",
    ]  # fmt: skip


def test_who_has_been_silent_for_long_is_forgotten(connection: Connection) -> None:
    write(connection, [received(status("notify"))])
    write(connection, [received(status("store", KEPT.total_seconds() + 1))])
    assert [line.service for line in list_processes(connection, NOON - KEPT)] == ["store"]


def test_a_status_notifies_no_board(connection: Connection) -> None:
    assert not write(connection, [received(status("store"))]).new
