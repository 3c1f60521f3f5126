"""A pressure of the wrong patient: it pages, is withdrawn, and who was paged learns of it."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from detectors import service as detectors_service
from detectors.configuration.loading import load
from explain import service as explain_service
from history.rebuild_sources import FromTopic
from notify import service as notify_service
from store import service as store_service
from store.database.connections import connect
from tests.support import endpoint
from tests.support.running import eventually, running
from tests.support.streaming import read_all
from tests.support.vitals import MIDNIGHT, cuff
from vigil.contracts import topics, wire
from vigil.domain.episode import Event
from vigil.domain.reading import Upload
from vigil.kafka.clients import Publisher
from vigil.service.settings import Settings

pytestmark = pytest.mark.kafka
USUAL, WRONG = [(126.0, 80.0)], [(214.0, 131.0), (212.0, 128.0)]


def vigil(settings: Settings, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Type ``vigil ARGUMENTS``."""
    environment = {
        **os.environ, "VIGIL_KAFKA_BOOTSTRAP": settings.kafka_bootstrap, "VIGIL_DEMO": "1",
        "VIGIL_DATABASE_URL": settings.database(),
    }  # fmt: skip
    return subprocess.run(
        (sys.executable, "-m", "cli.main", *arguments),
        env=environment, timeout=120, capture_output=True, text=True, check=False,
    )  # fmt: skip


def measured(patient: str) -> list[Upload]:
    """One pressure of this patient's, and two of somebody else's, in the last minutes."""
    begin = (datetime.now(UTC) - MIDNIGHT).total_seconds() - 900.0
    return [replace(one, patient_id=patient) for one in cuff(USUAL + WRONG, begin, every=300.0)]


def events_of(settings: Settings, patient: str) -> list[Event]:
    found = [
        wire.decode(r.topic, r.value, r.headers) for r in read_all(settings, topics.EVENTS.name)
    ]
    return [e for e in found if isinstance(e, Event) and e.patient_id == patient]


def test_who_was_paged_learns_that_it_was_somebody_elses(settings: Settings) -> None:
    patient = f"p-{secrets.token_hex(4)}"
    with endpoint.serving("") as pager:
        url = f"json://127.0.0.1:{pager.server_port}/"
        settings = settings.model_copy(update={"oncall_urls": (url,)})

        def pages() -> list[str]:
            return [f"{body['title']}\n{body['message']}" for _, _, body in pager.asked]

        with (
            closing(Publisher(settings, "somebody")) as publisher,
            running(detectors_service.build(settings), settings),
            running(explain_service.build(settings), settings),
            running(store_service.build(settings), settings),
            running(notify_service.build(settings), settings),
        ):
            publisher.publish([wire.to_message(one, "somebody") for one in measured(patient)])
            eventually(lambda: any("Blood pressure high" in page for page in pages()))
            eventually(lambda: _stored(settings, patient) == 3)
            listed = vigil(settings, "reading", "list", patient)
            assert listed.returncode == 0, listed.stderr
            wrong = [
                line.split()[0] for line in listed.stdout.splitlines() if "systolic 21" in line
            ]
            assert len(wrong) == 2
            unknown = vigil(
                settings, "reading", "withdraw", patient, "r-0123456789abcdef",
                "--reason", "wrong_patient", "--yes",
            )  # fmt: skip
            assert unknown.returncode == 2
            assert "input.unknown_reading" in unknown.stderr
            done = vigil(
                settings, "reading", "withdraw", patient, *wrong, "--reason", "wrong_patient",
                "--by", "kim", "--yes",
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            assert "in their time: blood_pressure_high" in done.stdout
            eventually(lambda: any("withdrawn: wrong patient" in page for page in pages()))
            eventually(lambda: _stored(settings, patient) == 1)
            eventually(lambda: not _open(settings, patient))
        informed = [page for page in pages() if "withdrawn" in page]
        assert len(informed) == len({page.split("\n")[1] for page in informed})  # once an episode
    again = vigil(settings, "reading", "withdraw", patient, *wrong, "--reason", "wrong_patient",
                  "--yes")  # fmt: skip
    assert "input.withdrawn_already" in again.stderr
    assert "entered-in-error" in vigil(settings, "reading", "list", patient).stdout
    _check_rebuild(settings, patient)


def _stored(settings: Settings, patient: str) -> int:
    with connect(settings) as connection:
        row = connection.execute(
            "SELECT count(*) AS n FROM readings WHERE patient_id = %s", (patient,)
        ).fetchone()
    return int(row["n"]) if row else 0


def _open(settings: Settings, patient: str) -> list[str]:
    with connect(settings) as connection:
        rows = connection.execute(
            "SELECT kind FROM episodes WHERE patient_id = %s AND category = 'clinical'"
            " AND phase <> 'closed'",
            (patient,),
        )
        return [row["kind"] for row in rows]


def _check_rebuild(settings: Settings, patient: str) -> None:
    """The log played again gives the same events, the withdrawal among them."""
    announced = events_of(settings, patient)
    closed = [e for e in announced if e.evidence.get("reason") == "reading_withdrawn"]
    assert {e.kind for e in closed} >= {"blood_pressure_high"}
    now = datetime.now(UTC) + timedelta(minutes=1)
    with connect(settings) as connection:
        source = FromTopic(settings, connection, load(), frozenset({patient}))
        again = [e for unit in source.units() for part in source.play(unit, now, {}) for e in part]
    assert [e for e in again if e.patient_id == patient] == announced
