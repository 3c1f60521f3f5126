"""``vigil explain phrasebook build``, ``check`` and ``list``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(
    no_args_is_help=True, help="Sentences written and verified ahead; reviewers decide on them."
)
Part = Annotated[str, typer.Option("--signature", help="Only signatures whose key holds this.")]


@group.command()
def build(
    candidates: Annotated[
        int, typer.Option(min=1, max=20, help="Sentences that are asked for a signature.")
    ] = 3,
    out: Annotated[
        Path | None, typer.Option(help="The file; without it, the one that comes with Vigil.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Settles which words are drawn.")] = 7,
    threads: Annotated[
        int, typer.Option(min=1, help="Processor threads; where others work, 1 is quicker.")
    ] = 1,
    signature: Part = "",
) -> None:
    """Write a sentence or more for every signature, and keep what the verifier passes.

    Repeating goes on where it was stopped: what the same model, adapter and prompt have written
    stays, and so does whatever a person has reviewed or written.
    """
    from cli.words import phrase_building
    from explain.phrasebook.files import shipped_path

    phrase_building.build(out or shipped_path(), signature, candidates, seed, threads)


@group.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Without it, the one that comes with Vigil.")
    ] = None,
) -> None:
    """Hold every line of a phrasebook to the verifier; status 1 where one is refused."""
    from explain.phrasebook.files import check_phrases, shipped_path

    count, refused = 0, 0
    for number, phrase, codes in check_phrases(file or shipped_path()):
        count += 1
        if codes:
            refused += 1
            typer.echo(f"line {number}: {', '.join(codes)}: {phrase.text}")
    typer.echo(f"{count} phrases, {refused} refused")
    if refused:
        raise typer.Exit(1)


@group.command("list")
def listing(
    file: Annotated[
        Path | None, typer.Argument(help="Without it, the one that comes with Vigil.")
    ] = None,
    signature: Part = "",
    status: Annotated[
        str, typer.Option(help="Only `draft`, `approved` or `banned` sentences.")
    ] = "",
) -> None:
    """The phrases of a file, by signature. What a running system has is on its board."""
    from explain.phrasebook.files import read_phrases, shipped_path

    if status not in {"", "draft", "approved", "banned"}:
        raise typer.BadParameter(f"{status!r} is no status; known: draft, approved, banned.")
    shown = ""
    for phrase in read_phrases(file or shipped_path()):
        if signature in phrase.signature and status in {"", phrase.status}:
            if phrase.signature != shown:
                shown = phrase.signature
                typer.echo(shown)
            typer.echo(f"  {phrase.status:<8}  {phrase.text}")
