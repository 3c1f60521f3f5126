"""The readings of one request: which are accepted, which are duplicates, which are rejected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from ingest import validate
from ingest.http.answers import Result
from vigil.domain import ids
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.domain.reading import Measurement, Upload
from vigil.service.errors import AccessError, InputError
from vigil.web.problems import fault_of

MAX_READINGS = 1000

Key = tuple[str, datetime, str]
"""Patient, time and id: what makes a stored reading unique (a device may restart its ids)."""

_by_time = attrgetter("time")


@dataclass(frozen=True, slots=True)
class Batch:
    """A request's readings after the checks."""

    results: list[Result]
    """One for each, in the order of the request; valid once ``uploads`` are acknowledged."""
    uploads: list[Upload]
    """One for each patient."""
    keys: list[Key]
    """Of the readings in ``uploads``."""


@dataclass(frozen=True, slots=True)
class Door:
    """What decides about a reading besides its own content."""

    device: DeviceEntry
    patient: Callable[[str], PatientEntry | None]
    """Finds an enrolled patient."""
    known: Callable[[Key], bool]
    """Whether a reading was acknowledged before."""
    now: datetime
    latest: datetime


def items(body: object) -> list[tuple[str, object]]:
    """The readings of a body, each with its path in it: one object, or ``{"readings": […]}``.

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
            f"{validate.shown(odd)} is not allowed next to readings.",
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
    """Check each reading, and gather what is accepted into one upload per patient."""
    results: list[Result] = []
    passed: dict[str, list[Measurement]] = {}
    keys: dict[Key, None] = {}
    for index, (where, words) in enumerate(found):
        try:
            admitted = _admit(words, where, door)
        except (InputError, AccessError) as error:
            results.append(Result(index, "rejected", error=fault_of(error)))
            continue
        patient_id, measurement = admitted.patient_id, admitted.measurement
        key = (patient_id, measurement.time, measurement.reading_id)
        if key in keys or door.known(key):
            results.append(Result(index, "duplicate", measurement.reading_id))
            continue
        keys[key] = None
        passed.setdefault(patient_id, []).append(measurement)
        results.append(Result(index, "accepted", measurement.reading_id))
    return Batch(
        results,
        [_upload(who, measurements, door) for who, measurements in passed.items()],
        list(keys),
    )


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
    since, time = door.device.assigned_at, admitted.measurement.time
    if own is not None and since is not None and time < _comparable(since, time):
        raise AccessError(
            f"It was measured before this device was given to {own}, at {ids.timestamp(since)}.",
            code="access.before_assignment",
            field=f"{where}time",
            how_to_fix="Clear the device's memory when it changes hands.",
        )
    if door.patient(admitted.patient_id) is None:
        raise InputError(
            f"Nobody is enrolled as {admitted.patient_id}.",
            code="input.unknown_patient",
            field=f"{where}patient_id",
            how_to_fix="Enrol the patient first: `vigil patient add`.",
        )
    return admitted


def _comparable(since: datetime, time: datetime) -> datetime:
    """When a device was given to its patient, as coarse as the time of a reading is: one that was
    cut to the minute may have been measured at any of its seconds."""
    return since if time.second or time.microsecond else since.replace(second=0, microsecond=0)


def _upload(patient_id: str, measurements: list[Measurement], door: Door) -> Upload:
    patient = door.patient(patient_id)
    return Upload(
        patient_id=patient_id,
        device_id=door.device.device_id,
        received_at=door.now,
        measurements=tuple(sorted(measurements, key=_by_time)),
        synthetic=patient is not None and patient.synthetic,
    )
