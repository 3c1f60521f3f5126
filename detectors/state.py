"""What is remembered of one patient, and its form in the database.

The form is MessagePack of plain numbers and text: small, exact to the last bit, and read without
running anything it says (a plug-in's river objects are bytes in it, which :mod:`detectors.pickles`
reads). It carries a version. Fields are added at the end of a struct, with defaults, so that an
older state loads; a detector that is new since it was saved begins afresh, one that is gone is
dropped.

What of a state cannot be read is begun afresh and named in ``Patient.lost``; the open episodes are
the last thing to be given up, since nobody else could close them.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from detectors.context import Heard
from detectors.contract import Detector
from detectors.holding import Held
from detectors.silence import Hearing
from detectors.sources import Devices
from detectors.tracks import Track
from detectors.watch import Book, Watches
from vigil.errors import WireError

VERSION = 1


class Saved(Struct, array_like=True):
    """A patient's state as it is saved."""

    version: int
    newest: dict[str, float]
    """Signal → time of the newest reading taken."""
    synthetic: bool
    quality: float
    heard: Heard
    hearing: Hearing
    tracks: dict[str, Track]
    book: Book
    memories: dict[str, Any]
    held: dict[str, Held] = {}
    devices: Devices = msgspec.field(default_factory=Devices)


class _Episodes(Struct, array_like=True):
    """The least that is worth keeping of a state: what was taken, and what is open."""

    version: int
    newest: dict[str, float]
    synthetic: bool
    quality: Any
    heard: Any
    hearing: Any
    tracks: Any
    book: Book


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Patient:
    """A patient's state as the engine works on it."""

    __slots__ = (
        "book",
        "devices",
        "heard",
        "hearing",
        "held",
        "lost",
        "memories",
        "newest",
        "quality",
        "restored",
        "synthetic",
        "tracks",
    )

    def __init__(self, detectors: Mapping[str, Detector], known: Mapping[str, Any] = NOTHING):
        """``known``: memories by detector; of the others they are fresh."""
        self.newest: dict[str, float] = {}
        self.synthetic = False
        self.quality = 1.0
        """Share of values admitted of late: an exponential mean over about 50 readings."""
        self.heard = Heard()
        self.hearing = Hearing()
        self.tracks: dict[str, Track] = {}
        self.held: dict[str, Held] = {}
        """Readings that wait for a second one that agrees."""
        self.devices = Devices()
        self.book = Book({}, {})
        self.memories = {
            name: known[name] if name in known else detector.fresh()
            for name, detector in detectors.items()
        }
        self.restored = False
        """Loaded, and not yet held against the configuration in force."""
        self.lost: tuple[str, ...] = ()
        """What of the saved state could not be read, and was begun afresh."""

    @property
    def watches(self) -> Watches:
        """The kinds that have an episode open or on its way."""
        return self.book.watches


_encoder = msgspec.msgpack.Encoder(order="deterministic")
_decoder = msgspec.msgpack.Decoder(Saved)
_least = msgspec.msgpack.Decoder(_Episodes)
_BROKEN = (msgspec.DecodeError, ValueError, TypeError, LookupError, AttributeError)


def dump(patient: Patient, detectors: Mapping[str, Detector]) -> bytes:
    """The bytes to save; equal states are equal bytes."""
    return _encoder.encode(
        Saved(
            VERSION, patient.newest, patient.synthetic, patient.quality,
            patient.heard, patient.hearing, patient.tracks, patient.book,
            {name: row.dump(patient.memories[name]) for name, row in detectors.items()},
            patient.held, patient.devices,
        )
    )  # fmt: skip


def load(state: bytes, detectors: Mapping[str, Detector]) -> Patient:
    """The patient again.

    Raises:
        WireError: the bytes are not a state, or of a later version.
    """
    try:
        saved = _decoder.decode(state)
    except msgspec.DecodeError:
        return _only_episodes(state, detectors)
    _check(saved.version)
    known: dict[str, Any] = {}
    lost: list[str] = []
    for name, plain in saved.memories.items():
        if name in detectors:
            try:
                known[name] = detectors[name].load(plain)
            except _BROKEN:
                lost.append(name)
    patient = Patient(detectors, known)
    patient.lost = tuple(lost)
    patient.newest, patient.quality = saved.newest, saved.quality
    patient.synthetic = saved.synthetic
    patient.heard, patient.hearing = saved.heard, saved.hearing
    patient.tracks, patient.book = saved.tracks, saved.book
    patient.held, patient.devices = saved.held, saved.devices
    patient.restored = True
    return patient


def _only_episodes(state: bytes, detectors: Mapping[str, Detector]) -> Patient:
    """From a state that cannot be read whole, what was taken and what is open."""
    try:
        saved = _least.decode(state)
    except msgspec.DecodeError as error:
        raise _unreadable(str(error)) from error
    _check(saved.version)
    patient = Patient(detectors)
    patient.newest, patient.synthetic, patient.book = saved.newest, saved.synthetic, saved.book
    patient.restored, patient.lost = True, ("context", "hearing", "tracks", *detectors)
    return patient


def _check(version: int) -> None:
    if version != VERSION:
        raise _unreadable(f"it is of version {version}")


def _unreadable(why: str) -> WireError:
    return WireError(
        f"A detector state cannot be read: {why}.",
        code="wire.broken_message",
        mend="Use the version of Vigil that wrote it, or delete the patient's row in "
        "detector_states: the baseline is then learned anew.",
    )
