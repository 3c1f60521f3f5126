"""Who is enrolled, and which devices may send."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg
import pytest

from store.database.connections import DIRECTORY_CHANNEL, Connection, connect
from store.people.directory import read_tables
from store.people.directory_topic import Published, resolve_conflicts, store_conflicts
from store.people.patients import (
    LONGEST_CORRECTION,
    Device,
    Patient,
    add_device,
    correct_clock,
    deactivate,
    enrol,
    enrol_many,
    key_digest,
    list_devices,
    list_patients,
    revoke_device,
)
from tests.support.notices import notices
from vigil.domain.directory import DeviceEntry
from vigil.service.errors import InputError
from vigil.service.settings import Settings
from vigil.values.catalogs import LOCALES

ADA = Patient("p1", "cardiology", "Ada Lovelace", "es")


def test_enrol_update_remove_enrol_again(connection: Connection) -> None:
    assert enrol(connection, ADA)
    assert not enrol(connection, ADA)
    moved = Patient("p1", "home", "Ada King", "en")
    assert enrol(connection, moved)
    assert list_patients(connection) == [moved]
    deactivate(connection, "p1")
    assert [p.active for p in list_patients(connection)] == [False]
    assert enrol(connection, moved)
    assert list_patients(connection) == [moved]


def test_enrol_many_keeps_what_a_person_decided(connection: Connection) -> None:
    enrol(connection, ADA)
    enrol(connection, Patient("p2", "home"))
    deactivate(connection, "p2")
    unnamed = [Patient("p1", "home", locale="es"), Patient("p2", "home"), Patient("p3", "x")]
    assert enrol_many(connection, unnamed) == 2
    assert enrol_many(connection, unnamed) == 0
    assert enrol_many(connection, []) == 0
    assert list_patients(connection) == [
        Patient("p1", "home", "Ada Lovelace", "es"),
        Patient("p2", "home", active=False),
        Patient("p3", "x"),
    ]


@pytest.mark.parametrize(
    ("patient", "field"),
    [
        (Patient("", "home"), "patient_id"),
        (Patient("Ada Lovelace", "home"), "patient_id"),
        (Patient("p1", ""), "ward"),
        (Patient("p1", "two\nlines"), "ward"),
        (Patient("p1", "home", "x" * 201), "display_name"),
        (Patient("p1", "home", "nul\x00"), "display_name"),
        (Patient("p1", "home", locale="English"), "locale"),
        (Patient("p1", "home", locale="es-MX"), "locale"),
        (Patient("p1", "home", locale=""), "locale"),
    ],
)
def test_a_wrong_field_is_named(connection: Connection, patient: Patient, field: str) -> None:
    with pytest.raises(InputError) as raised:
        enrol_many(connection, [Patient("fine", "home"), patient])
    assert raised.value.field == field
    assert list_patients(connection) == []


def test_an_unknown_locale_is_refused_with_those_that_there_are(connection: Connection) -> None:
    for locale in LOCALES:
        enrol(connection, Patient("p1", "home", locale=locale))
    with pytest.raises(InputError, match="'fr'") as raised:
        enrol(connection, Patient("p1", "home", locale="fr"))
    assert raised.value.how_to_fix == "A patient's locale is one of: en, es, zh, hi, ar."


def test_a_device_that_changes_hands_is_the_next_patients_from_then_on(
    connection: Connection,
) -> None:
    def since() -> datetime | None:
        [row] = connection.execute("SELECT assigned_at FROM devices").fetchall()
        found: datetime | None = row["assigned_at"]
        return found

    for name in ("p1", "p2"):
        enrol(connection, Patient(name, "north"))
    add_device(connection, Device("d1", "watch", "p1"))
    assert since() is None
    add_device(connection, Device("d1", "watch", "p1"), replace=True)
    assert since() is None  # a new key, the same wearer
    add_device(connection, Device("d1", "watch", "p2"), replace=True)
    handed_over = since()
    assert handed_over is not None
    add_device(connection, Device("d1", "watch", "p2"), replace=True)
    assert since() == handed_over
    add_device(connection, Device("d1", "watch"), replace=True)
    assert since() is None  # a hub, which says whose each reading is


def test_nobody_can_be_removed_who_is_not_there(connection: Connection) -> None:
    with pytest.raises(InputError, match="p9"):
        deactivate(connection, "p9")


def test_a_device_has_a_key_once(connection: Connection) -> None:
    enrol(connection, ADA)
    key = add_device(connection, Device("d1", "watch", "p1"))
    assert key.startswith("vk_")
    assert len(key) == 46
    stored: Any = connection.execute("SELECT * FROM devices").fetchone()
    assert stored["key_sha256"] == key_digest(key)
    assert key not in str(stored)
    assert list_devices(connection) == [Device("d1", "watch", "p1")]
    with pytest.raises(InputError, match="already"):
        add_device(connection, Device("d1", "watch", "p1"))
    second = add_device(connection, Device("d1", "newer watch"), replace=True)
    assert second != key
    assert list_devices(connection) == [Device("d1", "newer watch", None)]
    revoke_device(connection, "d1")
    assert list_devices(connection) == [Device("d1", "newer watch", None, active=False)]
    with pytest.raises(InputError, match="d1"):
        revoke_device(connection, "d1")


def test_a_device_belongs_to_someone_who_is_enrolled(connection: Connection) -> None:
    enrol(connection, ADA)
    deactivate(connection, "p1")
    for patient in ("p1", "p9"):
        with pytest.raises(InputError) as raised:
            add_device(connection, Device("d1", patient_id=patient))
        assert raised.value.code == "input.unknown_patient"


def test_each_change_is_announced_and_nothing_else(database_url: str) -> None:
    settings = Settings(demo=True, database_url=database_url)
    with psycopg.connect(database_url, autocommit=True) as listening:
        listening.execute(f"LISTEN {DIRECTORY_CHANNEL}")

        with connect(settings) as connection:

            def notifications() -> int:
                return len(notices(listening, connection, DIRECTORY_CHANNEL))

            enrol_many(connection, [ADA, Patient("p2", "home")])
            connection.commit()
            assert notifications() == 1
            enrol_many(connection, [ADA, Patient("p2", "home")])
            connection.commit()
            assert notifications() == 0
            add_device(connection, Device("d1"))
            connection.commit()
            revoke_device(connection, "d1")
            connection.commit()
            deactivate(connection, "p1")
            connection.commit()
            assert notifications() == 3


def test_a_clock_is_corrected_until_that_is_changed(connection: Connection) -> None:
    enrol(connection, ADA)
    add_device(connection, Device("d1", "watch", "p1"))
    assert correct_clock(connection, "d1", 18_000) == 0
    [entry] = [one.entry for one in read_tables(connection) if isinstance(one.entry, DeviceEntry)]
    assert entry.clock_correction_seconds == 18_000
    add_device(connection, Device("d1", "watch", "p1"), replace=True)  # a new key, the same clock
    assert list_devices(connection)[0].clock_correction_seconds == 18_000
    assert correct_clock(connection, "d1", 0) == 18_000
    for device, seconds in (("d9", 60), ("d1", LONGEST_CORRECTION + 1)):
        with pytest.raises(InputError):
            correct_clock(connection, device, seconds)
    assert correct_clock(connection, "d1", -LONGEST_CORRECTION) == 0
    revoke_device(connection, "d1")
    with pytest.raises(InputError, match="no active device"):
        correct_clock(connection, "d1", 0)


def test_a_restored_database_adopts_the_correction_too(connection: Connection) -> None:
    entry = DeviceEntry("d1", "digest", clock_correction_seconds=960)
    store_conflicts(connection, {"device:d1": Published(entry, None)})
    resolve_conflicts(connection, adopt=True)
    assert list_devices(connection)[0].clock_correction_seconds == 960
