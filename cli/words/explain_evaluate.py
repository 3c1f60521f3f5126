"""``vigil explain evaluate``: measures the quality of the texts."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from cli.words.explain import group
from vigil.service.errors import InputError


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    group.command("evaluate")(evaluate)


def evaluate(
    recordings: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[FILE…]", help="Recordings whose episodes are evaluated, too."),
    ] = None,
    *,
    model: Annotated[
        bool,
        typer.Option(help="Evaluate the language model, too (minutes; needs the extra `llm`)."),
    ] = True,
    results: Annotated[
        Path | None,
        typer.Option(help="A Markdown file with markers, into which the tables are written."),
    ] = None,
    blind: Annotated[
        Path | None,
        typer.Option(help="A folder for a sheet of 100 pairs to judge by eye, and its key."),
    ] = None,
) -> None:
    """Check the texts, the model's sentences and the verifier against limits.

    Everything is made from seeds: a second run gives the same figures, except for speeds.
    """
    from cli.words import evaluating
    from explain.evaluation.report import replace_report, to_markdown
    from vigil.service.settings import Settings

    _check_files(recordings or ())
    options = evaluating.EvaluationOptions(
        tuple(recordings or ()), Settings() if model else None, blind
    )
    tables, failed = evaluating.run(options, lambda what: typer.echo(what, err=True))
    block = to_markdown(tables)
    typer.echo(block)
    for line in failed:
        typer.echo(line, err=True)
    if results is not None:
        text = results.read_text("utf-8")
        results.write_text(replace_report(text, block, str(results)), "utf-8")


def _check_files(recordings: Iterable[Path]) -> None:
    for path in recordings:
        if not path.is_file():
            raise InputError(
                f"{path} is not a file.",
                code="input.broken_recording",
                how_to_fix="Name recordings as `vigil replay` takes them, or none.",
            )
