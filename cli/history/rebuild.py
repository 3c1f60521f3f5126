"""``vigil rebuild``: recomputes events from stored data and compares them with the live ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from vigil.service.errors import InputError
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from detectors.configuration.loading import DetectionConfig
    from history.rebuild_sources import Source
    from store.database.connections import Connection
    from store.episodes.shadow import Shadow

DIFFERENT = 1
"""Exit status where something differs; 0: nothing does."""


class History(StrEnum):
    """Which history is played."""

    store = "store"
    topic = "topic"


From = Annotated[History, typer.Option("--from", help="Stored readings, or the topic's messages.")]
Config = Annotated[Path | None, typer.Option(help="A detection file. [default: the system's own]")]
Ward = Annotated[str | None, typer.Option(help="Patients of this ward.")]
Patient = Annotated[str | None, typer.Option(help="This patient.")]
ComparedSince = Annotated[
    str | None, typer.Option(help="Compare what became known then or later, RFC 3339.")
]
PlayedUntil = Annotated[str | None, typer.Option(help="Play what was received before then.")]
WarmUpDays = Annotated[
    float | None,
    typer.Option(
        min=0, help="Begin this many days before --since. [default: at the first reading]"
    ),
]
Silence = Annotated[
    bool, typer.Option("--silence", help="Judge missing data too, by full minutes.")
]
Into = Annotated[str, typer.Option(help="The shadow: a schema of its own.")]
Out = Annotated[Path | None, typer.Option(help="Write every difference here, JSON lines.")]
Drop = Annotated[bool, typer.Option("--drop", help="Remove the shadow, and nothing else.")]


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """The options of the command. None: not given."""

    history: History
    ward: str | None
    patient: str | None
    since: datetime | None
    until: datetime | None
    warm_up_days: float | None
    silence: bool

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            InputError: naming the option.
        """
        if self.since and self.until and self.since >= self.until:
            _refuse("--since is not before --until.", "--since")
        if self.warm_up_days is not None and self.since is None:
            _refuse("--warm-up-days is counted back from --since.", "--warm-up-days")
        if self.history is History.topic and self.warm_up_days is not None:
            _refuse(
                "--warm-up-days is for --from store.",
                "--warm-up-days",
                "The topic is played from the beginning of what is retained.",
            )
        if self.history is History.topic and self.silence:
            _refuse("--silence is for --from store.", "--silence", "The topic has its own ticks.")

    def begin(self) -> datetime | None:
        """The time at which playing begins; None: at each patient's first reading."""
        if self.since is None or self.warm_up_days is None:
            return None
        return self.since - timedelta(days=self.warm_up_days)

    def question(self, config: DetectionConfig) -> str:
        """Identify what is rebuilt, so that an interrupted rebuild can be continued."""
        from detectors.episodes.evidence import DETECTOR_VERSION

        parts = (
            self.history.value,
            self.ward,
            self.patient,
            self.begin(),
            self.until,
            self.silence,
            config.config_hash,
            DETECTOR_VERSION,
        )
        return " ".join(str(part) for part in parts)


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(rebuild)


def rebuild(
    *,
    history: From = History.store,
    config: Config = None,
    ward: Ward = None,
    patient: Patient = None,
    since: ComparedSince = None,
    until: PlayedUntil = None,
    warm_up_days: WarmUpDays = None,
    silence: Silence = False,
    into: Into = "shadow",
    out: Out = None,
    drop: Drop = False,
) -> None:
    """Recompute events into a shadow and compare them with the live events.

    Nobody is paged and nothing is published. Exit status 0: no difference, 1: some, 2: error.
    """
    from history.sources import parse_time
    from store.database.connections import connect
    from store.episodes.shadow import Shadow

    settings = Settings()
    options = RebuildOptions(
        history=history,
        ward=ward,
        patient=patient,
        since=parse_time(since, "--since"),
        until=parse_time(until, "--until"),
        warm_up_days=warm_up_days,
        silence=silence,
    )
    options.check()
    with connect(settings) as connection:
        shadow = Shadow(connection, into)
        if drop:
            typer.echo(f"{into} is removed" if shadow.drop() else f"{into} does not exist")
        elif _run(settings, shadow, options, config=config, out=out):
            raise typer.Exit(DIFFERENT)


def _run(
    settings: Settings,
    shadow: Shadow,
    options: RebuildOptions,
    *,
    config: Path | None,
    out: Path | None,
) -> bool:
    """Rebuild, compare and report; True where something differs."""
    from cli.history import rebuild_report
    from detectors.configuration.loading import load
    from history import rebuild as rebuilding

    detection = load(config or settings.detection_config)
    wanted, source = _open_source(settings, shadow.connection, config=detection, options=options)
    with _show_progress() as on_progress:
        rebuilding.fill_shadow(
            shadow,
            source,
            question=options.question(detection),
            cut=_played_until(options),
            on_progress=on_progress,
        )
    spans = shadow.patients()
    if not spans:
        raise InputError(
            f"There is no reading to rebuild from in {source.description}.",
            code="input.no_history",
            how_to_fix="Name another --from, or widen the range.",
        )
    window = rebuilding.Window(options.since, options.until)
    outcome = rebuilding.compare_with_live(shadow, source, window=window, wanted=wanted)
    if out is not None:
        _write(out, rebuild_report.difference_lines(outcome, source.description))
    typer.echo(rebuild_report.describe_played(source.description, spans, shadow.name))
    for note in source.notes:
        typer.echo(f"note: {note}")
    rebuild_report.print_comparison(outcome)
    return bool(outcome.different)


def _open_source(
    settings: Settings,
    connection: Connection,
    *,
    config: DetectionConfig,
    options: RebuildOptions,
) -> tuple[list[str] | None, Source]:
    from history.rebuild_sources import FromStore, FromTopic
    from store.readings.history import Range, list_patient_ids

    whose = Range(options.ward, (options.patient,) if options.patient else (), options.begin())
    wanted = list_patient_ids(connection, whose) if options.ward or options.patient else None
    if options.history is History.store:
        return wanted, FromStore(connection, config, whose, silence=options.silence)
    everyone = None if wanted is None else frozenset(wanted)
    return wanted, FromTopic(settings, connection, config=config, wanted=everyone)


def _played_until(options: RebuildOptions) -> datetime:
    from history.rebuild import SETTLING
    from vigil.values.clock import utc_now

    settled = utc_now() - SETTLING
    return min(settled, options.until) if options.until else settled


@contextmanager
def _show_progress() -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal; yields a function to call with units done and units."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rebuilding", total=None)

        def on_progress(done: int, units: int) -> None:
            progress.update(task, completed=done, total=units)

        yield on_progress


def _write(out: Path, lines: Iterator[object]) -> None:
    from cli.files import write_file
    from vigil.domain.encoding import encode

    write_file(out, b"".join(encode(line) + b"\n" for line in lines))


def _refuse(why: str, option: str, how_to_fix: str = "") -> None:
    raise InputError(why, code="input.wrong_type", field=option, how_to_fix=how_to_fix)
