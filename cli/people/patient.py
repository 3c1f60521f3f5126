"""``vigil patient``: the enrolled patients."""

from __future__ import annotations

from typing import Annotated

import typer

from vigil.service.settings import Settings


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Who is enrolled.", no_args_is_help=True)
    app.add_typer(group, name="patient")
    group.command()(add)
    group.command()(remove)
    group.command("list")(list_all)


def add(
    patient_id: Annotated[str, typer.Argument(help="Pseudonymous: letters, digits, _.:@+-")],
    ward: Annotated[str, typer.Option(help="The team that watches over this patient.")],
    name: Annotated[
        str,
        typer.Option(help="Shown on the board only. Empty keeps the present name."),
    ] = "",
    locale: Annotated[
        str, typer.Option(help="What the patient reads: en, es, zh, hi or ar.")
    ] = "en",
) -> None:
    """Enrol a patient, change an enrolled one, or enrol a removed one again."""
    from store.database.connections import connect
    from store.people import patients

    patient = patients.Patient(patient_id=patient_id, ward=ward, display_name=name, locale=locale)
    with connect(Settings()) as connection:
        changed = patients.enrol(connection, patient)
    typer.echo(f"{patient_id} is enrolled" if changed else "nothing to change")


def remove(patient_id: Annotated[str, typer.Argument(help="As `list` shows it.")]) -> None:
    """Accept no more readings for a patient. Stored data are kept."""
    from store.database.connections import connect
    from store.people import patients, propagation

    with connect(Settings(), autocommit=True) as connection:
        patients.deactivate(connection, patient_id)
        answer = propagation.wait_for_propagation(connection)
    typer.echo(f"{patient_id} is removed; stored data are kept")
    if not answer.complete:
        typer.echo(f"Not yet in force at every gateway. {answer.missing}")
        raise typer.Exit(1)


def list_all() -> None:
    """List the patients, removed ones too."""
    from cli.tables import print_stored
    from store.people.patients import Patient, list_patients

    def row(patient: Patient) -> tuple[str, ...]:
        states = ("" if patient.active else "removed", "synthetic" if patient.synthetic else "")
        return patient.patient_id, patient.ward, patient.display_name, patient.locale, *states

    headings = ("patient", "ward", "name", "locale", "", "")
    empty = "nobody is enrolled; `vigil patient add` enrols"
    print_stored(list_patients, headings, row=row, empty=empty)
