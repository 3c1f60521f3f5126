"""A recording through the running system: its patients enrolled, its uploads published in order."""

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


def enrol(settings: Settings, patient_ids: Iterable[str], ward: str | None, default: str) -> int:
    """Enrol a recording's patients; who is enrolled already stays as they are.

    Args:
        ward: put all of them here, also who is enrolled elsewhere; None: the new ones into
            ``default``, the others stay.

    Returns:
        How many were new or moved.
    """

    with connect(settings, autocommit=True) as connection:
        known = set() if ward else {patient.patient_id for patient in list_patients(connection)}
        new = [
            Patient(name, ward or default, synthetic=name.startswith(SYNTHETIC_PREFIX))
            for name in patient_ids
            if name not in known
        ]
        return enrol_many(connection, new)


def paced(uploads: Iterable[Upload], speed: float | None) -> Iterator[Upload]:
    """The uploads, each when its time has come: ``speed`` times faster than they were received.

    Args:
        speed: None: without waiting.
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
    """Put uploads on the topic in order and tell each that the broker has.

    Raises:
        UnavailableError: the broker did not take one. What came before it was told; the same
            replay again changes nothing of that.
    """
    publisher = Publisher(settings, "replay")
    try:
        Feed(publisher, published).take(uploads)
    finally:
        publisher.close()
