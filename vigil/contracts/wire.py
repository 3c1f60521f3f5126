"""Structs to Kafka messages and back, with CloudEvents headers (binary mode, spec 1.0).

The value is the struct's JSON. The headers say what it is without opening it:

    ce_specversion  1.0
    ce_id           the same for the same content, so a consumer can drop what it has seen
    ce_type         org.vigil.<what>.v1
    ce_source       /vigil/<service>
    ce_time         the moment that the content is about: of a dead letter the broker's time of the
                    message that died, of an entry of the directory when it became so
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec

from vigil.contracts import bounds, dead_letter_bounds, exact_decoding, topics
from vigil.contracts.dead_letter_bounds import HeadersSize
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.directory import DeviceEntry, DirectoryEntry, PatientEntry
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Tick, Upload
from vigil.domain.status import Status
from vigil.service.errors import WireError
from vigil.values.clock import EPOCH, from_millis

Headers = list[tuple[str, bytes]]
Carried = Upload | Tick | Event | Alert | Action | PatientEntry | DeviceEntry | Phrase | Status

CE_TYPES: MappingProxyType[str, Any] = MappingProxyType(
    {
        "org.vigil.upload.v1": Upload,
        "org.vigil.tick.v1": Tick,
        "org.vigil.event.v1": Event,
        "org.vigil.alert.v1": Alert,
        "org.vigil.action.v1": Action,
        "org.vigil.directory.v1": DirectoryEntry,
        "org.vigil.phrase.v1": Phrase,
        "org.vigil.status.v1": Status,
    }
)
_DECODERS = {name: msgspec.json.Decoder(struct) for name, struct in CE_TYPES.items()}
_TYPE_OF: dict[Any, str] = {struct: name for name, struct in CE_TYPES.items()}
_TYPE_OF[PatientEntry] = _TYPE_OF[DeviceEntry] = _TYPE_OF[DirectoryEntry]
_CARRIED = {
    topic.name: tuple(_TYPE_OF[struct] for struct in topic.carries)
    for topic in topics.TOPICS.values()
}

BACKSLASH = ord("\\")
"""As a number it is looked for twice as fast as in bytes."""
LARGEST_LETTER = dead_letter_bounds.LARGEST_VALUE
"""Bytes of a dead letter's value that are kept; ``vigil_cut`` tells where there were more."""


class Outgoing(NamedTuple):
    """A message ready to be sent. ``partition`` None: chosen by the key."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    partition: int | None = None


def _headers(ce_type: str, ce_id: str, source: str, time: str) -> Headers:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", ce_id.encode()),
        ("ce_type", ce_type.encode()),
        ("ce_source", f"/vigil/{source}".encode()),
        ("ce_time", time.encode()),
        ("content-type", b"application/json"),
    ]


def _entry(
    message: PatientEntry | DeviceEntry, changed: datetime
) -> tuple[topics.Topic, str, str, str]:
    """The same of an entry of the directory, which has no time of its own."""
    if isinstance(message, PatientEntry):
        key = f"patient:{message.patient_id}"
    else:
        key = f"device:{message.device_id}"
    moment = ids.timestamp(changed)
    return topics.DIRECTORY, key, ids.derive(key, moment, encode(message).decode()), moment


def _describe(  # noqa: PLR0911  (one return a type)
    message: Carried,
) -> tuple[topics.Topic, str, str, str]:
    """Topic, key, ce_id and ce_time of a message."""
    match message:
        case Upload():
            content = ids.derive(
                "upload", message.patient_id, *(m.reading_id for m in message.measurements)
            )
            return topics.READINGS, message.patient_id, content, ids.timestamp(message.received_at)
        case Event():
            ident = f"{message.event_id}:{message.sequence}"
            return topics.EVENTS, message.patient_id, ident, ids.timestamp(message.detected_at)
        case Alert():
            ident = f"{message.alert_id}:{message.revision}"
            return topics.ALERTS, message.patient_id, ident, ids.timestamp(message.time)
        case Action():
            moment = ids.timestamp(message.time)
            return topics.ACTIONS, message.patient_id, message.action_id, moment
        case PatientEntry() | DeviceEntry():
            return _entry(message, EPOCH)
        case Phrase():
            ident = f"{message.phrase_id}:{message.revision}"
            return topics.PHRASES, message.phrase_id, ident, ids.timestamp(message.time)
        case Status():
            moment = ids.timestamp(message.time)
            return topics.STATUS, message.instance, f"{message.instance}:{moment}", moment
        case Tick():
            moment = ids.timestamp(message.time)
            return topics.READINGS, "", ids.derive("tick", moment), moment


def outgoing(message: Carried, source: str, partition: int | None = None) -> Outgoing:
    """The Kafka message of a struct. ``source`` is the sending service's name."""
    topic, key, ce_id, time = _describe(message)
    headers = _headers(_TYPE_OF[type(message)], ce_id, source, time)
    return Outgoing(topic.name, key.encode() or None, encode(message), headers, partition)


def directory_entry(
    message: PatientEntry | DeviceEntry, changed: datetime, source: str
) -> Outgoing:
    """The Kafka message of an entry of the directory; ``changed``: when it became so."""
    topic, key, ce_id, time = _entry(message, changed)
    headers = _headers(_TYPE_OF[type(message)], ce_id, source, time)
    return Outgoing(topic.name, key.encode(), encode(message), headers)


def header(headers: Sequence[tuple[str, bytes | None]], name: str) -> str:
    """One header's text, or an empty string.

    >>> header([("ce_id", b"7")], "ce_id")
    '7'
    """
    for key, value in headers:
        if key == name and value is not None:  # Kafka allows null
            return value.decode("utf-8", "replace")
    return ""


def decode(topic: str, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Carried:
    """The struct in a message. Without a ``ce_type``, the topic's first type is meant.

    Raises:
        WireError: not JSON, not the promised shape, out of bounds (:mod:`vigil.contracts.bounds`),
            or a type that does not belong there.
    """
    return decode_typed(topic, header(headers, "ce_type"), value)


def decode_typed(topic: str, ce_type: str, value: bytes | None) -> Carried:
    """The same, where the type is known already; empty: the topic's first type is meant.

    Raises:
        WireError: not JSON, not the promised shape, out of bounds (:mod:`vigil.contracts.bounds`),
            or a type that does not belong there.
    """
    carried = _CARRIED.get(topic, ())
    ce_type = ce_type or (carried[0] if carried else "")
    if ce_type not in carried:
        raise WireError(
            f"ce_type {ce_type!r} is not one of those on {topic}.",
            code="wire.unknown_type",
            how_to_fix=f"Known there: {', '.join(carried)}. A newer producer needs a newer Vigil.",
        )
    try:
        return read(ce_type, value or b"")
    except bounds.OutOfBoundsError as error:
        raise WireError(
            f"A message on {topic} is a {ce_type} out of bounds: {error}.",
            code="wire.out_of_bounds",
            how_to_fix="Mend the producer (see docs/topics.md): the message is not taken as it is.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(
            f"A message on {topic} is not the {ce_type} it should be: {error}.",
            code="wire.broken_message",
            how_to_fix="Mend the producer (see docs/schemas), then `vigil deadletter redrive`.",
        ) from error


def read(ce_type: str, value: bytes) -> Carried:
    """A type's JSON, wherever it stands: each time as :mod:`vigil.values.timestamps` reads it, all
    of it within the bounds of :mod:`vigil.contracts.bounds`.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: not JSON, or not of that shape.
        OutOfBoundsError: beyond the bounds.
    """
    if exact_decoding.rounds(value) or (BACKSLASH in value and exact_decoding.escaped(value)):
        message = exact_decoding.decode(CE_TYPES[ce_type], value)
    else:
        try:
            message = _DECODERS[ce_type].decode(value)
        except msgspec.ValidationError:
            message = _again(ce_type, value)
    try:
        return bounds.checked(message)  # type: ignore[no-any-return]
    except bounds.OtherOffsetError:
        return bounds.checked(exact_decoding.decode(CE_TYPES[ce_type], value))  # type: ignore[no-any-return]


def _again(ce_type: str, value: bytes) -> Any:
    """What msgspec refuses: a leap second after all, or the error that says best what is wrong."""
    with suppress(msgspec.DecodeError, RecursionError):
        return exact_decoding.decode(CE_TYPES[ce_type], value)
    bounds.check_plain(value)
    raise  # noqa: PLE0704  (what msgspec raised: called while it is handled)


class DeadOriginal(NamedTuple):
    """What a dead letter keeps of the message that could not be taken, and why."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    service: str
    reason: WireError
    timestamp: int = -1
    """The broker's, in milliseconds since 1970; -1: none."""
    headers_size: HeadersSize | None = None
    """Where ``headers`` are only the first: how many there were."""


def deadletter(topic: str, partition: int, offset: int, original: DeadOriginal) -> Outgoing:
    """The dead letter of a message: its bytes untouched, the reason in the headers.

    Its ``ce_id`` names the place it came from and its ``ce_time`` is the broker's time of the
    message, so the same message dies only once. What is too large is cut, and said to be
    (:mod:`vigil.contracts.dead_letter_bounds`), so that a letter can always be sent.
    """
    origin = f"{topic}/{partition}/{offset}"
    reason = original.reason
    found = dead_letter_bounds.kept(
        original.key, original.value, original.headers, original.headers_size, LARGEST_LETTER
    )
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", ids.derive("deadletter", original.service, origin).encode()),
        ("ce_type", b"org.vigil.deadletter.v1"),
        ("ce_source", f"/vigil/{original.service}".encode()),
        ("ce_time", ids.timestamp(from_millis(original.timestamp) or EPOCH).encode()),
        ("vigil_origin", origin.encode()),
        ("vigil_reason", reason.code.encode()),
        ("vigil_detail", dead_letter_bounds.shortened(reason.message)),
        *found.headers,
    ]
    return Outgoing(topics.DEADLETTER.name, found.key, found.value, headers)
