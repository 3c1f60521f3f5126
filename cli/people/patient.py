"""``vigil patient``: who is enrolled."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil.service.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Who is enrolled.", no_args_is_help=True)
    app.add_typer(group, name="patient")

    @group.command()
    def add(
        patient_id: Annotated[str, typer.Argument(help="Pseudonymous: letters, digits, _.:@+-")],
        ward: Annotated[str, typer.Option(help="The team that watches over this patient.")],
        name: Annotated[
            str, typer.Option(help="Shown on the board, and nowhere else. Empty keeps what it is.")
        ] = "",
        locale: Annotated[
            str, typer.Option(help="What the patient reads: en, es, zh, hi or ar.")
        ] = "en",
    ) -> None:
        """Enrol a patient, or change one who is; a removed one is enrolled again."""
        from store.database.connections import connect
        from store.people import patients

        patient = patients.Patient(patient_id, ward, name, locale)
        with connect(Settings()) as connection:
            changed = patients.enrol(connection, patient)
        typer.echo(f"{patient_id} is enrolled" if changed else "nothing to change")

    @group.command()
    def remove(patient_id: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
        """Take nothing more for a patient. What was stored stays."""
        from store.database.connections import connect
        from store.people import in_force, patients

        with connect(Settings(), autocommit=True) as connection:
            patients.deactivate(connection, patient_id)
            answer = in_force.wait_until_in_force(connection)
        typer.echo(f"{patient_id} is removed; what was stored stays")
        if not answer.yes:
            typer.echo(f"Not yet in force at every door. {answer.why}")
            raise typer.Exit(1)

    @group.command("list")
    def list_all() -> None:
        """List the patients, removed ones too."""
        from cli.tables import show_stored
        from store.people.patients import Patient, list_patients

        def row(patient: Patient) -> tuple[str, ...]:
            states = ("" if patient.active else "removed", "synthetic" if patient.synthetic else "")
            return patient.patient_id, patient.ward, patient.display_name, patient.locale, *states

        headings = ("patient", "ward", "name", "locale", "", "")
        empty = "nobody is enrolled; `vigil patient add` enrols"
        show_stored(list_patients, headings, row, empty)
