"""Who is enrolled, and which devices may send for them. Names stay in the database.

Every change notifies the directory's publisher (:mod:`store.people.directory`) when its transaction
commits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from secrets import token_urlsafe
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from store.database.connections import Connection, notify_directory, translated
from vigil.domain.reading import Identifier
from vigil.service import logs
from vigil.service.errors import InputError
from vigil.values.catalogs import LOCALES

log = logs.get("people")
LONGEST_CORRECTION = 316_224_000
"""Seconds: ten years, as of a clock that began at its factory's date. The table holds no more."""
T = TypeVar("T", bound=Struct)
Line = r"^[^\x00-\x1f\x7f]*\Z"
Ward = Annotated[str, Meta(min_length=1, max_length=128, pattern=Line)]
Name = Annotated[str, Meta(max_length=200, pattern=Line)]


class Patient(Struct, frozen=True):
    """A patient as the care team knows them."""

    patient_id: Identifier
    ward: Ward
    display_name: Name = ""
    """Shown on the board only: never on a topic, in a log or to a language model."""
    locale: str = "en"
    """Language of the patient's texts: one of :data:`vigil.values.catalogs.LOCALES`."""
    synthetic: bool = False
    """True for a simulated person."""
    active: bool = True
    """False: removed. Stored data stay; nothing new is accepted."""


class Device(Struct, frozen=True):
    """A device that may send. Its key is shown once, when it is added; we keep the digest."""

    device_id: Identifier
    label: Name = ""
    patient_id: Identifier | None = None
    """None: a hub, which may send for any enrolled patient."""
    active: bool = True
    clock_correction_seconds: int = 0
    """Added to the times that it sends (:func:`correct_clock`)."""


_UPSERT = """
    INSERT INTO patients AS p (patient_id, ward, display_name, locale, synthetic)
    SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::boolean[])
    ON CONFLICT (patient_id) DO UPDATE
    SET ward = EXCLUDED.ward, locale = EXCLUDED.locale, synthetic = EXCLUDED.synthetic,
        display_name = coalesce(nullif(EXCLUDED.display_name, ''), p.display_name),
        changed_at = now()
    WHERE (p.ward, p.locale, p.synthetic) IS DISTINCT FROM
          (EXCLUDED.ward, EXCLUDED.locale, EXCLUDED.synthetic)
       OR EXCLUDED.display_name NOT IN ('', p.display_name)
"""

_ADD_DEVICE = """
    INSERT INTO devices AS d (device_id, label, key_sha256, patient_id)
    VALUES (%s, %s, %s, %s)
    ON CONFLICT (device_id) DO UPDATE
    SET label = EXCLUDED.label, key_sha256 = EXCLUDED.key_sha256,
        patient_id = EXCLUDED.patient_id, active = true, changed_at = now(),
        assigned_at = CASE
            WHEN EXCLUDED.patient_id IS NULL THEN NULL
            WHEN d.patient_id = EXCLUDED.patient_id THEN d.assigned_at
            ELSE now() END
    WHERE %s
"""


def enrol_many(connection: Connection, patients: Iterable[Patient]) -> int:
    """Enrol patients, or bring enrolled ones up to date. Safe to repeat.

    A display name that a person entered is never replaced by an empty one, and a patient whom a
    person removed stays removed; :func:`enrol` enrols them again.

    Returns:
        How many were new or changed.

    Raises:
        InputError: a field is not valid; nobody was enrolled.
        UnavailableError: the database does not answer.
    """
    checked = {patient.patient_id: _with_known_locale(_validated(patient)) for patient in patients}
    fields = ("patient_id", "ward", "display_name", "locale", "synthetic")
    arrays = [[getattr(checked[key], field) for key in sorted(checked)] for field in fields]
    with translated(), connection.transaction():
        changed = connection.execute(_UPSERT, arrays).rowcount if checked else 0
        if changed:
            notify_directory(connection)
    return changed


def enrol(connection: Connection, patient: Patient) -> bool:
    """Enrol one patient, or update them; a removed one is enrolled again.

    Returns:
        Whether anything changed.

    Raises:
        InputError: a field is not valid.
        UnavailableError: the database does not answer.
    """
    with translated(), connection.transaction():
        changed = enrol_many(connection, [patient])
        changed += connection.execute(
            "UPDATE patients SET active = true, changed_at = now()"
            " WHERE patient_id = %s AND NOT active",
            (patient.patient_id,),
        ).rowcount
        if changed:
            notify_directory(connection)
    return bool(changed)


def deactivate(connection: Connection, patient_id: str) -> None:
    """Remove a patient: nothing new is taken for them; what was stored stays.

    Raises:
        InputError: nobody of that id is enrolled.
        UnavailableError: the database does not answer.
    """
    query = (
        "UPDATE patients SET active = false, changed_at = now() WHERE patient_id = %s AND active"
    )
    if not _change(connection, query, (patient_id,)):
        raise _unknown_patient(patient_id)


def list_patients(connection: Connection) -> list[Patient]:
    """Every patient, removed ones too, by id."""
    names = ", ".join(Patient.__struct_fields__)
    with translated():
        rows = connection.execute(
            f"SELECT {names} FROM patients ORDER BY patient_id"  # noqa: S608  (our field names)
        ).fetchall()
    return [Patient(**row) for row in rows]


def add_device(connection: Connection, device: Device, *, replace: bool = False) -> str:
    """Add a device and return its key: ``vk_`` and 256 random bits. It is shown this once.

    Args:
        replace: give a known device a new key, and the rest of ``device``; the old key stops
            working. Where it was another patient's, or a hub, it is this patient's from now on:
            what it measured before is refused.

    Raises:
        InputError: the device exists (and not ``replace``), the patient does not, or a field is
            not valid.
        UnavailableError: the database does not answer.
    """
    device = _validated(device)
    key = f"vk_{token_urlsafe(32)}"
    values = (device.device_id, device.label, key_digest(key), device.patient_id)
    with translated(), connection.transaction():
        if device.patient_id is not None:
            _require_patient(connection, device.patient_id)
        added = connection.execute(
            _ADD_DEVICE,
            (*values, replace),
        )
        if not added.rowcount:
            raise InputError(
                f"There is a device {device.device_id!r} already.",
                code="input.wrong_type",
                field="device_id",
                how_to_fix=(
                    "Choose another id, or replace it (`--replace`): its old key stops working."
                ),
            )
        notify_directory(connection)
    return key


def revoke_device(connection: Connection, device_id: str) -> None:
    """End a device's key at once.

    Raises:
        InputError: there is no such device, or its key is revoked already.
        UnavailableError: the database does not answer.
    """
    query = "UPDATE devices SET active = false, changed_at = now() WHERE device_id = %s AND active"
    if not _change(connection, query, (device_id,)):
        raise _unknown_device(device_id)


def correct_clock(connection: Connection, device_id: str, seconds: int) -> int:
    """Have a number of seconds added to the times that a device sends, from now on.

    What it sent before stays as it was taken. A new key (``add_device`` with ``replace``) leaves
    the correction as it is.

    Args:
        seconds: how far its clock is behind; negative: ahead; 0: its times are taken as they are.

    Returns:
        What was added before.

    Raises:
        InputError: there is no such device, its key is revoked, or the correction is over
            :data:`LONGEST_CORRECTION`.
        UnavailableError: the database does not answer.
    """
    _check_correction(seconds)
    with translated(), connection.transaction():
        row = connection.execute(
            "SELECT clock_correction_seconds AS before FROM devices"
            " WHERE device_id = %s AND active FOR UPDATE",
            (device_id,),
        ).fetchone()
        if row is None:
            raise _unknown_device(device_id)
        before = int(row["before"])
        if before != seconds:
            connection.execute(
                "UPDATE devices SET clock_correction_seconds = %s, changed_at = now()"
                " WHERE device_id = %s",
                (seconds, device_id),
            )
            notify_directory(connection)
    log.info("device clock correction", device=device_id, seconds=seconds, before=before)
    return before


def _check_correction(seconds: int) -> None:
    if abs(seconds) > LONGEST_CORRECTION:
        raise InputError(
            f"A correction by {seconds} s is longer than ten years.",
            code="input.wrong_type",
            field="clock_correction_seconds",
            how_to_fix="Set the device's clock.",
        )


def list_devices(connection: Connection) -> list[Device]:
    """Every device, revoked ones too, by id."""
    names = ", ".join(Device.__struct_fields__)
    with translated():
        rows = connection.execute(
            f"SELECT {names} FROM devices ORDER BY device_id"  # noqa: S608  (our field names)
        ).fetchall()
    return [Device(**row) for row in rows]


def key_digest(key: str) -> str:
    """The stored digest of a key. A plain digest is enough: the key is 256 random bits.

    >>> key_digest("vk_abc")[:8]
    'be1255a7'
    """
    return sha256(key.encode()).hexdigest()


def _change(connection: Connection, query: Any, values: Sequence[object]) -> bool:
    with translated(), connection.transaction():
        changed = connection.execute(query, values).rowcount
        if changed:
            notify_directory(connection)
    return bool(changed)


def _require_patient(connection: Connection, patient_id: str) -> None:
    known = connection.execute(
        "SELECT FROM patients WHERE patient_id = %s AND active FOR SHARE", (patient_id,)
    )
    if known.rowcount != 1:
        raise _unknown_patient(patient_id)


def _unknown_patient(patient_id: str) -> InputError:
    return InputError(
        f"Nobody is enrolled as {patient_id!r}.",
        code="input.unknown_patient",
        field="patient_id",
        how_to_fix="`vigil patient list` shows who is; `vigil patient add` enrols.",
    )


def _unknown_device(device_id: str) -> InputError:
    return InputError(
        f"There is no active device {device_id!r}.",
        code="input.wrong_type",
        field="device_id",
        how_to_fix="`vigil device list` shows the devices.",
    )


def _with_known_locale(patient: Patient) -> Patient:
    """The patient, if there are texts in their locale."""
    if patient.locale not in LOCALES:
        raise InputError(
            f"There are no patient texts in {patient.locale!r}.",
            code="input.wrong_type",
            field="locale",
            how_to_fix=f"A patient's locale is one of: {', '.join(LOCALES)}.",
        )
    return patient


def _validated(struct: T) -> T:
    """The struct, its fields checked against their types (a constructor does not check them)."""
    try:
        return msgspec.convert(msgspec.structs.asdict(struct), type(struct))
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise InputError(
            f"{what}.",
            code="input.wrong_type",
            field=where.rstrip("`") or None,
            how_to_fix="An id is letters, digits and _.:@+-; a name or ward is one line of text.",
        ) from None
