"""``vigil deadletter``: what was refused, and sending it again once the cause is mended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from vigil.settings import Settings

if TYPE_CHECKING:
    from vigil.deadletters import DeadLetter


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What was refused, and why.", no_args_is_help=True)
    app.add_typer(group, name="deadletter")

    @group.command("list")
    def list_letters(
        show: Annotated[
            bool, typer.Option("--show", help="Print the messages too. They are patients' data.")
        ] = False,
    ) -> None:
        """List the dead letters, oldest first. Without --show no content is printed."""
        from vigil.deadletters import read

        count = 0
        for letter in read(Settings()):
            count += 1
            typer.echo(describe(letter))
            if show:
                typer.echo(f"    key   {printable(letter.key)}")
                typer.echo(f"    value {printable(letter.value)}")
        typer.echo(f"{count} dead letter{'' if count == 1 else 's'}")

    @group.command()
    def redrive(
        ids: Annotated[
            list[str] | None, typer.Argument(help="Ids, or their beginnings, as `list` shows them.")
        ] = None,
        everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    ) -> None:
        """Send messages again, byte for byte, to the topic that they were on."""
        from vigil import deadletters

        if bool(ids) == everything:
            raise typer.BadParameter("Name the ids that `vigil deadletter list` shows, or --all.")
        settings = Settings()
        letters = list(deadletters.read(settings))
        chosen = letters if everything else choose(letters, ids or [])
        sent = deadletters.redrive(settings, chosen)
        typer.echo(f"sent {sent} message{'' if sent == 1 else 's'} again")


def describe(letter: DeadLetter) -> str:
    """One letter in two lines: where it was, why it is here, how large it is; nothing it holds."""
    time = letter.time.strftime("%Y-%m-%dT%H:%M:%SZ")
    first = f"{letter.ident or '(no id)'}  {time}  {letter.origin or '(no origin)'}"
    why = f"{letter.service or '?'}: {letter.reason or '?'}: {letter.detail}"
    return f"{printable(first)}  {len(letter.value)} bytes\n    {printable(why)}"


def printable(text: str | bytes | None) -> str:
    """Text that does nothing to a terminal, whoever wrote it: control characters are escaped.

    >>> printable(b"a\\x1b[31m")
    'a\\\\x1b[31m'
    """
    if text is None:
        return "(none)"
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def choose(letters: list[DeadLetter], ids: list[str]) -> list[DeadLetter]:
    """The letters whose ids begin so.

    Raises:
        InputError: an id names none of them, or several.
    """
    from vigil.errors import InputError

    chosen = []
    for ident in ids:
        matching = [letter for letter in letters if ident and letter.ident.startswith(ident)]
        if len(matching) != 1:
            found = "several dead letters" if matching else "no dead letter"
            raise InputError(
                f"{ident!r} names {found}.",
                code="input.wrong_type",
                field="id",
                mend="`vigil deadletter list` shows the ids.",
            )
        chosen += matching
    return chosen
