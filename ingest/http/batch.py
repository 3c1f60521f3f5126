"""The readings of one request, sorted out: which pass, which are known, which do not pass."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import NamedTuple

from ingest import validate
from ingest.http.answers import Result
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.domain.reading import Measurement, Upload
from vigil.service.errors import AccessError, InputError
from vigil.web.problems import fault_of

MAX_READINGS = 1000

Key = tuple[str, datetime, str]
"""Patient, time and id: what makes a stored reading unique (a device may restart its ids)."""

_by_time = attrgetter("time")


class Batch(NamedTuple):
    """A request's readings after the door."""

    results: list[Result]
    """One for each, in the order of the request; true once ``uploads`` are with the broker."""
    uploads: list[Upload]
    """One for each patient."""
    keys: list[Key]
    """Of the readings in ``uploads``."""


class Door(NamedTuple):
    """What decides about a reading, besides its own words."""

    device: DeviceEntry
    patient: Callable[[str], PatientEntry | None]
    """Finds an enrolled patient."""
    known: Callable[[Key], bool]
    """Whether a reading was acknowledged before."""
    now: datetime
    latest: datetime


def items(body: object) -> list[tuple[str, object]]:
    """The readings of a body, each with where it stands: one object, or ``{"readings": […]}``.

    Raises:
        InputError: it is neither, or holds none or too many.
    """
    if not isinstance(body, dict):
        raise InputError(
            f"The body is {validate.shown(body)}, not an object.",
            code="input.wrong_type",
            field="body",
            how_to_fix='Send one reading, or {"readings": [...]}.',
        )
    if "readings" not in body:
        return [("", body)]
    odd = next((name for name in body if name != "readings"), None)
    if odd is not None:
        raise InputError(
            f"{validate.shown(odd)} does not stand beside readings.",
            code="input.unknown_field",
            field=odd[:40] or "(empty)",
            how_to_fix="Put it into each reading.",
        )
    readings = body["readings"]
    if not isinstance(readings, list) or not readings:
        raise InputError(
            f"{validate.shown(readings)} is not a list of readings.",
            code="input.wrong_type",
            field="readings",
            how_to_fix=f"Send 1 to {MAX_READINGS} readings.",
        )
    if len(readings) > MAX_READINGS:
        raise InputError(
            f"{len(readings)} readings are too many.",
            code="input.too_large",
            field="readings",
            how_to_fix=f"Send at most {MAX_READINGS} in a request.",
        )
    return [(f"readings[{index}].", words) for index, words in enumerate(readings)]


def sort_out(found: Sequence[tuple[str, object]], door: Door) -> Batch:
    """Pass each reading through the door, and gather what passed into an upload a patient."""
    results: list[Result] = []
    passed: dict[str, list[Measurement]] = {}
    keys: dict[Key, None] = {}
    for index, (where, words) in enumerate(found):
        try:
            patient_id, measurement = _admit(words, where, door)
        except (InputError, AccessError) as error:
            results.append(Result(index, "rejected", error=fault_of(error)))
            continue
        key = (patient_id, measurement.time, measurement.reading_id)
        if key in keys or door.known(key):
            results.append(Result(index, "duplicate", measurement.reading_id))
            continue
        keys[key] = None
        passed.setdefault(patient_id, []).append(measurement)
        results.append(Result(index, "accepted", measurement.reading_id))
    return Batch(results, [_upload(*item, door) for item in passed.items()], list(keys))


def _admit(words: object, where: str, door: Door) -> validate.Admitted:
    own = door.device.patient_id
    admitted = validate.reading(
        words, device_id=door.device.device_id, patient_id=own, latest=door.latest, where=where
    )
    if own is not None and admitted.patient_id != own:
        raise AccessError(
            "This device is not assigned to this patient.",
            code="access.not_your_patient",
            field=f"{where}patient_id",
            how_to_fix="Leave patient_id out, or have the device assigned to the patient.",
        )
    if door.patient(admitted.patient_id) is None:
        raise InputError(
            f"Nobody is enrolled as {admitted.patient_id}.",
            code="input.unknown_patient",
            field=f"{where}patient_id",
            how_to_fix="Enrol the patient first: `vigil patient add`.",
        )
    return admitted


def _upload(patient_id: str, measurements: list[Measurement], door: Door) -> Upload:
    patient = door.patient(patient_id)
    return Upload(
        patient_id,
        door.device.device_id,
        door.now,
        tuple(sorted(measurements, key=_by_time)),
        synthetic=patient is not None and patient.synthetic,
    )
