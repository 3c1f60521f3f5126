"""``vigil explain train``: a training run, its progress on the terminal, and its log."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import typer

from vigil.service.errors import InputError

if TYPE_CHECKING:
    from rich.progress import Progress

    from explain.training.card import Manifest
    from explain.training.fitting.checkpoint import State
    from explain.training.fitting.options import Options

LOG = "training.jsonl"
INTERRUPTED = 130


class TrainingProgress:
    """Shows progress on stderr, and logs each measurement of the validation loss."""

    def __init__(self, bar: Progress, log: Path):
        self._bar, self._log = bar, log
        self._task = bar.add_task("training", total=None)

    def step(self, state: State, steps: int, loss: float, rate: float) -> None:
        """Update the progress bar."""
        description = f"loss {loss:.3f}, rate {rate:.1e}"
        self._bar.update(self._task, total=steps, completed=state.step, description=description)

    def check(self, state: State, epoch: float) -> None:
        """Print the newest measurement and append it to the log."""
        check = state.checks[-1]
        better = "" if state.waited else ", the best"
        self._bar.console.print(
            f"epoch {epoch:.1f}, step {check.step}: loss {check.learnt:.4f}, validation"
            f" {check.loss:.4f}, {check.passed:.1%} pass{better}"
        )
        line = {
            "epoch": round(epoch, 3),
            **msgspec.structs.asdict(check),
            "seconds": round(state.seconds, 1),
        }
        with self._log.open("a") as log:
            log.write(json.dumps(line) + "\n")


def train(options: Options, out: Path, threads: int, *, resume: bool) -> None:
    """Fit and write an adapter; Ctrl-C stops it at the next step, from which it can be resumed.

    Raises:
        InputError, UnavailableError: as :func:`explain.training.run.train` does.
    """
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    from explain.training import run
    from explain.training.fitting.fit import Stopped
    from vigil.service.settings import Settings

    _prepare_folder(out, resume=resume)
    folders = run.RunPaths(Settings().model_dir, out, threads=threads)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with _interruptible() as asked, Progress(*columns, console=Console(stderr=True)) as bar:
        try:
            trained = run.train(
                folders,
                options,
                TrainingProgress(bar, out / LOG),
                resume=resume,
                stop=lambda: bool(asked),
            )
        except Stopped:
            bar.console.print(f"Stopped. `--resume --out {out}` with the same options continues.")
            raise typer.Exit(INTERRUPTED) from None
    _print_result(trained, out)


def _print_result(trained: Manifest, out: Path) -> None:
    for part, found in trained.measured.items():
        typer.echo(
            f"{part}: {found.passed:.1%} of {found.signatures} pass the verifier, slot errors"
            f" {found.slot_errors:.1%}, contradictions {found.contradictions:.1%}"
        )
    typer.echo(f"{out}: {trained.name}, SHA-256 {trained.files['adapter_model.safetensors']}")


def _prepare_folder(out: Path, *, resume: bool) -> None:
    """Create the folder and check that it can be written, before the training starts."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not resume:
            (out / LOG).write_text("")
    except OSError as error:
        raise InputError(
            f"{out} cannot be written: {error.strerror}.",
            code="input.wrong_type",
            field="--out",
            how_to_fix="Name a folder that can be written.",
        ) from None


@contextmanager
def _interruptible() -> Iterator[list[int]]:
    """Record Ctrl-C, to stop between two steps; a second one ends the process at once."""
    asked: list[int] = []

    def record_signal(number: int, _frame: Any) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, record_signal)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
