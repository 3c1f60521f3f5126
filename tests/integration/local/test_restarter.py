"""What supervisord gives up is started again, for as long as Vigil runs, and on no full disk."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from local.restarter import ROOM, Restarter, wait_for_room
from local.supervisor import GIVEN_UP, RUNNING, Program, Supervisor
from tests.support.disks import resize, small_disk
from tests.support.running import eventually
from tests.support.timeouts import TIMEOUT


def waits_for(path: Path) -> Program:
    """A program that cannot run before a file is there."""
    code = f"import pathlib, time; pathlib.Path({str(path)!r}).stat(); time.sleep(600)"
    return Program("late", (sys.executable, "-c", code))


@pytest.mark.faults
def test_a_program_given_up_is_started_again_and_said_once(tmp_path: Path) -> None:
    printed: list[str] = []
    with Supervisor([waits_for(tmp_path / "file")], tmp_path, {}) as supervisor:
        restarter = Restarter(supervisor, tmp_path, printed.append)
        supervisor.start(["late"])

        def state() -> str:
            restarter.check_programs(supervisor.states())
            return supervisor.states()["late"].state

        eventually(lambda: state() == GIVEN_UP)
        eventually(lambda: state() != GIVEN_UP)
        (tmp_path / "file").touch()
        eventually(lambda: state() == RUNNING)
    assert len(printed) == 1
    assert "late keeps dying" in printed[0]
    assert "file" in printed[0]


def test_starting_what_runs_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with Supervisor([waits_for(tmp_path / "file")], tmp_path, {}) as supervisor:
        supervisor.start(["late"])
        eventually(lambda: supervisor.states()["late"].state == RUNNING)
        pid = supervisor.states()["late"].pid
        supervisor.start(["late"])
        assert supervisor.states()["late"].pid == pid


def test_nothing_is_begun_on_a_full_disk() -> None:
    printed: list[str] = []
    stop = threading.Event()
    with small_disk(ROOM // 2) as disk:
        arguments = (disk / "not" / "there", printed.append, stop)
        waiting = threading.Thread(target=wait_for_room, args=arguments)
        try:
            waiting.start()
            eventually(lambda: printed)
            assert waiting.is_alive()
            resize(disk, ROOM * 2)
            waiting.join(TIMEOUT)
            assert not waiting.is_alive()
        finally:
            stop.set()
            waiting.join()
    (line,) = printed
    assert f"The disk of {disk} is full" in line


def test_there_is_room_here(tmp_path: Path) -> None:
    wait_for_room(tmp_path / "not" / "there", pytest.fail, threading.Event())
