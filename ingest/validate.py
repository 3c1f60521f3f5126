"""Validates a device's reading: decoded JSON → :class:`~vigil.domain.reading.Measurement`.

HTTP and recordings share it. Everything here is pure. For any input the result is either a reading
that every later stage may rely on or an :class:`~vigil.service.errors.InputError` that names the
field and the fix. A reading is accepted or refused as a whole: where one value is impossible, the
others came from the same sensor at the same moment and are not reliable either. A contact flag that
cannot be read counts as poor contact: what is measured beside it may be noise, so it is stored and
not judged, and a note says so.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NoReturn, get_args

from ingest.contact_flag import UnreadableFlagError, read_flag
from vigil.domain import ids
from vigil.domain.encoding import encode
from vigil.domain.figures import is_systolic_above_diastolic
from vigil.domain.reading import NO_CONTEXT, Activity, Context, Measurement
from vigil.domain.signals import (
    NAMES,
    SENTINELS,
    SIGNALS,
    STEPS_PER_MINUTE_RANGE,
    Signal,
    factor_to_canonical,
)
from vigil.service.errors import InputError
from vigil.values import timestamps
from vigil.values.clock import EARLIEST
from vigil.values.numbers import finite_number

IDENTIFIER = r"[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,127}"
"""The form of :data:`vigil.domain.reading.Identifier`."""
POSTURE = r"[a-z][a-z_-]{0,31}"
"""One word of the device's own, e.g. ``lying``; free text is not accepted."""
DECIMALS_AFTER_CONVERSION = 4
"""A converted value is rounded so: far below any device's precision, and stable in ids. It is no
figure yet (:mod:`vigil.domain.figures`): what is stored stays as fine as it was sent."""

ACTIVITIES: tuple[str, ...] = get_args(Activity)
READING_FIELDS = frozenset({"patient_id", "time", "values", "context", "reading_id", "sequence"})
LARGEST_SEQUENCE = 2**53 - 1
"""The largest whole number that every JSON reader takes exactly."""
CONTEXT_FIELDS = frozenset({"activity", "steps_per_min", "posture", "contact"})
VALUE_FIELDS = frozenset({"value", "unit"})

NO_CORRECTION = timedelta(0)

_IDENTIFIER = re.compile(IDENTIFIER)
_POSTURE = re.compile(POSTURE)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A valid reading and its patient."""

    patient_id: str
    measurement: Measurement
    note: InputError | None = None
    """Why its values are not believed although it is accepted."""


def reading(
    words: object,
    *,
    device_id: str,
    patient_id: str | None,
    latest: datetime,
    where: str = "",
    correction: timedelta = NO_CORRECTION,
) -> Admitted:
    """Check one reading.

    Args:
        words: the reading as decoded from JSON.
        device_id: the device that sent it; part of a derived ``reading_id``.
        patient_id: its patient where ``words`` names none; None: ``words`` must name one.
        latest: the latest time that a reading may have (now and the tolerance).
        where: the prefix of the field in an error, e.g. ``readings[3].``
        correction: added to the time. A derived ``reading_id`` is of the time as sent.

    Raises:
        InputError: any ``input.*`` code about a field; nothing else, whatever ``words`` is.

    >>> from datetime import UTC
    >>> taken = reading(
    ...     {"time": "2026-11-21T07:02:00+01:00", "values": {"heart_rate": 72}},
    ...     device_id="watch-1", patient_id="p1", latest=datetime(2026, 11, 22, tzinfo=UTC),
    ... )
    >>> taken.measurement.values, str(taken.measurement.time)
    ({'heart_rate': 72.0}, '2026-11-21 06:02:00+00:00')
    """
    body = _object(words, READING_FIELDS, where)
    owner = identifier(body.get("patient_id", patient_id), f"{where}patient_id")
    time = moment(body.get("time", ...), latest, f"{where}time", correction)
    values, context, note = _content(body, where)
    sequence = _sequence(body["sequence"], f"{where}sequence") if "sequence" in body else None
    content = canonical(values, context) + ("" if sequence is None else f"#{sequence}")
    name = ids.reading_id(owner, device_id, time - correction, content)
    if "reading_id" in body:
        name = identifier(body["reading_id"], f"{where}reading_id")
    return Admitted(owner, Measurement(name, time, values, context, sequence), note)


def _content(
    body: dict[str, Any], where: str
) -> tuple[dict[str, float], Context, InputError | None]:
    """The values, the context and a note of a reading; a value or some context is there."""
    values = _values(body.get("values", {}), f"{where}values")
    context, note = NO_CONTEXT, None
    if "context" in body:
        context, note = _context(body["context"], f"{where}context")
    if note is not None and not values:
        raise _unreadable_flag(body["context"]["contact"], f"{where}context.contact")
    if not values and context == NO_CONTEXT:
        _refuse(
            "input.no_values",
            f"{where}values",
            what="A reading with nothing in it.",
            how_to_fix=f"Give at least one of: {', '.join(NAMES)}.",
        )
    return values, context, note


def canonical(values: dict[str, float], context: Context) -> str:
    """The content of a reading as canonical JSON: equal content is equal text, whatever its order.

    >>> canonical({"systolic": 120.0, "diastolic": 80.0}, NO_CONTEXT)
    '[{"diastolic":80.0,"systolic":120.0},{}]'
    """
    return encode((values, context)).decode()


def identifier(words: object, field: str) -> str:
    """A patient's, device's or reading's id."""
    if words is None:
        _refuse(
            "input.missing_field",
            field,
            what="It is not given.",
            how_to_fix="Give the id that the patient is enrolled under.",
        )
    if not isinstance(words, str) or not is_identifier(words):
        _refuse(
            "input.wrong_type",
            field,
            what=f"{shown(words)} is not an id.",
            how_to_fix="Use 1 to 128 letters, digits and _.:@+- (a letter or digit first).",
        )
    return words


def is_identifier(words: str) -> bool:
    """Whether the text has the form of an id."""
    return _IDENTIFIER.fullmatch(words) is not None


def moment(
    words: object, latest: datetime, field: str, correction: timedelta = NO_CORRECTION
) -> datetime:
    """A time, in UTC, that can be when a reading was taken (:mod:`vigil.values.timestamps`).

    Args:
        correction: added to it, before it is checked.
    """
    if words is ...:
        _refuse(
            "input.missing_field",
            field,
            what="It is not given.",
            how_to_fix="Say when it was measured, as 2026-11-21T06:02:00Z.",
        )
    time = any_time(words, field)
    with suppress(OverflowError):  # at either end of the calendar it is refused as it is
        time += correction
    if time < EARLIEST:
        _refuse(
            "input.ancient_time",
            field,
            what=f"{shown(words)} is before the year 2000.",
            how_to_fix="Set the device's clock.",
        )
    if time > latest:
        _refuse(
            "input.future_time",
            field,
            what=f"{shown(words)} is in the future{_corrected(correction)}.",
            how_to_fix="Set the device's clock, or state `sent_at`; a small lead is tolerated."
            if not correction
            else "Set the device's clock, or its correction: `vigil device clock`.",
        )
    return time


def any_time(words: object, field: str) -> datetime:
    """Any instant, in UTC; no clock need have shown it."""
    try:
        return timestamps.parse(words) if isinstance(words, str) else _not_a_time(words, field)
    except timestamps.NaiveTimeError:
        _refuse(
            "input.naive_time",
            field,
            what=f"{shown(words)} has no offset from UTC.",
            how_to_fix="End it with Z or the offset, as 2026-11-21T07:02:00+01:00.",
        )
    except timestamps.NotATimeError:
        _not_a_time(words, field)


def _corrected(correction: timedelta) -> str:
    """What the device's setting did to a time, for an error."""
    seconds = correction.total_seconds()
    return f" with the {seconds:+g} s by which this device's times are corrected" * bool(seconds)


def number(words: object, field: str) -> float:
    """A finite number; neither a boolean nor a text that looks like one."""
    value = finite_number(words)
    if value is None:
        _refuse(
            "input.wrong_type",
            field,
            what=f"{shown(words)} is not a finite number.",
            how_to_fix="Give a number, without quotes; leave out what was not measured.",
        )
    return value + 0.0  # makes -0.0 plain zero, so that equal values are equal text


def shown(words: object) -> str:
    """A value as an error repeats it to its sender: at most 40 characters; never raises."""
    try:
        text = repr(words)
    except (ValueError, RecursionError):  # an integer of thousands of digits; a bottomless list
        return f"this {type(words).__name__}"
    return text if len(text) <= 40 else f"{text[:37]}…"


def _sequence(words: object, field: str) -> int:
    if isinstance(words, bool) or not isinstance(words, int) or not 0 <= words <= LARGEST_SEQUENCE:
        _refuse(
            "input.wrong_type",
            field,
            what=f"{shown(words)} is not a whole number from 0 on.",
            how_to_fix="Give the device's own number of the measurement, or leave it out.",
        )
    return words


def _values(words: object, field: str) -> dict[str, float]:
    if not isinstance(words, dict):
        _refuse(
            "input.wrong_type",
            field,
            what=f"{shown(words)} is not an object.",
            how_to_fix='Write it as {"heart_rate": 72}.',
        )
    values: dict[str, float] = {}
    for name, value in words.items():
        signal = SIGNALS.get(name) if isinstance(name, str) else None
        if signal is None:
            _refuse(
                "input.unknown_signal",
                f"{field}.{str(name)[:40] or '(empty)'}",
                what=f"{shown(name)} is not a signal that Vigil knows.",
                how_to_fix=f"Known: {', '.join(NAMES)}.",
            )
        values[signal.name] = _value(signal, value, f"{field}.{signal.name}")
    _check_pair(values, field)
    return values


def _value(signal: Signal, words: object, field: str) -> float:
    if isinstance(words, dict):
        body = _object(words, VALUE_FIELDS, f"{field}.")
        if "value" not in body:
            _refuse(
                "input.missing_field",
                f"{field}.value",
                what="It is not given.",
                how_to_fix='Write it as {"value": 16, "unit": "kPa"}, or as a plain number.',
            )
        value = number(body["value"], f"{field}.value")
        _check_sentinel(signal, value, f"{field}.value")
        value = _in_own_unit(signal, value, body.get("unit", signal.ucum), f"{field}.unit")
    else:
        value = number(words, field)
        _check_sentinel(signal, value, field)
    if not signal.lowest <= value <= signal.highest:
        _refuse(
            "input.impossible_value",
            field,
            what=f"{value:.10g} {signal.ucum} is outside what is possible "
            f"({signal.lowest:g} to {signal.highest:g}).",
            how_to_fix="Check the sensor and the unit; send the reading without a faulty value.",
        )
    return value


def _check_sentinel(signal: Signal, value: float, field: str) -> None:
    meaning = SENTINELS[signal.name].get(value)
    if meaning is not None:
        _refuse(
            "input.sentinel_value",
            field,
            what=f"{value:.10g} means that there is no value ({meaning}).",
            how_to_fix="Leave out what was not measured.",
        )


def _in_own_unit(signal: Signal, value: float, unit: object, field: str) -> float:
    found = factor_to_canonical(signal, unit) if isinstance(unit, str) else None
    if found is None:
        known = ", ".join((signal.ucum, *(name for name, _, _ in signal.accepted_units)))
        _refuse(
            "input.unknown_unit",
            field,
            what=f"{shown(unit)} is not a unit of {signal.name}.",
            how_to_fix=f"Known: {known}.",
        )
    factor, offset = found
    if (factor, offset) == (1.0, 0.0):
        return value
    converted = round(value * factor + offset, DECIMALS_AFTER_CONVERSION)
    # A display's last step may be converted to just past the range: 40.0 kPa is 300.0247 mmHg.
    nearest = min(max(converted, signal.lowest), signal.highest)
    return float(nearest) if signal.figure(converted) == nearest else converted


def _check_pair(values: dict[str, float], field: str) -> None:
    systolic, diastolic = values.get("systolic"), values.get("diastolic")
    if systolic is None and diastolic is None:
        return
    if systolic is None:
        _refuse(
            "input.incomplete_pair",
            f"{field}.systolic",
            what="The systolic pressure is absent.",
            how_to_fix="Send systolic and diastolic of one measurement together; systolic alone"
            " (a palpated pressure) is accepted.",
        )
    if diastolic is None:
        return
    if not is_systolic_above_diastolic(systolic, diastolic):
        _refuse(
            "input.systolic_not_above_diastolic",
            f"{field}.systolic",
            what=f"Systolic {systolic:.10g} does not read higher than diastolic {diastolic:.10g}.",
            how_to_fix="Check that the two were not swapped.",
        )


def _context(words: object, field: str) -> tuple[Context, InputError | None]:
    """The context, and why the values beside it are not believed."""
    body = _object(words, CONTEXT_FIELDS, f"{field}.")
    activity = body.get("activity", "unknown")
    if not isinstance(activity, str) or activity not in ACTIVITIES:
        _refuse(
            "input.wrong_type",
            f"{field}.activity",
            what=f"{shown(activity)} is not an activity.",
            how_to_fix=f"Known: {', '.join(ACTIVITIES)}.",
        )
    posture = body.get("posture")
    if "posture" in body and not (isinstance(posture, str) and _POSTURE.fullmatch(posture)):
        _refuse(
            "input.wrong_type",
            f"{field}.posture",
            what=f"{shown(posture)} is not a posture.",
            how_to_fix="Give one lower-case word, as lying.",
        )
    contact, note = _contact(body.get("contact"), f"{field}.contact")
    steps = None
    if "steps_per_min" in body:
        steps = _steps(body["steps_per_min"], f"{field}.steps_per_min")
    return Context(activity=activity, steps_per_min=steps, posture=posture, contact=contact), note  # type: ignore[arg-type]  # checked above


def _contact(words: object, field: str) -> tuple[bool | None, InputError | None]:
    """Whether the sensor has contact; a flag that cannot be read counts as poor contact."""
    try:
        return read_flag(words), None
    except UnreadableFlagError:
        return False, _unreadable_flag(words, field, ", so the values are not judged")


def _unreadable_flag(words: object, field: str, so: str = "") -> InputError:
    """A fault; ``so``: what follows of it for the values beside it, where there are any."""
    return InputError(
        f"{shown(words)} is not a boolean{so}.",
        code="input.wrong_type",
        field=field,
        how_to_fix="Give true or false.",
    )


def _steps(words: object, field: str) -> float:
    steps = number(words, field)
    low, high = STEPS_PER_MINUTE_RANGE
    if not low <= steps <= high:
        _refuse(
            "input.impossible_value",
            field,
            what=f"{steps:g} steps a minute is outside what is possible ({low:g} to {high:g}).",
            how_to_fix="Send steps per minute, not a daily total.",
        )
    return steps


def _object(words: object, known: frozenset[str], where: str) -> dict[str, Any]:
    if not isinstance(words, dict):
        _refuse(
            "input.wrong_type",
            where.rstrip(".") or "body",
            what=f"{shown(words)} is not an object.",
            how_to_fix=f"Write an object with: {', '.join(sorted(known))}.",
        )
    for name in words:
        if name not in known:
            _refuse(
                "input.unknown_field",
                f"{where}{str(name)[:40] or '(empty)'}",
                what=f"{shown(name)} is not a field that Vigil knows.",
                how_to_fix=f"Known here: {', '.join(sorted(known))}.",
            )
    return words


def _not_a_time(words: object, field: str) -> NoReturn:
    _refuse(
        "input.wrong_type",
        field,
        what=f"{shown(words)} is not a time.",
        how_to_fix="Write it in RFC 3339, as 2026-11-21T06:02:00Z.",
    )


def _refuse(code: str, field: str, what: str, how_to_fix: str) -> NoReturn:
    raise InputError(what, code=code, field=field, how_to_fix=how_to_fix)
