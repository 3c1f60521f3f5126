"""What dies is started again, and nothing is left when we end, however we end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import psutil
import pytest

from local.supervisor import GIVEN_UP, RUNNING, Program, Supervisor
from tests.support.disks import fill, small_disk
from tests.support.running import eventually

SLEEPER = (sys.executable, "-c", "import time; time.sleep(600)")


def test_a_killed_program_is_started_again(tmp_path: Path) -> None:
    with Supervisor([Program("sleeper", SLEEPER)], tmp_path, {}) as supervisor:
        supervisor.start(["sleeper"])
        eventually(lambda: supervisor.states()["sleeper"].state == RUNNING)
        first = supervisor.states()["sleeper"].pid
        os.kill(first, signal.SIGKILL)
        eventually(lambda: supervisor.states()["sleeper"].pid not in {0, first})
        second = supervisor.states()["sleeper"].pid
    assert not psutil.pid_exists(second)


def test_programs_get_their_environment_and_their_log(tmp_path: Path) -> None:
    show = (sys.executable, "-c", "import os; print(os.environ['ONE'], os.environ['TWO'], '100%')")
    program = Program("show", show, environment=(("TWO", "50%"),))
    with Supervisor([program], tmp_path, {"ONE": "a b"}) as supervisor:
        supervisor.start(["show"])
        log = supervisor.log_of("show")
        eventually(lambda: log.exists() and "a b 50% 100%" in log.read_text())


@pytest.mark.faults
def test_a_program_stopped_at_the_moment_of_its_death_stays_down(tmp_path: Path) -> None:
    names = ["sleeper", "other"]
    with Supervisor([Program(name, SLEEPER) for name in names], tmp_path, {}) as supervisor:
        supervisor.start(names)
        for _ in range(4):  # about every second time, it hits the moment
            eventually(lambda: {s.state for s in supervisor.states().values()} == {RUNNING})
            os.kill(supervisor.states()["sleeper"].pid, signal.SIGKILL)
            supervisor.states()  # each question lets supervisord go one step on
            supervisor.stop(names)
            assert {s.state for s in supervisor.states().values()} == {"STOPPED"}
            supervisor.start(names)


def test_a_program_that_never_stays_up_is_given_up(tmp_path: Path) -> None:
    broken = Program("broken", (sys.executable, "-c", "raise SystemExit('no luck')"))
    with Supervisor([broken], tmp_path, {}) as supervisor:
        supervisor.start(["broken"])
        eventually(lambda: supervisor.states()["broken"].state in {"BACKOFF", GIVEN_UP})
        assert "no luck" in supervisor.log_of("broken").read_text()


def test_a_supervisor_that_takes_its_time_to_listen_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        textwrap.dedent("""
            import socket, time
            listen = socket.socket.listen
            socket.socket.listen = lambda *args: (time.sleep(0.5), listen(*args))[1]
        """)
    )
    environment = {"PYTHONPATH": str(tmp_path)}
    with Supervisor([Program("sleeper", SLEEPER)], tmp_path, environment) as supervisor:
        assert supervisor.states()["sleeper"].state == "STOPPED"


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
@pytest.mark.faults
def test_killing_us_outright_leaves_nothing_behind(tmp_path: Path) -> None:
    owner = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from local.parts import tethered
        from local.supervisor import Program, Supervisor
        sleeper = tethered({SLEEPER!r})
        with Supervisor([Program("sleeper", sleeper)], Path({str(tmp_path)!r}), {{}}) as supervisor:
            supervisor.start(["sleeper"])
            time.sleep(600)
    """)
    process = subprocess.Popen([sys.executable, "-c", owner])
    family = psutil.Process(process.pid)
    eventually(lambda: len(family.children(recursive=True)) == 2)
    below = family.children(recursive=True)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(below, timeout=60)
    assert alive == []


def test_a_log_is_bounded(tmp_path: Path) -> None:
    """A program that writes much, and supervisord itself, leave a few megabytes at most."""
    code = "import time; [print('x' * 50_000, flush=True) for n in range(600)]; time.sleep(600)"
    with Supervisor([Program("much", (sys.executable, "-c", code))], tmp_path, {}) as supervisor:
        supervisor.start(["much"])
        log = supervisor.log_of("much")
        eventually(lambda: log.with_name("much.log.1").exists())
        kept = (tmp_path / "supervisord.log", log, log.with_name("much.log.1"))

        def bytes_kept() -> int | None:
            try:
                return sum(file.stat().st_size for file in kept)
            except FileNotFoundError:  # one is being renamed
                return None

        assert (eventually(bytes_kept) or 0) < 12_000_000
        configured = supervisor._configuration()
    assert configured.count("logfile_maxbytes") == 2
    assert configured.count("logfile_backups=1\n") == 2


@pytest.mark.faults
def test_a_full_disk_below_the_logs_ends_nothing(tmp_path: Path) -> None:
    """What cannot be written to a log is lost; who wrote it and who keeps it go on."""
    go_on = tmp_path / "go on"
    code = (
        "import pathlib, time\n"
        "while True: print('x' * 1000, pathlib.Path({path!r}).exists(), flush=True);"
        " time.sleep(0.01)"
    )
    talks = f"exec({code.format(path=str(go_on))!r})"
    with (
        small_disk(16 << 20) as disk,
        Supervisor([Program("talks", (sys.executable, "-c", talks))], disk, {}) as supervisor,
    ):
        filler = fill(disk)
        supervisor.start(["talks"])
        eventually(lambda: supervisor.states()["talks"].state == RUNNING)
        pid = supervisor.states()["talks"].pid
        eventually(lambda: any("No space left" in line for line in supervisor._output))
        filler.unlink()
        go_on.touch()
        eventually(lambda: "x True" in supervisor.log_of("talks").read_text())
        assert supervisor.alive()
        assert supervisor.states()["talks"].pid == pid
