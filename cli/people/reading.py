"""``vigil reading``: the stored readings of a patient, and withdrawing them."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from vigil.service.settings import Settings
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from store.database.connections import AsyncConnection
    from store.readings.listing import ListedReading
    from vigil.domain.reading import Withdrawal

Answer = TypeVar("Answer")
HEADINGS = ("reading", "measured (UTC)", "device", "values", "status", "")
PATIENT = Annotated[str, typer.Argument(help="The patient's id.")]
DEVICE = Annotated[str | None, typer.Option(help="Only what this device sent.")]
SINCE = Annotated[
    str | None, typer.Option("--from", help="Measured then or later: RFC 3339 with an offset.")
]
READINGS = Annotated[
    list[str] | None, typer.Argument(help="Ids of readings, as `list` shows them.")
]
REASON = Annotated[
    str, typer.Option(help="wrong_patient, wrong_device, faulty_measurement or entered_in_error.")
]
UNTIL = Annotated[str | None, typer.Option("--to", help="Measured then or earlier.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Stored readings, and withdrawing them.", no_args_is_help=True)
    app.add_typer(group, name="reading")
    group.command("list")(list_newest)
    group.command()(withdraw)


def list_newest(
    patient: PATIENT,
    device: DEVICE = None,
    since: SINCE = None,
    until: UNTIL = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many.")] = 50,
) -> None:
    """List a patient's readings, newest first, withdrawn ones too."""
    from cli.tables import print_table
    from store.readings import listing

    begin, end = _time(since), _time(until)

    async def read(connection: AsyncConnection) -> list[ListedReading]:
        return await listing.newest_readings(
            connection, patient, device_id=device, since=begin, until=end, limit=limit
        )

    rows = [_row(one) for one in _ask(Settings(), read)]
    print_table(HEADINGS, rows, empty=f"no reading of {patient} is stored")


def withdraw(
    patient: PATIENT,
    readings: READINGS = None,
    *,
    reason: REASON = "",
    device: DEVICE = None,
    since: SINCE = None,
    until: UNTIL = None,
    by: Annotated[str, typer.Option(help="Who withdraws them. Empty: the system's user.")] = "",
    comment: Annotated[str, typer.Option(help="For colleagues.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
) -> None:
    """Withdraw readings: what rested on them is judged again, and who was notified is informed.

    Name them by their ids, or all of a device in a stretch of time. They stay stored, marked with
    who withdrew them, when and why, and count nowhere any more.
    """
    from store.readings import withdrawing

    chosen = withdrawing.Chosen(
        patient,
        reading_ids=tuple(readings or ()),
        device_id=device,
        since=_time(since),
        until=_time(until),
    )
    cause = withdrawing.Cause(reason, by or getpass.getuser(), comment)  # type: ignore[arg-type]  # checked there
    settings = Settings()

    async def prepare(connection: AsyncConnection) -> Withdrawal:
        return await withdrawing.prepare(connection, chosen, cause, utc_now())

    message = _ask(settings, prepare)
    _describe(message)
    if not yes:
        typer.confirm("Withdraw them?", abort=True)
    _publish(settings, message)
    typer.echo(f"withdrawn: {message.withdrawal_id}")


def _describe(message: Withdrawal) -> None:
    """Print what is about to be withdrawn, and what rests on it."""
    first, last = message.readings[0].time, message.readings[-1].time
    typer.echo(
        f"{len(message.readings)} readings of {message.patient_id}, measured from"
        f" {first:%Y-%m-%d %H:%M:%S} to {last:%Y-%m-%d %H:%M:%S} UTC ({message.reason})"
    )
    for one in message.episodes:
        typer.echo(
            f"in their time: {one.kind}, {one.priority}, first seen {one.onset:%Y-%m-%d %H:%M}"
        )


def _publish(settings: Settings, message: Withdrawal) -> None:
    from vigil.contracts import wire
    from vigil.kafka.clients import Publisher

    publisher = Publisher(settings, "cli", connect_timeout_seconds=10)
    try:
        publisher.publish([wire.to_message(message, "cli")])
    finally:
        publisher.close()


def _ask(settings: Settings, ask: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
    """Ask the database, on a connection of its own."""
    from store.database.connections import async_pool, connect

    connect(settings).close()  # reports at once what a pool would try again

    async def run() -> Answer:
        async with async_pool(settings, size=1) as pool, pool.connection() as connection:
            return await ask(connection)

    return asyncio.run(run())


def _time(text: str | None) -> datetime | None:
    from vigil.values import timestamps

    if text is None:
        return None
    try:
        return timestamps.parse(text)
    except timestamps.NotATimeError as error:
        raise typer.BadParameter(f"{text!r} is not a time with an offset from UTC.") from error


def _row(one: ListedReading) -> tuple[str, ...]:
    from vigil.domain import figures

    shown = ", ".join(f"{name} {figures.text(name, value)}" for name, value in one.values.items())
    taken: Any = one.withdrawn
    why = "" if taken is None else f"{taken.actor}, {taken.time:%Y-%m-%d %H:%M}: {taken.reason}"
    status = "final" if taken is None else "entered-in-error"
    return (one.reading_id, f"{one.time:%Y-%m-%d %H:%M:%S}", one.device_id, shown, status, why)
