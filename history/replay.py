"""Replays a recording through the running system: enrols its patients, publishes its uploads."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from history.publishing import Feed
from ingest.recordings.reader import SYNTHETIC_PREFIX
from store.database.connections import connect
from store.people.patients import Patient, enrol_many, list_patients
from vigil.domain.reading import Upload
from vigil.kafka.clients import Publisher

if TYPE_CHECKING:
    from vigil.service.settings import Settings


class Enrolment:
    """Enrols a recording's patients, each before the first upload of theirs: a row that was refused
    enrols nobody. Who is enrolled already stays unchanged.

    Args:
        ward: enrol all of them in this ward, and move there who is enrolled elsewhere; None: the
            new ones go to ``default``, the others stay.
        default: the ward of new patients where ``ward`` is None.
    """

    def __init__(self, settings: Settings, ward: str | None, default: str):
        self._settings = settings
        self._ward = ward
        self._default = default
        self.changed = 0
        """How many were new or moved."""

    def enrolled(self, uploads: Iterable[Upload]) -> Iterator[Upload]:
        """The uploads, each of a patient who is enrolled by then.

        Raises:
            UnavailableError: the database does not answer.
        """
        seen = set() if self._ward else self._enrolled_before()
        for upload in uploads:
            if upload.patient_id not in seen:
                seen.add(upload.patient_id)
                self._enrol(upload.patient_id)
            yield upload

    def _enrolled_before(self) -> set[str]:
        with connect(self._settings, autocommit=True) as connection:
            return {patient.patient_id for patient in list_patients(connection)}

    def _enrol(self, name: str) -> None:
        synthetic = name.startswith(SYNTHETIC_PREFIX)
        patient = Patient(name, self._ward or self._default, synthetic=synthetic)
        with connect(self._settings, autocommit=True) as connection:
            self.changed += enrol_many(connection, [patient])


def paced(uploads: Iterable[Upload], speed: float | None) -> Iterator[Upload]:
    """Yield each upload when it is due: ``speed`` times faster than they were received.

    Args:
        speed: above 0; None: without waiting.
    """
    first: datetime | None = None
    began = time.monotonic()
    for upload in uploads:
        first = upload.received_at if first is None else first
        if speed is not None:
            due = began + (upload.received_at - first).total_seconds() / speed
            time.sleep(max(0.0, due - time.monotonic()))
        yield upload


def publish(
    settings: Settings, uploads: Iterable[Upload], published: Callable[[Upload], None]
) -> None:
    """Publish uploads in order.

    Args:
        published: called with each upload that the broker has acknowledged.

    Raises:
        UnavailableError: the broker did not acknowledge one. Those before it were reported;
            replaying the same recording again changes nothing of them.
    """
    publisher = Publisher(settings, "replay")
    try:
        Feed(publisher, published).publish(uploads)
    finally:
        publisher.close()
