"""Converts uploads directly to rows of the table ``readings``."""

from __future__ import annotations

from binascii import unhexlify
from collections.abc import Callable
from datetime import timedelta
from operator import attrgetter
from struct import Struct
from typing import Any

from msgspec.structs import replace

from store.readings.keys import split_id
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
"""Name and type of each field of a row; the fields that an upload's readings share come first."""
AHEAD = timedelta(days=1)
"""A reading measured later than this after its receipt is refused. Ingest is stricter; this limit
keeps messages of other producers from being the newest value for ever."""

LONGEST_ID = 128
"""Characters of a reading's id; the same limit as in ingest."""
LONGEST_POSTURE = 32
"""Characters; the same limit as in ingest."""

_RANGES = {name: (signal.lowest, signal.highest) for name, signal in SIGNALS.items()}
_NONE = (1.0, 0.0)
"""A range without any value."""
_PAIR = ("systolic", "diastolic")
_LEAST_STEPS, _MOST_STEPS = STEPS_PER_MINUTE_RANGE
_CONTEXT = attrgetter("steps_per_min", "activity", "contact", "posture")
_NUMBER = Struct(">q").unpack

Row = tuple[Any, ...]
Refuse = Callable[[Received, str], None]
"""Called with a message and the reason why part of it is left out."""


def first_problem(upload: Upload, item: Measurement) -> str:
    """The first reason why part of a reading is left out; empty: nothing is."""
    return next(iter(repair(upload, item)[1]), "")


def _refusal(upload: Upload, item: Measurement) -> str:
    """Why the whole reading is refused; empty: it is not."""
    if item.time < EARLIEST:
        return "it was measured before the year 2000"
    if item.time > upload.received_at and item.time > upload.received_at + AHEAD:
        return "it was measured more than a day after it arrived"
    if len(item.reading_id) > LONGEST_ID:
        return f"a reading's id has more than {LONGEST_ID} characters"
    if item.context.posture is not None and "\0" in item.context.posture:
        return "its posture has a NUL"
    return ""


def repair(upload: Upload, item: Measurement) -> tuple[Measurement | None, list[str]]:
    """The valid part of a reading, and the reasons why the rest is left out.

    A value that is impossible, or of an unknown signal, is left out and the others are kept. Two
    pressures that contradict each other are both left out: ingest refuses them and detection uses
    neither. A reading without any valid part is None.
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


def clean_upload(received: Received, refuse: Refuse) -> Upload:
    """A message's upload, without the parts that the table cannot hold."""
    upload: Upload = received.message  # type: ignore[assignment]
    examined = [repair(upload, item) for item in upload.measurements]
    reasons = [why for _, faults in examined for why in faults]
    if not reasons:
        return upload
    for why in reasons:
        refuse(received, why)
    kept = tuple(item for item, _ in examined if item is not None)
    return replace(upload, measurements=kept)


def write_rows(upload: Upload, write: Callable[[Row], object]) -> bool:
    """Call ``write`` with the row of each measurement, in the order of :data:`COLUMNS`.

    Returns:
        Whether all measurements were written whole: :func:`clean_upload` would change nothing.
    """
    arrived, whole = upload.received_at, True
    shared = (upload.patient_id, upload.device_id, arrived, upload.synthetic)
    for item in upload.measurements:
        time, values, name = item.time, item.values, item.reading_id
        steps, activity, contact, posture = _CONTEXT(item.context)
        # The checks of `repair`, inlined: they run for every reading.
        if (
            time < EARLIEST
            or (time > arrived and time > arrived + AHEAD)
            or len(name) > LONGEST_ID
            or (steps is not None and not _LEAST_STEPS <= steps <= _MOST_STEPS)
            or (posture is not None and (len(posture) > LONGEST_POSTURE or "\0" in posture))
            or not _all_valid(values)
        ):
            whole = False
            kept, _ = repair(upload, item)
            if kept is None:
                continue
            values = kept.values
            steps, activity, contact, posture = _CONTEXT(kept.context)
        cells = map(values.get, NAMES)
        write((*shared, time, *_identity(name), *cells, steps, activity, contact, posture))
    return whole


def _all_valid(values: dict[str, float]) -> bool:
    """Whether :func:`_possible` keeps all values."""
    for name, value in values.items():
        low, high = _RANGES.get(name, _NONE)
        if not low <= value <= high:
            return False
    return "systolic" not in values or values["systolic"] > values.get("diastolic", 0.0)


def _identity(reading_id: str) -> tuple[int, str | None]:
    """As :func:`split_id`, and faster for ids that Vigil derived."""
    if len(reading_id) == 18 and reading_id[:2] == "r-" and reading_id.islower():
        try:
            return _NUMBER(unhexlify(reading_id[2:]))[0], None
        except ValueError:  # not hexadecimal
            pass
    return split_id(reading_id)
