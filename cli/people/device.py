"""``vigil device``: which devices may send, and their keys."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil.service.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Devices and their keys.", no_args_is_help=True)
    app.add_typer(group, name="device")

    @group.command()
    def add(
        device_id: Annotated[str, typer.Argument(help="Letters, digits, _.:@+-")],
        patient: Annotated[
            str | None,
            typer.Option(help="Whose readings it sends. None: a hub, for any enrolled patient."),
        ] = None,
        label: Annotated[str, typer.Option(help="For people, e.g. its model.")] = "",
        replace: Annotated[
            bool, typer.Option("--replace", help="Give a known device a new key; the old one dies.")
        ] = False,
    ) -> None:
        """Add a device and print its key, this once: only its digest is kept."""
        from store.database.connections import connect
        from store.people import in_force, patients

        device = patients.Device(device_id, label, patient)
        with connect(Settings(), autocommit=True) as connection:
            key = patients.add_device(connection, device, replace=replace)
            answer = in_force.wait_until_in_force(connection) if replace else None
        typer.echo(
            f"{device_id} is added. Its key, which is not kept and not shown again:", err=True
        )
        typer.echo(key)
        if answer is not None and not answer.yes:
            typer.echo(f"The old key may still be taken. {answer.why}", err=True)
            raise typer.Exit(1)

    @group.command()
    def revoke(device_id: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
        """End a device's key; said once no door takes it any more."""
        from cli.people import in_force
        from store.database.connections import connect
        from store.people import patients

        with connect(Settings(), autocommit=True) as connection:
            known = {one.device_id: one.active for one in patients.list_devices(connection)}
            if known.get(device_id, True):
                patients.revoke_device(connection, device_id)
            again = f"vigil device revoke {device_id}"
            in_force.say(connection, f"{device_id} is revoked", again)

    @group.command("list")
    def list_all() -> None:
        """List the devices, revoked ones too."""
        from cli.tables import show_stored
        from store.people.patients import Device, list_devices

        def row(device: Device) -> tuple[str, ...]:
            whose = device.patient_id or "any enrolled patient"
            return device.device_id, whose, device.label, "" if device.active else "revoked"

        headings = ("device", "sends for", "label", "")
        show_stored(list_devices, headings, row, "no devices; `vigil device add` adds one")

    _add_reconcile(group)


def _add_reconcile(group: typer.Typer) -> None:
    @group.command()
    def reconcile(
        adopt: Annotated[
            bool,
            typer.Option("--adopt", help="Take them into the database as the doors know them."),
        ] = False,
        revoke: Annotated[
            bool, typer.Option("--revoke", help="Take them into the database as revoked.")
        ] = False,
    ) -> None:
        """After a restore: what the doors know and the database does not, or knew before.

        Without an option it lists them and changes nothing; doors go on as they are.
        """
        from cli.people import in_force
        from cli.tables import show
        from store.database.connections import connect
        from store.people import directory_topic

        if adopt and revoke:
            raise typer.BadParameter("Name one: --adopt or --revoke.")
        with connect(Settings(), autocommit=True) as connection:
            found = directory_topic.list_conflicts(connection)
            if not found:
                typer.echo("nothing: the doors know what the database says")
                return
            if adopt or revoke:
                directory_topic.resolve_conflicts(connection, adopt=adopt)
                done = f"{len(found)} entries are {'adopted' if adopt else 'revoked'}"
                in_force.say(connection, done, "vigil device reconcile")
                return
        rows = [
            (
                one.entry,
                "may send" if one.active else "revoked",
                "older" if one.known else "missing",
            )
            for one in found
        ]
        show(("entry", "at the doors", "in the database"), rows, "")
        typer.echo("`vigil device reconcile --adopt` or `--revoke` settles all of them")
