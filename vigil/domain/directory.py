"""Who is enrolled and what may send, as the pipeline must know them: no names."""

from __future__ import annotations

from msgspec import Struct

from vigil.domain.reading import Identifier, Timestamp


class PatientEntry(Struct, frozen=True, tag="patient"):
    """A patient as the pipeline must know them: no name, no date of birth."""

    patient_id: Identifier
    ward: str
    locale: str = "en"
    active: bool = True
    synthetic: bool = False


class DeviceEntry(Struct, frozen=True, tag="device"):
    """A device and the digest of its key (SHA-256 of 256 random bits; see docs/security.md)."""

    device_id: Identifier
    key_sha256: str
    patient_id: str | None = None
    """None: a hub that may send for any enrolled patient."""
    active: bool = True
    assigned_at: Timestamp | None = None
    """Since when it is this patient's, where it was another's before; None: nobody else's, as far
    as is known."""
    clock_correction_seconds: int = 0
    """Added to the times that it sends: how far its clock is behind; negative: ahead."""


DirectoryEntry = PatientEntry | DeviceEntry
