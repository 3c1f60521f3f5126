"""``vigil device``: which devices may send, and their keys."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil.settings import Settings


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
        from store import patients
        from store.database import connect

        device = patients.Device(device_id, label, patient)
        with connect(Settings()) as connection:
            key = patients.add_device(connection, device, replace=replace)
        typer.echo(
            f"{device_id} is added. Its key, which is not kept and not shown again:", err=True
        )
        typer.echo(key)

    @group.command()
    def revoke(device_id: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
        """End a device's key at once."""
        from store import patients
        from store.database import connect

        with connect(Settings()) as connection:
            patients.revoke_device(connection, device_id)
        typer.echo(f"{device_id} is revoked")

    @group.command("list")
    def list_all() -> None:
        """List the devices, revoked ones too."""
        from store.patients import Device, list_devices
        from vigil.cli.tables import show_stored

        def row(device: Device) -> tuple[str, ...]:
            whose = device.patient_id or "any enrolled patient"
            return device.device_id, whose, device.label, "" if device.active else "revoked"

        headings = ("device", "sends for", "label", "")
        show_stored(list_devices, headings, row, "no devices; `vigil device add` adds one")
