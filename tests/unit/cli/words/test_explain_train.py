"""``vigil explain train`` on the terminal: progress, the log, Ctrl-C, and clear words."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.words.training import INTERRUPTED, LOG
from explain.training import run
from explain.training.fitting.checkpoint import Check, State
from explain.training.fitting.fit import Report, Stopped
from explain.training.fitting.options import Options
from vigil.service.errors import InputError, UnavailableError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("torch", "transformers", "peft")),
        reason="the extra `llm` is not installed",
    ),
]
RUN = CliRunner()


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VIGIL_MODEL_DIR", str(tmp_path / "models"))


def error_of(*arguments: str) -> BaseException | None:
    return RUN.invoke(app, ["explain", "train", *arguments]).exception


def test_without_the_base_model_it_says_how_to_have_it() -> None:
    error = error_of()
    assert isinstance(error, UnavailableError)
    assert "vigil explain install-model" in error.how_to_fix


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    error = error_of("--out", "file/adapter")
    assert isinstance(error, InputError)
    assert error.field == "--out"


def test_a_number_of_epochs_that_is_none() -> None:
    assert RUN.invoke(app, ["explain", "train", "--epochs", "0"]).exit_code == 2


def test_ctrl_c_is_obeyed_between_two_steps_and_the_log_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    asked: dict[str, Any] = {}

    def train(
        place: run.RunPaths, options: Options, report: Report, *, resume: bool,
        stop: Callable[[], bool],
    ) -> None:  # fmt: skip
        asked.update(place=place, options=options, resume=resume)
        state = State(step=3, checks=[Check(3, 1.5, 1.25, 0.75)])
        report.step(state, 10, 1.5, 1e-4)
        report.check(state, 0.3)
        assert not stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert stop()
        raise Stopped

    monkeypatch.setattr(run, "train", train)
    before = signal.getsignal(signal.SIGINT)
    arguments = ["--seed", "3", "--epochs", "2", "--threads", "1", "--out", "adapter"]
    result = RUN.invoke(app, ["explain", "train", *arguments])
    assert result.exit_code == INTERRUPTED
    assert signal.getsignal(signal.SIGINT) is before
    assert asked["options"] == Options(seed=3, epochs=2)
    assert asked["place"].threads == 1
    lines = (tmp_path / "adapter" / LOG).read_text().splitlines()
    assert [json.loads(line)["loss"] for line in lines] == [1.25]
    assert "epoch 0.3, step 3: loss 1.5000, validation 1.2500, 75.0% pass" in result.output
    assert "--resume --out adapter" in result.output
    RUN.invoke(app, ["explain", "train", "--resume", "--out", "adapter"])
    assert asked["resume"]
    assert len((tmp_path / "adapter" / LOG).read_text().splitlines()) == 2
