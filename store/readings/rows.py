"""Readings as rows for the table, made straight from the uploads that carry them."""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable
from datetime import timedelta
from operator import attrgetter
from struct import Struct
from typing import Any

from msgspec.structs import replace

from store.readings.keys import split
from vigil.domain.reading import NO_CONTEXT, Context, Measurement, Upload
from vigil.domain.signals import NAMES, SIGNALS, STEPS_PER_MINUTE_RANGE
from vigil.streaming.handler import Received
from vigil.values.clock import EARLIEST

COLUMNS: tuple[tuple[str, str], ...] = (
    ("patient_id", "text"),
    ("device_id", "text"),
    ("received_at", "timestamptz"),
    ("synthetic", "bool"),
    ("time", "timestamptz"),
    ("reading_key", "int8"),
    ("reading_id", "text"),
    *((name, "float8") for name in NAMES),
    ("steps_per_min", "float8"),
    ("activity", "text"),
    ("contact", "bool"),
    ("posture", "text"),
)
"""Name and type of each field of a row. First stands what all readings of an upload share."""
AHEAD = timedelta(days=1)
"""A reading measured so long after it arrived is refused. The door is stricter; this keeps what
reaches the topic past the door from being ``latest`` for ever."""

LONGEST_ID = 128
"""Characters of a reading's id; the door takes no longer one either."""
LONGEST_POSTURE = 32
"""One word, as at the door."""

_RANGES = {name: (signal.lowest, signal.highest) for name, signal in SIGNALS.items()}
_NONE = (1.0, 0.0)
"""A range that holds no value."""
_PAIR = ("systolic", "diastolic")
_LEAST_STEPS, _MOST_STEPS = STEPS_PER_MINUTE_RANGE
_CONTEXT = attrgetter("steps_per_min", "activity", "contact", "posture")
_NUMBER = Struct(">q").unpack

Row = tuple[Any, ...]
Refuse = Callable[[Received, str], None]
"""To be told of a message, and why something in it is left out."""


def problem(upload: Upload, item: Measurement) -> str:
    """The first reason why something of a reading is left out; an empty string if nothing is."""
    return next(iter(repaired(upload, item)[1]), "")


def _refusal(upload: Upload, item: Measurement) -> str:
    """What keeps a reading out of the table as a whole; an empty string if nothing."""
    if item.time < EARLIEST:
        return "it was measured before the year 2000"
    if item.time > upload.received_at and item.time > upload.received_at + AHEAD:
        return "it was measured more than a day after it arrived"
    if len(item.reading_id) > LONGEST_ID:
        return f"a reading's id has more than {LONGEST_ID} characters"
    return ""


def repaired(upload: Upload, item: Measurement) -> tuple[Measurement | None, list[str]]:
    """What of a reading can be kept, and why the rest cannot.

    A value that is impossible, or of a signal that the table does not know, is left out and the
    others are kept. Two pressures that contradict each other are both left out: the door refuses
    them and detection believes neither. A reading with nothing left is none.
    """
    if why := _refusal(upload, item):
        return None, [why]
    values, faults = _possible(item.values)
    context, wrong = _plausible(item.context)
    faults += wrong
    if not faults:
        return item, []
    if not values and context == NO_CONTEXT:
        return None, faults
    return replace(item, values=values, context=context), faults


def _possible(values: dict[str, float]) -> tuple[dict[str, float], list[str]]:
    unknown = values.keys() - _RANGES.keys()
    kept = {name: value for name, value in values.items() if _within(name, value)}
    faults = []
    if unknown:
        faults.append(f"{len(unknown)} of its signals are not in the signals table")
    faults += [
        f"{name} is outside what is possible"
        for name in values
        if name not in kept and name not in unknown
    ]
    if all(name in kept for name in _PAIR) and not kept["systolic"] > kept["diastolic"]:
        faults.append("systolic is not above diastolic")
        for name in _PAIR:
            del kept[name]
    return kept, faults


def _within(name: str, value: float) -> bool:
    low, high = _RANGES.get(name, _NONE)
    return low <= value <= high


def _plausible(context: Context) -> tuple[Context, list[str]]:
    steps, posture, faults = context.steps_per_min, context.posture, []
    if steps is not None and not _LEAST_STEPS <= steps <= _MOST_STEPS:
        steps = None
        faults.append("steps_per_min is outside what is possible")
    if posture is not None and len(posture) > LONGEST_POSTURE:
        posture = None
        faults.append(f"posture has more than {LONGEST_POSTURE} characters")
    return (replace(context, steps_per_min=steps, posture=posture) if faults else context), faults


def cleaned(received: Received, refuse: Refuse) -> Upload:
    """The upload that a message is, without what the table cannot hold."""
    upload: Upload = received.message  # type: ignore[assignment]
    examined = [repaired(upload, item) for item in upload.measurements]
    reasons = [why for _, faults in examined for why in faults]
    if not reasons:
        return upload
    for why in reasons:
        refuse(received, why)
    kept = tuple(item for item, _ in examined if item is not None)
    return replace(upload, measurements=kept)


def write_rows(upload: Upload, write: Callable[[Row], object]) -> bool:
    """Give ``write`` the row of each measurement, as :data:`COLUMNS` says.

    Returns:
        Whether that was all of them as they are: not what :func:`cleaned` would leave out.
    """
    arrived, whole = upload.received_at, True
    shared = (upload.patient_id, upload.device_id, arrived, upload.synthetic)
    for item in upload.measurements:
        time, values, name = item.time, item.values, item.reading_id
        steps, activity, contact, posture = _CONTEXT(item.context)
        # What `repaired` asks, in place: this is done for every reading.
        if (
            time < EARLIEST
            or (time > arrived and time > arrived + AHEAD)
            or len(name) > LONGEST_ID
            or (steps is not None and not _LEAST_STEPS <= steps <= _MOST_STEPS)
            or (posture is not None and len(posture) > LONGEST_POSTURE)
            or not _sound(values)
        ):
            whole = False
            kept, _ = repaired(upload, item)
            if kept is None:
                continue
            values = kept.values
            steps, activity, contact, posture = _CONTEXT(kept.context)
        cells = map(values.get, NAMES)
        write((*shared, time, *_identity(name), *cells, steps, activity, contact, posture))
    return whole


def _sound(values: dict[str, float]) -> bool:
    """Whether :func:`_possible` keeps all of them."""
    for name, value in values.items():
        low, high = _RANGES.get(name, _NONE)
        if not low <= value <= high:
            return False
    return "systolic" not in values or values["systolic"] > values.get("diastolic", 0.0)


def _identity(reading_id: str) -> tuple[int, str | None]:
    """What :func:`split` says, sooner for the ids that Vigil derives."""
    if len(reading_id) == 18 and reading_id[:2] == "r-" and reading_id.islower():
        try:
            return _NUMBER(unhexlify(reading_id[2:]))[0], None
        except ValueError:  # no hexadecimal number
            pass
    return split(reading_id)
