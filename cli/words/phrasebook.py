"""``vigil explain phrasebook build``, ``check`` and ``list``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

group = typer.Typer(
    no_args_is_help=True, help="Sentences written and verified in advance, for review."
)
Part = Annotated[str, typer.Option("--signature", help="Only signatures whose key contains this.")]


@group.command()
def build(
    candidates: Annotated[
        int, typer.Option(min=1, max=20, help="Sentences to write for a signature.")
    ] = 3,
    out: Annotated[
        Path | None, typer.Option(help="The file; without it, the one that comes with Vigil.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the sampling.")] = 7,
    threads: Annotated[
        int, typer.Option(min=1, help="Processor threads; on a busy machine 1 is faster.")
    ] = 1,
    signature: Part = "",
) -> None:
    """Write sentences for every signature, and keep those that the verifier accepts.

    A repeated run continues: sentences of the same model, adapter and prompt are kept, and so is
    everything that a person has reviewed or written.
    """
    from cli.words import phrase_building
    from explain.phrasebook.files import shipped_path

    phrase_building.build(
        out or shipped_path(), part=signature, candidates=candidates, seed=seed, threads=threads
    )


@group.command()
def check(
    file: Annotated[
        Path | None, typer.Argument(help="Without it, the one that comes with Vigil.")
    ] = None,
) -> None:
    """Verify every line of a phrasebook; exit status 1 where one is refused."""
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
    """List the phrases of a file by signature; those of a running system are on its board."""
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
