"""``vigil device``: the devices that may send, and their keys."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from vigil.service.settings import Settings

_SIZES = (86_400, 3_600, 60, 1)
_LENGTH = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})min)?(?:(\d{1,9})s)?", re.ASCII)


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Devices and their keys.", no_args_is_help=True)
    app.add_typer(group, name="device")
    group.command()(add)
    group.command()(revoke)
    group.command()(clock)
    group.command("list")(list_all)
    _add_reconcile(group)


def add(
    device_id: Annotated[str, typer.Argument(help="Letters, digits, _.:@+-")],
    patient: Annotated[
        str | None,
        typer.Option(help="Whose readings it sends. None: a hub, for any enrolled patient."),
    ] = None,
    label: Annotated[str, typer.Option(help="For people, e.g. its model.")] = "",
    replace: Annotated[
        bool,
        typer.Option(
            "--replace", help="Give a known device a new key; the old one becomes invalid."
        ),
    ] = False,
) -> None:
    """Add a device and print its key once: only the key's digest is kept."""
    from store.database.connections import connect
    from store.people import patients, propagation

    device = patients.Device(device_id, label, patient)
    with connect(Settings(), autocommit=True) as connection:
        key = patients.add_device(connection, device, replace=replace)
        answer = propagation.wait_for_propagation(connection) if replace else None
    typer.echo(f"{device_id} is added. Its key, which is not stored and not shown again:", err=True)
    typer.echo(key)
    if answer is not None and not answer.complete:
        typer.echo(f"The old key may still be accepted. {answer.missing}", err=True)
        raise typer.Exit(1)


def revoke(device_id: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
    """Revoke a device's key, and report when no gateway accepts it any more."""
    from cli.people import propagation_report
    from store.database.connections import connect
    from store.people import patients

    with connect(Settings(), autocommit=True) as connection:
        known = {one.device_id: one.active for one in patients.list_devices(connection)}
        if known.get(device_id, True):
            patients.revoke_device(connection, device_id)
        again = f"vigil device revoke {device_id}"
        propagation_report.report_propagation(connection, f"{device_id} is revoked", again)


def clock(
    device_id: Annotated[str, typer.Argument(help="As `list` shows it.")],
    behind: Annotated[
        str | None, typer.Option(help="Its clock is behind by so much: 5h, 16min, 1h30min, 90s.")
    ] = None,
    ahead: Annotated[str | None, typer.Option(help="Its clock is ahead by so much.")] = None,
    right: Annotated[
        bool, typer.Option("--right", help="Its clock is right: correct nothing any more.")
    ] = False,
) -> None:
    """Correct the times that a device sends by a constant, from now on.

    The event `device_clock` says how far a clock is off. Put the clock right where you can, and use
    this where you cannot. What was received before stays as it was.
    """
    from cli.people import propagation_report
    from store.database.connections import connect
    from store.people import patients

    given = [name for name in (behind, ahead) if name is not None] + ["0s"] * right
    if len(given) != 1:
        raise typer.BadParameter("Name one: --behind, --ahead or --right.")
    seconds = 0 if right else _seconds(given[0]) * (1 if ahead is None else -1)
    with connect(Settings(), autocommit=True) as connection:
        before = patients.correct_clock(connection, device_id, seconds)
        done = f"{seconds:+d} s are added to the times of {device_id} (before: {before:+d} s)"
        if not seconds:
            done = f"the times of {device_id} are taken as they are (before: {before:+d} s)"
        option = "--right" if right else f"--{'behind' if ahead is None else 'ahead'} {given[0]}"
        again = f"vigil device clock {device_id} {option}"
        propagation_report.report_propagation(connection, done, again)


def _seconds(words: str) -> int:
    """A length of time in words, in seconds.

    Raises:
        BadParameter: it is none, or nothing.

    >>> _seconds("5h"), _seconds("1h30min"), _seconds("16min"), _seconds("90s"), _seconds("2d1h")
    (18000, 5400, 960, 90, 176400)
    """
    found = _LENGTH.fullmatch(words.strip())
    parts = [int(part or 0) for part in found.groups()] if found else []
    seconds = sum(n * size for n, size in zip(parts, _SIZES, strict=False))
    if not seconds:
        raise typer.BadParameter(f"{words!r} is no length of time, as 5h, 16min, 1h30min or 90s.")
    return seconds


def list_all() -> None:
    """List the devices, revoked ones too."""
    from cli.tables import print_stored
    from store.people.patients import Device, list_devices

    def row(device: Device) -> tuple[str, ...]:
        whose = device.patient_id or "any enrolled patient"
        added = device.clock_correction_seconds
        clock = f"{added:+d} s" if added else ""
        return device.device_id, whose, device.label, clock, "" if device.active else "revoked"

    headings = ("device", "sends for", "label", "correction", "")
    print_stored(list_devices, headings, row=row, empty="no devices; `vigil device add` adds one")


def _add_reconcile(group: typer.Typer) -> None:
    group.command()(reconcile)


def reconcile(
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Store them in the database as the gateways know them."),
    ] = False,
    revoke: Annotated[
        bool, typer.Option("--revoke", help="Store them in the database as revoked.")
    ] = False,
) -> None:
    """After a restore: entries that the gateways know newer than the database, or alone.

    Without an option it lists them and changes nothing; the gateways keep what they know.
    """
    from cli.people import propagation_report
    from cli.tables import print_table
    from store.database.connections import connect
    from store.people import directory_topic

    if adopt and revoke:
        raise typer.BadParameter("Name one: --adopt or --revoke.")
    with connect(Settings(), autocommit=True) as connection:
        found = directory_topic.list_conflicts(connection)
        if not found:
            typer.echo("nothing to reconcile: gateways and database agree")
            return
        if adopt or revoke:
            directory_topic.resolve_conflicts(connection, adopt=adopt)
            done = f"{len(found)} entries are {'adopted' if adopt else 'revoked'}"
            propagation_report.report_propagation(connection, done, "vigil device reconcile")
            return
    rows = [
        (
            one.entry,
            "may send" if one.active else "revoked",
            "older" if one.known else "missing",
        )
        for one in found
    ]
    print_table(("entry", "at the gateways", "in the database"), rows, "")
    typer.echo("`vigil device reconcile --adopt` or `--revoke` resolves all of them")
