"""The readings of one request: which are accepted, which are duplicates, which are rejected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import attrgetter

from ingest import validate
from ingest.http.answers import Result
from vigil.contracts.device_clock import behind_by, shift_of
from vigil.domain import ids
from vigil.domain.directory import DeviceEntry, PatientEntry
from vigil.domain.reading import Measurement, Upload
from vigil.service.errors import AccessError, InputError
from vigil.web.problems import fault_of

MAX_READINGS = 1000
MINUTE = timedelta(minutes=1)
FUTURE = "input.future_time"
BEFORE_ASSIGNMENT = "access.before_assignment"
SENT_AT = "sent_at"
"""Field of a body, beside its readings."""

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

    @property
    def is_before_assignment(self) -> bool:
        """Whether every reading is from before its device was assigned."""
        return all(one.error and one.error.code == BEFORE_ASSIGNMENT for one in self.results)


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
    sent_at: datetime | None = None
    """When the sender sent the request, by its own clock; None: it does not say."""

    @property
    def correction(self) -> timedelta:
        """What is added to the device's times, by its setting."""
        return timedelta(seconds=self.device.clock_correction_seconds)

    @property
    def shift(self) -> float:
        """What is added besides, in seconds: the sender states that its clock is very wrong."""
        return shift_of(self.now, self.sent_at, self.device.clock_correction_seconds)

    @property
    def behind(self) -> timedelta:
        """How far the sender states its clock to be behind, where its times are used as they are:
        whose reading it is is asked of the true time."""
        correction = self.device.clock_correction_seconds
        behind = behind_by(self.now, self.sent_at, correction)
        return timedelta(seconds=0.0 if self.shift else behind)


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
        return [("", {name: words for name, words in body.items() if name != SENT_AT})]
    odd = next((name for name in body if name not in {"readings", SENT_AT}), None)
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


def sent_at(body: object) -> datetime | None:
    """When a request was sent, by the sender's clock, which may be wrong; None: it does not say.

    Raises:
        InputError: it is no time with an offset from UTC.
    """
    if not isinstance(body, dict) or SENT_AT not in body:
        return None
    return validate.any_time(body[SENT_AT], SENT_AT)


def sort_out(found: Sequence[tuple[str, object]], door: Door) -> Batch:
    """Check each reading, and gather what is accepted into one upload per patient.

    Times are shifted as the sender states (:mod:`vigil.contracts.device_clock`), unless a reading
    would then have been measured after it was sent: what it states is by another clock.
    """
    batch = _sorted_out(found, door)
    if door.shift > 0 and any(one.error and one.error.code == FUTURE for one in batch.results):
        return _sorted_out(found, replace(door, sent_at=None), stated=door.sent_at)
    return batch


def _sorted_out(
    found: Sequence[tuple[str, object]], door: Door, stated: datetime | None = None
) -> Batch:
    results: list[Result] = []
    passed: dict[str, list[Measurement]] = {}
    keys: dict[Key, None] = {}
    shift = timedelta(seconds=door.shift)
    for index, (where, words) in enumerate(found):
        try:
            admitted = _admit(words, where, door, shift)
        except (InputError, AccessError) as error:
            results.append(Result(index, "rejected", error=fault_of(error)))
            continue
        patient_id, measurement = admitted.patient_id, admitted.measurement
        note = None if admitted.note is None else fault_of(admitted.note)
        # by the device's own time: a shift differs a little with each attempt to send
        key = (patient_id, measurement.time - shift, measurement.reading_id)
        if key in keys or door.known(key):
            results.append(Result(index, "duplicate", measurement.reading_id, note=note))
            continue
        keys[key] = None
        passed.setdefault(patient_id, []).append(measurement)
        results.append(Result(index, "accepted", measurement.reading_id, note=note))
    return Batch(
        results,
        [
            _upload(who, measurements, door, stated or door.sent_at)
            for who, measurements in passed.items()
        ],
        list(keys),
    )


def _admit(words: object, where: str, door: Door, shift: timedelta) -> validate.Admitted:
    own = door.device.patient_id
    admitted = validate.reading(
        words,
        device_id=door.device.device_id,
        patient_id=own,
        latest=door.latest,
        where=where,
        correction=door.correction + shift,
    )
    if own is not None and admitted.patient_id != own:
        raise AccessError(
            "This device is not assigned to this patient.",
            code="access.not_your_patient",
            field=f"{where}patient_id",
            how_to_fix="Leave patient_id out, or have the device assigned to the patient.",
        )
    since, time = door.device.assigned_at, admitted.measurement.time
    true = time + door.behind
    if own is not None and since is not None and true < _comparable(since, time):
        raise AccessError(
            f"By its time it was measured before this device was assigned to {own}, at"
            f" {ids.timestamp(since)}.",
            code=BEFORE_ASSIGNMENT,
            field=f"{where}time",
            how_to_fix=_hand_over_fix(door, true),
        )
    if door.patient(admitted.patient_id) is None:
        raise InputError(
            f"Nobody is enrolled as {admitted.patient_id}.",
            code="input.unknown_patient",
            field=f"{where}patient_id",
            how_to_fix="Enrol the patient first: `vigil patient add`.",
        )
    return admitted


def _hand_over_fix(door: Door, time: datetime) -> str:
    """What to do about a reading of the former wearer, or of a clock that is slow: all of a slow
    clock's are refused until it shows a time behind the assignment."""
    behind = max(MINUTE, door.now - time + door.correction) // MINUTE
    length = f"{behind // 60}h{behind % 60}min" if behind >= 60 else f"{behind}min"
    return (
        "If the former wearer measured it: clear the device's memory when it changes hands. If it"
        f" was measured just now: the device's clock is {length} slow; set it, state sent_at, or"
        f" run `vigil device clock {door.device.device_id} --behind {length}`."
    )


def _comparable(since: datetime, time: datetime) -> datetime:
    """When a device was assigned to its patient, as coarse as the time of a reading is: one that
    was cut to the minute may have been measured at any of its seconds."""
    return since if time.second or time.microsecond else since.replace(second=0, microsecond=0)


def _upload(
    patient_id: str, measurements: list[Measurement], door: Door, sent_at: datetime | None
) -> Upload:
    patient = door.patient(patient_id)
    return Upload(
        patient_id=patient_id,
        device_id=door.device.device_id,
        received_at=door.now,
        measurements=tuple(sorted(measurements, key=_by_time)),
        synthetic=patient is not None and patient.synthetic,
        sent_at=sent_at,
        clock_correction_seconds=float(door.device.clock_correction_seconds),
        clock_shift_seconds=door.shift,
    )
