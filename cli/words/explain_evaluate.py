"""``vigil explain evaluate``: how good the words are, in figures."""

from __future__ import annotations

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
        typer.Argument(metavar="[FILE…]", help="Recordings whose episodes are told too."),
    ] = None,
    *,
    model: Annotated[
        bool, typer.Option(help="Ask the language model too (minutes; needs the extra `llm`).")
    ] = True,
    results: Annotated[
        Path | None, typer.Option(help="A Markdown file with markers, to put the tables into.")
    ] = None,
    blind: Annotated[
        Path | None,
        typer.Option(help="A folder for a sheet of 100 pairs to judge by eye, and its key."),
    ] = None,
) -> None:
    """Hold what goes out, what the model writes and what the verifier lets through against limits.

    Everything is made from seeds, so a second run gives the same figures but for the speeds.
    """
    from cli.words import evaluating
    from explain.evaluation.report import replace_report, to_markdown
    from vigil.service.settings import Settings

    for path in recordings or ():
        if not path.is_file():
            raise InputError(
                f"{path} is no file.",
                code="input.broken_recording",
                how_to_fix="Name recordings as `vigil replay` takes them, or none.",
            )
    asked = evaluating.Asked(tuple(recordings or ()), Settings() if model else None, blind)
    tables, failed = evaluating.run(asked, lambda what: typer.echo(what, err=True))
    block = to_markdown(tables)
    typer.echo(block)
    for line in failed:
        typer.echo(line, err=True)
    if results is not None:
        text = results.read_text("utf-8")
        results.write_text(replace_report(text, block, str(results)), "utf-8")
