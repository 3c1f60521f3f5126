"""``vigil rebuild``: events once more from what is stored, beside those that were told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    """What is played."""

    store = "store"
    topic = "topic"


class Asked:
    """What the options say; None: not given."""

    def __init__(
        self,
        history: History,
        ward: str | None,
        patient: str | None,
        since: str | None,
        until: str | None,
        warm_up_days: float | None,
        silence: bool,
    ):
        from history.sources import Asked as Range

        named = Range(from_store=True, ward=ward, patient=patient, since=since, until=until)
        self.history, self.ward, self.patient = history, ward, patient
        self.since, self.until = named.since, named.until
        self.warm_up_days, self.silence = warm_up_days, silence
        self._check()

    def _check(self) -> None:
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
        """Where playing begins; None: at each patient's first reading."""
        if self.since is None or self.warm_up_days is None:
            return None
        return self.since - timedelta(days=self.warm_up_days)

    def question(self, config: DetectionConfig) -> str:
        """Equal where the same is asked, so that an interrupted rebuild can be gone on with."""
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

    @app.command()
    def rebuild(
        *,
        history: Annotated[
            History, typer.Option("--from", help="Stored readings, or the topic's messages.")
        ] = History.store,
        config: Annotated[
            Path | None, typer.Option(help="A detection file. [default: the system's own]")
        ] = None,
        ward: Annotated[str | None, typer.Option(help="Patients of this ward.")] = None,
        patient: Annotated[str | None, typer.Option(help="This patient.")] = None,
        since: Annotated[
            str | None, typer.Option(help="Compare what became known then or later, RFC 3339.")
        ] = None,
        until: Annotated[
            str | None, typer.Option(help="Play what was received before then.")
        ] = None,
        warm_up_days: Annotated[
            float | None,
            typer.Option(
                min=0, help="Begin so long before --since. [default: at the first reading]"
            ),
        ] = None,
        silence: Annotated[
            bool, typer.Option("--silence", help="Judge missing data too, by full minutes.")
        ] = False,
        into: Annotated[str, typer.Option(help="The shadow: a schema of its own.")] = "shadow",
        out: Annotated[
            Path | None, typer.Option(help="Write every difference here, JSON lines.")
        ] = None,
        drop: Annotated[
            bool, typer.Option("--drop", help="Remove the shadow, and no more.")
        ] = False,
    ) -> None:
        """Recompute events into a shadow and compare them with those that were told.

        Nobody is paged and nothing is published. Exit status 0: no difference, 1: some, 2: error.
        """
        from store.database.connections import connect
        from store.episodes.shadow import Shadow

        settings = Settings()
        asked = Asked(history, ward, patient, since, until, warm_up_days, silence)
        with connect(settings) as connection:
            shadow = Shadow(connection, into)
            if drop:
                typer.echo(f"{into} is removed" if shadow.drop() else f"there is no {into}")
                return
            different = _run(settings, shadow, asked, config, out)
        if different:
            raise typer.Exit(DIFFERENT)


def _run(
    settings: Settings, shadow: Shadow, asked: Asked, config: Path | None, out: Path | None
) -> bool:
    from cli.history import rebuild_report
    from detectors.configuration.loading import load
    from history import rebuild as rebuilding

    detection = load(config or settings.detection_config)
    wanted, source = _source(settings, shadow.connection, detection, asked)
    with _watched() as told:
        rebuilding.fill(shadow, source, asked.question(detection), _cut(asked), told)
    spans = shadow.patients()
    if not spans:
        raise InputError(
            f"There is no reading to rebuild from in {source.said}.",
            code="input.no_history",
            how_to_fix="Name another --from, or widen the range.",
        )
    window = rebuilding.Window(asked.since, asked.until)
    outcome = rebuilding.hold_against(shadow, source, window, wanted)
    if out is not None:
        _write(out, rebuild_report.lines(outcome, source.said))
    typer.echo(rebuild_report.played(source.said, spans, shadow.name))
    for note in source.notes:
        typer.echo(f"note: {note}")
    rebuild_report.tell(outcome)
    return bool(outcome.different)


def _source(
    settings: Settings, connection: Connection, config: DetectionConfig, asked: Asked
) -> tuple[list[str] | None, Source]:
    from history.rebuild_sources import FromStore, FromTopic
    from store.readings.history import Range, list_patient_ids

    whose = Range(asked.ward, (asked.patient,) if asked.patient else (), asked.begin())
    wanted = list_patient_ids(connection, whose) if asked.ward or asked.patient else None
    if asked.history is History.store:
        return wanted, FromStore(connection, config, whose, silence=asked.silence)
    everyone = None if wanted is None else frozenset(wanted)
    return wanted, FromTopic(settings, connection, config, everyone)


def _cut(asked: Asked) -> datetime:
    from history.rebuild import SETTLING
    from vigil.values.clock import utc_now

    settled = utc_now() - SETTLING
    return min(settled, asked.until) if asked.until else settled


@contextmanager
def _watched() -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; elsewhere nothing."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("rebuilding", total=None)

        def told(done: int, of: int) -> None:
            progress.update(task, completed=done, total=of)

        yield told


def _write(out: Path, lines: Iterator[object]) -> None:
    from cli.files import put
    from vigil.domain.encoding import encode

    put(out, b"".join(encode(line) + b"\n" for line in lines))


def _refuse(why: str, option: str, how_to_fix: str = "") -> None:
    raise InputError(why, code="input.wrong_type", field=option, how_to_fix=how_to_fix)
