"""The model process with a real child: it answers, falls, hangs, babbles, and is gone."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from explain.language_model.process import LanguageModelProcess, LanguageModelUnavailable
from explain.language_model.reasons import FAILURE_REASONS
from tests.support import scripted_model
from tests.support.running import eventually
from tests.support.timeouts import TIMEOUT

SCRIPT = str(Path(scripted_model.__file__))
QUESTION = [{"role": "user", "content": "Say it."}]


@contextmanager
def child(
    script: str, load_seconds: float = TIMEOUT, file: Path | None = None
) -> Iterator[LanguageModelProcess]:
    command = [sys.executable, SCRIPT, script, *([str(file)] if file else [])]
    with closing(LanguageModelProcess(command, load_seconds)) as process:
        yield process


def fails(process: LanguageModelProcess, seconds: float = TIMEOUT) -> str:
    with pytest.raises(LanguageModelUnavailable) as down:
        process.ask(QUESTION, seconds)
    assert process.pid is None
    assert down.value.reason in FAILURE_REASONS
    return down.value.reason


def test_it_answers_and_says_who() -> None:
    with child("good") as process:
        assert process.ask(QUESTION, TIMEOUT) == scripted_model.GOOD
        assert process.identity == "scripted@test"
        first = process.pid
        assert process.ask(QUESTION, TIMEOUT) == scripted_model.GOOD
        assert process.pid == first


def test_what_a_library_prints_is_no_answer() -> None:
    with child("nonsense") as process:
        assert process.ask(QUESTION, TIMEOUT).startswith("You are fine")


def test_the_child_is_given_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_DATABASE_URL", "postgresql://vigil:secret@db/vigil")
    with child("settings") as process:
        assert process.ask(QUESTION, TIMEOUT) == "none"


def test_a_crash_is_reported_and_the_next_question_starts_another(tmp_path: Path) -> None:
    with child("crash_once", file=tmp_path / "starts") as process:
        assert fails(process) == "crashed"
        assert process.ask(QUESTION, TIMEOUT) == scripted_model.GOOD
    assert (tmp_path / "starts").read_text().count("started") == 2


def test_a_killed_child_is_reported(tmp_path: Path) -> None:
    with child("good") as process:
        process.start()
        assert process.pid
        psutil.Process(process.pid).kill()
        assert fails(process) == "killed"


@pytest.mark.parametrize(
    ("script", "reason"),
    [("out_of_memory", "no_memory"), ("torch_out_of_memory", "no_memory"), ("killed", "killed")],
)
def test_memory_that_ends_while_it_answers(script: str, reason: str) -> None:
    """Refused by a limit, told by torch, or ended by the kernel's killer."""
    with child(script) as process:
        assert fails(process) == reason


def test_the_child_knows_how_long_it_has() -> None:
    with child("seconds") as process:
        assert process.ask(QUESTION, 17) == "17.0"


def test_a_slow_answer_ends_the_child() -> None:
    with child("slow") as process:
        process.start()
        pid = process.pid
        assert pid
        assert fails(process, seconds=0.3) == "deadline"
        assert not psutil.pid_exists(pid)


@pytest.mark.parametrize(
    ("script", "reason"),
    [("missing", "model_missing"), ("no_extra", "extra_missing"), ("no_memory", "no_memory"),
     ("not_the_protocol", "nonsense")],
)  # fmt: skip
def test_a_model_that_cannot_be_loaded_says_why(script: str, reason: str) -> None:
    with child(script) as process:
        assert fails(process) == reason


def test_a_slow_load_is_given_up() -> None:
    with child("slow_load", load_seconds=0.3) as process:
        assert fails(process) == "load_slow"


def test_a_command_that_is_not_there() -> None:
    with closing(LanguageModelProcess(["/nowhere/python"])) as process:
        assert fails(process) == "load_failed"


def test_abort_from_another_thread_frees_who_waits() -> None:
    with child("slow") as process:
        process.start()
        failed: list[str] = []
        asking = threading.Thread(target=lambda: failed.append(fails(process, 60)))
        asking.start()
        process.abort()
        asking.join(TIMEOUT)
        assert failed == ["crashed"]
        assert fails(process) == "crashed"  # and none is started again


def test_the_child_ends_with_its_parent() -> None:
    """Even a parent that is killed: the child sees the end of its stdin."""
    parent = (
        "import sys, time; from explain.language_model.process import LanguageModelProcess\n"
        f"p = LanguageModelProcess([sys.executable, {SCRIPT!r}, 'good']); p.start()\n"
        "print(p.pid, flush=True); time.sleep(60)"
    )
    with psutil.Popen([sys.executable, "-c", parent], stdout=-1) as process:
        pid = int(process.stdout.readline())
        assert psutil.pid_exists(pid)
        process.kill()
        process.wait()
    eventually(lambda: not _runs(pid))


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_question_may_be_asked_with_a_seed() -> None:
    with child("seed") as process:
        assert [process.ask(QUESTION, TIMEOUT), process.ask(QUESTION, 20, 7)] == ["0", "7"]
