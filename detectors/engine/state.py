"""What is remembered of one patient, and its form in the database.

The form is MessagePack of plain numbers and text: small, exact to the last bit, and read without
running any of it (a plug-in's river objects are bytes in it, which
:mod:`detectors.river_plugin.pickles` reads). It carries a version: an older one is read through the
steps of :mod:`detectors.engine.state_versions`, a later one is refused. A detector that is new
since it was saved begins afresh, as one whose memory held nothing does; one that is gone is
dropped.

What of a state cannot be read is begun afresh and named in ``PatientState.lost``; the open episodes
are the last thing to be given up, since nobody else could close them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from msgspec.structs import astuple

from detectors.admission.clocks.memory import forget_impossible
from detectors.admission.held_readings import Held
from detectors.admission.same_time import Taken
from detectors.admission.sources import Devices
from detectors.admission.tracks import Number, Track
from detectors.context.activity import ContextMemory, Source
from detectors.contract import LONG_AGO, Detector, Remembering
from detectors.engine.missing_data import LastSeen
from detectors.engine.state_versions import upgraded
from detectors.episodes.memory import PatientEpisodes
from detectors.late_data.gaps import Known, Past
from detectors.late_data.memory import LateData
from vigil.domain.reading import Activity
from vigil.service.errors import WireError

VERSION = 3


class Saved(Struct, array_like=True):
    """A patient's state as it is saved."""

    version: int
    newest: dict[str, float]
    """Signal → time of the newest reading taken."""
    synthetic: bool
    quality: float
    context: ContextMemory
    last_seen: LastSeen
    tracks: dict[str, Track]
    episodes: PatientEpisodes
    memories: dict[str, Any]
    held: dict[str, Held]
    devices: Devices
    first: float
    past: Past | None
    late: LateData | None
    taken: Taken
    withdrawals: list[str]
    """Ids of the newest withdrawals applied."""


Count = Annotated[int, Meta(ge=0)]


class TrackForm(Struct, array_like=True):
    """The saved form of a :class:`~detectors.admission.tracks.Track`, and its order."""

    value: float
    time: float
    since: float
    equal: int
    held_value: float | None
    mean: float | None
    jumps: int
    jumped: float
    repeated: float
    sequence: int | Number | None


class ContextForm(Struct, array_like=True):
    """That of a :class:`~detectors.context.activity.ContextMemory`."""

    time: float
    activity: Activity
    steps_per_min: float | None
    last_active: float
    source: Source
    still_since: float | None
    quiet_since: float | None
    quiet_time: float
    presumed: bool
    active_since: float
    unrest: float
    sampled: float
    sample: float
    steady_since: float | None


class LastSeenForm(Struct, array_like=True):
    """That of a :class:`~detectors.engine.missing_data.LastSeen`."""

    received: float
    silent_from: float
    mean_seconds: float
    intervals: Count
    reading_seconds: float
    reading_intervals: Count


class Form:
    """How one class of a state is saved.

    Args:
        make: one that has seen nothing.
        row: its saved form.
        least: how many fields it has had in every version.
    """

    __slots__ = ("fields", "fresh", "least", "make", "read", "row")

    def __init__(self, make: Callable[[], Any], row: type[Struct], least: int = 0):
        self.make, self.row, self.least = make, row, least
        self.fields: tuple[str, ...] = row.__struct_fields__
        self.read: Callable[[Any], tuple[Any, ...]] = attrgetter(*self.fields)
        self.fresh = self.read(make())


FORMS: Mapping[type, Form] = MappingProxyType(
    {
        Track: Form(lambda: Track(0.0, 0.0, 0.0), TrackForm, least=3),
        ContextMemory: Form(ContextMemory, ContextForm),
        LastSeen: Form(LastSeen, LastSeenForm),
    }
)
"""Class that a state holds → its saved form. They are no structs because a compiled class has plain
fields, and these are read at each reading."""


class _Versioned(Struct, array_like=True):
    """What every version begins with."""

    version: int


class _Episodes(Struct, array_like=True):
    """The least that is worth keeping of a state: what was taken, and what is open."""

    version: int
    newest: dict[str, float]
    synthetic: bool
    quality: Any
    context: Any
    last_seen: Any
    tracks: Any
    episodes: PatientEpisodes


NOTHING: Mapping[str, Any] = MappingProxyType({})


class PatientState:
    """A patient's state as their monitor works on it."""

    __slots__ = (
        "context",
        "devices",
        "episodes",
        "first",
        "held",
        "last_seen",
        "late",
        "lost",
        "memories",
        "newest",
        "past",
        "quality",
        "restored",
        "synthetic",
        "taken",
        "tracks",
        "withdrawals",
    )

    def __init__(self, detectors: Mapping[str, Detector], known: Mapping[str, Any] = NOTHING):
        """``known``: memories by detector; of the others they are fresh."""
        self.newest: dict[str, float] = {}
        self.taken = Taken({}, {})
        """What was taken at those times."""
        self.synthetic = False
        self.quality = 1.0
        """Share of values admitted of late: an exponential mean over about 50 readings."""
        self.context = ContextMemory()
        self.last_seen = LastSeen()
        self.tracks: dict[str, Track] = {}
        self.held: dict[str, Held] = {}
        """Readings that wait for a second one that agrees."""
        self.devices = Devices()
        self.first = 0.0
        """Time of the first reading ever taken; 0: none was."""
        self.past: Past | None = None
        """Where late readings may still be judged, where there is such a place."""
        self.late: LateData | None = None
        """What late readings show, while they come."""
        self.withdrawals: list[str] = []
        """Ids of the newest withdrawals applied, the oldest first: each is applied once."""
        self.episodes = PatientEpisodes({}, {})
        self.memories = {
            name: known[name] if name in known else detector.fresh()
            for name, detector in detectors.items()
        }
        self.restored = False
        """Loaded, and its episodes not yet checked against the configuration in force."""
        self.lost: tuple[str, ...] = ()
        """What of the saved state could not be read, and was begun afresh."""

    @property
    def known(self) -> Known:
        """What was judged so far."""
        return Known(self.newest, self.first, self.last_seen.usual_seconds)


def _plain(memory: Any) -> tuple[Any, ...]:
    """The fields of one of ``FORMS``, in order."""
    return FORMS[type(memory)].read(memory)


def _restored(kind: type, plain: Any) -> Any:
    """The same from what :func:`_plain` gave, or a version that had fewer fields.

    Raises:
        ValueError: it is not such a list.
    """
    form = FORMS[kind]
    if not isinstance(plain, list) or len(plain) < form.least:
        raise ValueError(f"a list of {form.least} fields or more is needed for {kind.__name__}")
    memory, whole = form.make(), [*plain, *form.fresh[len(plain) :]]
    for name, value in zip(form.fields, astuple(msgspec.convert(whole, form.row)), strict=True):
        setattr(memory, name, value)
    return memory


_encoder = msgspec.msgpack.Encoder(order="deterministic", enc_hook=_plain)
_decoder = msgspec.msgpack.Decoder(Saved, dec_hook=_restored)
_least = msgspec.msgpack.Decoder(_Episodes)
_versioned = msgspec.msgpack.Decoder(_Versioned)
_BROKEN = (msgspec.DecodeError, ValueError, TypeError, LookupError, AttributeError)


def dump(state: PatientState, detectors: Mapping[str, Detector]) -> bytes:
    """The bytes to save; equal states are equal bytes."""
    memories: dict[str, Any] = {}
    for name, row in detectors.items():
        memory = state.memories[name]
        if memory is None:
            continue
        if isinstance(row, Remembering):  # a struct: the encoder writes it as ``dump`` would
            if memory != _fresh(row.memory):  # type: ignore[arg-type]  # a class is hashable
                memories[name] = memory
        else:
            plain = row.dump(memory)
            if plain:
                memories[name] = plain
    return _encoder.encode(
        Saved(
            version=VERSION,
            newest=state.newest,
            synthetic=state.synthetic,
            quality=state.quality,
            context=state.context,
            last_seen=state.last_seen,
            tracks=state.tracks,
            episodes=state.episodes,
            memories=memories,
            held=state.held,
            devices=state.devices,
            first=state.first,
            past=state.past,
            late=state.late,
            taken=state.taken,
            withdrawals=state.withdrawals,
        )
    )


@cache
def _fresh(kind: Callable[[], Any]) -> Any:
    """A memory that holds nothing, to compare with."""
    return kind()


def load(data: bytes, detectors: Mapping[str, Detector]) -> PatientState:
    """Read what :func:`dump` wrote, in this version or an earlier one.

    Raises:
        WireError: the bytes are not a state, or a newer Vigil's.
    """
    _check(data)
    try:
        saved = _decoder.decode(_newest(data))
    except _BROKEN:
        return _only_episodes(data, detectors)
    known: dict[str, Any] = {}
    lost: list[str] = []
    for name, plain in saved.memories.items():
        if name in detectors:
            try:
                known[name] = detectors[name].load(plain)
            except _BROKEN:
                lost.append(name)
    if forget_impossible(saved.devices.clocks):
        lost.append("clocks")
    state = PatientState(detectors, known)
    state.lost = tuple(lost)
    state.newest, state.taken, state.quality = saved.newest, saved.taken, saved.quality
    state.synthetic = saved.synthetic
    state.context, state.last_seen = saved.context, saved.last_seen
    state.tracks, state.episodes = saved.tracks, saved.episodes
    state.held, state.devices = saved.held, saved.devices
    state.first, state.past, state.late = saved.first, saved.past, saved.late
    state.withdrawals = saved.withdrawals
    state.restored = True
    return state


def _only_episodes(data: bytes, detectors: Mapping[str, Detector]) -> PatientState:
    """From a state that cannot be read whole, what was taken and what is open."""
    try:
        saved = _least.decode(data)
    except msgspec.DecodeError as error:
        raise _unreadable(str(error)) from error
    state = PatientState(detectors)
    state.first = LONG_AGO
    state.newest, state.synthetic = saved.newest, saved.synthetic
    state.episodes, state.restored = saved.episodes, True
    state.lost = ("context", "last_seen", "tracks", *detectors)
    return state


def _newest(data: bytes) -> bytes:
    """The state in the newest version's form."""
    if _versioned.decode(data).version == VERSION:
        return data
    return _encoder.encode(upgraded(msgspec.msgpack.decode(data)))


def _check(data: bytes) -> None:
    """Refuse what is no state, or a newer Vigil's."""
    try:
        version = _versioned.decode(data).version
    except msgspec.DecodeError as error:
        raise _unreadable(str(error)) from error
    if version < 1:
        raise _unreadable(f"it is of version {version}")
    if version > VERSION:
        raise WireError(
            f"A detector state cannot be read: it is of version {version}, and this Vigil knows"
            f" those up to {VERSION}.",
            code="wire.newer_state",
            how_to_fix=(
                "A newer Vigil wrote it: run that one, or a later one. Nothing of the state is"
                " lost until then."
            ),
        )


def _unreadable(why: str) -> WireError:
    return WireError(
        f"A detector state cannot be read: {why}.",
        code="wire.broken_message",
        how_to_fix="Use the version of Vigil that wrote it, or delete the patient's row in "
        "detector_states: the baseline is then learned anew.",
    )
