"""``vigil deadletter``: refused messages, and sending them again once the cause is fixed."""

from __future__ import annotations

import sys
from collections import Counter, deque
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.files import write_file
from vigil.domain.ids import timestamp
from vigil.service.errors import CODES, InputError
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from vigil.dead_letters.redrive import DeadLetter


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="What was refused, and why.", no_args_is_help=True)
    app.add_typer(group, name="deadletter")
    group.command("list")(list_dead_letters)
    group.command()(show)
    group.command()(redrive)
    group.command()(publish)


def list_dead_letters(
    reason: Annotated[str, typer.Option(help="Only with this code, or its beginning.")] = "",
    service: Annotated[str, typer.Option(help="Only messages that this service refused.")] = "",
    topic: Annotated[str, typer.Option(help="Only messages of this topic.")] = "",
    since: Annotated[
        str | None, typer.Option(help="Only those that were refused then or later, RFC 3339.")
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=0, help="Show only this many of the newest; all are counted.")
    ] = None,
) -> None:
    """List the dead letters, oldest first, and count them by reason. No content is printed."""
    from history.sources import parse_time
    from vigil.dead_letters.redrive import read_dead_letters

    start = parse_time(since, "--since")
    shown: deque[str] = deque(maxlen=limit)
    counts: Counter[tuple[str, str]] = Counter()
    kept = 0
    for letter in read_dead_letters(Settings()):
        if (
            letter.reason.startswith(reason)
            and service in {"", letter.service}
            and topic in {"", letter.topic}
            and (start is None or letter.time >= start)
        ):
            shown.append(describe(letter))
            counts[letter.reason or "?", letter.service or "?"] += 1
            kept += letter.local
    for line in shown:
        typer.echo(line)
    _print_counts(counts, len(shown))
    if kept:
        typer.echo(f"{kept} kept on this machine: `vigil deadletter publish` sends them")


def show(
    ident: Annotated[
        str, typer.Argument(metavar="ID", help="An id, or its beginning, as `list` shows it.")
    ],
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the message's bytes, and nothing else.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Write the message's bytes here, and print nothing.")
    ] = None,
) -> None:
    """Show a dead letter with its content, which is a patient's data."""
    from vigil.dead_letters.redrive import read_dead_letters

    (letter,) = choose(list(read_dead_letters(Settings())), [ident])
    if out is not None:
        write_file(out, letter.value)
    elif raw:
        sys.stdout.buffer.write(letter.value)
        sys.stdout.buffer.flush()
    else:
        typer.echo("What follows is a patient's data.", err=True)
        print_dead_letter(letter)


def redrive(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Ids, or their beginnings, as `list` shows them.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that can be sent.")] = False,
    send: Annotated[
        bool | None,
        typer.Option("--send/--dry-run", help="Send them / only list what would be sent."),
    ] = None,
) -> None:
    """Send messages again, byte for byte, to the topic that they were on.

    Several messages, or one that would be refused again, are only listed: --send sends them.
    """
    from vigil.dead_letters.redrive import read_dead_letters, restore_originals, send_again

    if bool(ids) == everything:
        raise typer.BadParameter("Name the ids that `vigil deadletter list` shows, or --all.")
    settings = Settings()
    letters = list(read_dead_letters(settings))
    chosen = _sendable(letters) if everything else choose(letters, ids or [])
    count = len(restore_originals(chosen))
    refused_again = _print_doubts(chosen)
    if send is None:
        send = count < 2 and not refused_again
    if not send:
        _print_plan(chosen, count)
        return
    sent = send_again(settings, chosen)
    typer.echo(f"sent {sent} message{'' if sent == 1 else 's'} again")


def publish() -> None:
    """Send the dead letters that are kept on this machine to the topic.

    A worker keeps them here while the topic does not accept them.
    """
    from vigil.dead_letters.redrive import publish_local

    published = publish_local(Settings())
    typer.echo(f"published {published.sent}; {published.left} are still kept here")
    raise typer.Exit(1 if published.left else 0)


def _sendable(letters: list[DeadLetter]) -> list[DeadLetter]:
    """Select the letters that can be sent; print how many are left out, and why."""
    from vigil.dead_letters.redrive import find_refusal

    left: Counter[str] = Counter()
    chosen = []
    for letter in letters:
        against = find_refusal(letter)
        if against is None:
            chosen.append(letter)
        elif letter.whole_bytes is not None or letter.cut:
            left["that were kept only in part"] += 1
        elif against.final:
            left["whose topic does not accept them again"] += 1
        else:
            left["that would be refused again"] += 1
    for why, count in sorted(left.items()):
        typer.echo(f"left out: {count} {why}")
    return chosen


def _print_doubts(letters: list[DeadLetter]) -> bool:
    """Print the letters that would be refused again, and why; True where there is one."""
    from vigil.dead_letters.redrive import find_refusal

    found = False
    for letter in letters:
        against = find_refusal(letter)
        if against is not None:
            found = True
            why = f"{printable(against.why)} {against.how_to_fix}"
            typer.echo(f"{letter.ident} would be refused again: {why}")
    return found


def _print_plan(letters: list[DeadLetter], count: int) -> None:
    """Print what would be sent."""
    for letter in letters:
        typer.echo(describe(letter))
    plural = "" if count == 1 else "s"
    typer.echo(f"would send {count} message{plural} again; nothing was sent: add --send")


def _print_counts(counts: Counter[tuple[str, str]], shown: int) -> None:
    total = counts.total()
    newest = f", the newest {shown} shown" if shown < total else ""
    typer.echo(f"{total} dead letter{'' if total == 1 else 's'}{newest}")
    for (reason, service), times in sorted(counts.items()):
        typer.echo(f"    {times} × {printable(reason)} ({printable(service)})")


def print_dead_letter(letter: DeadLetter) -> None:
    """Print everything of a dead letter, with control characters escaped."""
    cut = f", of {letter.whole_bytes} that it had" if letter.whole_bytes is not None else ""
    rows = [
        ("id", letter.ident),
        ("origin", letter.origin),
        ("service", letter.service),
        ("reason", f"{letter.reason}: {CODES.get(letter.reason, 'not a code of this version')}"),
        ("detail", letter.detail),
        ("time", timestamp(letter.time)),
        ("key", letter.key),
        *((f"header {name}", value) for name, value in letter.headers),
        (f"value, {len(letter.value)} bytes{cut}", letter.value),
    ]
    for name, value in rows:
        typer.echo(f"{printable(name)}: {printable(value)}")


def describe(letter: DeadLetter) -> str:
    """Describe a dead letter in two lines: origin, reason and size, without its content."""
    time = f"{letter.time:%Y-%m-%dT%H:%M:%SZ}"
    first = f"{letter.ident or '(no id)'}  {time}  {letter.origin or '(no origin)'}"
    why = f"{letter.service or '?'}: {letter.reason or '?'}: {letter.detail}"
    here = "  kept on this machine" if letter.local else ""
    return f"{printable(first)}  {len(letter.value)} bytes{here}\n    {printable(why)}"


def printable(text: str | bytes | None) -> str:
    """Escape control characters, so that a text of unknown origin cannot affect a terminal.

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
    """Find the dead letters whose ids begin with the given texts.

    Raises:
        InputError: an id names none of them, or several.
    """
    chosen = []
    for ident in ids:
        matching = [letter for letter in letters if ident and letter.ident.startswith(ident)]
        if len(matching) != 1:
            found = "several dead letters" if matching else "no dead letter"
            raise InputError(
                f"{ident!r} names {found}.",
                code="input.wrong_type",
                field="id",
                how_to_fix="`vigil deadletter list` shows the ids.",
            )
        chosen += matching
    return chosen
