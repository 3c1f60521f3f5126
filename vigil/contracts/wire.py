"""Encodes structs as Kafka messages with CloudEvents headers (binary mode, spec 1.0), and decodes
them.

The value is the struct's JSON. The headers describe it without decoding it:

    ce_specversion  1.0
    ce_id           the same for the same content, so a consumer can drop what it has seen
    ce_type         org.vigil.<what>.v1
    ce_source       /vigil/<service>
    ce_time         the moment that the content is about: of a dead letter the broker's time of the
                    original message, of an entry of the directory when it changed
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
from msgspec import Struct

from vigil.contracts import bounds, dead_letter_bounds, exact_decoding, topics
from vigil.contracts.dead_letter_bounds import HeadersSize
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.directory import DeviceEntry, DirectoryEntry, PatientEntry
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.domain.reading import Tick, Upload, Withdrawal
from vigil.domain.status import Status
from vigil.service.errors import WireError
from vigil.values.clock import EPOCH, from_millis

Headers = list[tuple[str, bytes]]
Carried = (
    Upload
    | Tick
    | Withdrawal
    | Event
    | Alert
    | Action
    | PatientEntry
    | DeviceEntry
    | Phrase
    | Status
)

CE_TYPES: MappingProxyType[str, Any] = MappingProxyType(
    {
        "org.vigil.upload.v1": Upload,
        "org.vigil.tick.v1": Tick,
        "org.vigil.withdrawal.v1": Withdrawal,
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
"""As a number: searching bytes for it is twice as fast."""
LARGEST_DEAD_LETTER = dead_letter_bounds.LARGEST_VALUE
"""Bytes of a dead letter's value that are kept; ``vigil_cut`` has the size if there were more."""


class Outgoing(Struct, frozen=True):
    """A message ready to be sent."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers
    partition: int | None = None
    """None: the key decides."""


class _Address(Struct, frozen=True):
    """What a message's topic, key and headers are derived from."""

    topic: topics.Topic
    key: str
    ce_id: str
    time: str


def _address_upload(message: Upload) -> _Address:
    readings = (m.reading_id for m in message.measurements)
    return _Address(
        topics.READINGS,
        message.patient_id,
        ce_id=ids.derive("upload", message.patient_id, *readings),
        time=ids.timestamp(message.received_at),
    )


def _address_tick(message: Tick) -> _Address:
    moment = ids.timestamp(message.time)
    return _Address(topics.READINGS, "", ce_id=ids.derive("tick", moment), time=moment)


def _address_withdrawal(message: Withdrawal) -> _Address:
    moment, ident = ids.timestamp(message.time), message.withdrawal_id
    return _Address(topics.READINGS, message.patient_id, ce_id=ident, time=moment)


def _address_event(message: Event) -> _Address:
    ident = f"{message.episode_id}:{message.sequence}"
    moment = ids.timestamp(message.detected_at)
    return _Address(topics.EVENTS, message.patient_id, ce_id=ident, time=moment)


def _address_alert(message: Alert) -> _Address:
    ident = f"{message.alert_id}:{message.revision}"
    moment = ids.timestamp(message.time)
    return _Address(topics.ALERTS, message.patient_id, ce_id=ident, time=moment)


def _address_action(message: Action) -> _Address:
    moment = ids.timestamp(message.time)
    return _Address(topics.ACTIONS, message.patient_id, ce_id=message.action_id, time=moment)


def _address_phrase(message: Phrase) -> _Address:
    ident = f"{message.phrase_id}:{message.revision}"
    moment = ids.timestamp(message.time)
    return _Address(topics.PHRASES, message.phrase_id, ce_id=ident, time=moment)


def _address_status(message: Status) -> _Address:
    moment = ids.timestamp(message.time)
    ident = f"{message.instance}:{moment}"
    return _Address(topics.STATUS, message.instance, ce_id=ident, time=moment)


def _address_entry(message: PatientEntry | DeviceEntry, changed: datetime = EPOCH) -> _Address:
    """An entry of the directory has no time of its own."""
    if isinstance(message, PatientEntry):
        key = f"patient:{message.patient_id}"
    else:
        key = f"device:{message.device_id}"
    moment = ids.timestamp(changed)
    ident = ids.derive(key, moment, encode(message).decode())
    return _Address(topics.DIRECTORY, key, ce_id=ident, time=moment)


_ADDRESS: MappingProxyType[type, Callable[[Any], _Address]] = MappingProxyType(
    {
        Upload: _address_upload,
        Tick: _address_tick,
        Withdrawal: _address_withdrawal,
        Event: _address_event,
        Alert: _address_alert,
        Action: _address_action,
        Phrase: _address_phrase,
        Status: _address_status,
        PatientEntry: _address_entry,
        DeviceEntry: _address_entry,
    }
)


def _send_to(
    address: _Address, message: Carried, source: str, *, partition: int | None = None
) -> Outgoing:
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", address.ce_id.encode()),
        ("ce_type", _TYPE_OF[type(message)].encode()),
        ("ce_source", f"/vigil/{source}".encode()),
        ("ce_time", address.time.encode()),
        ("content-type", b"application/json"),
    ]
    return Outgoing(
        address.topic.name,
        key=address.key.encode() or None,
        value=encode(message),
        headers=headers,
        partition=address.topic.only_partition if partition is None else partition,
    )


def to_message(message: Carried, source: str, partition: int | None = None) -> Outgoing:
    """The Kafka message of a struct.

    Args:
        source: the sending service's name.
        partition: where it is sent; None: the topic's only one, or else the key decides.
    """
    return _send_to(_ADDRESS[type(message)](message), message, source, partition=partition)


def to_directory_message(
    message: PatientEntry | DeviceEntry, changed: datetime, source: str
) -> Outgoing:
    """The Kafka message of an entry of the directory.

    Args:
        changed: when the entry became as it is.
        source: the sending service's name.
    """
    return _send_to(_address_entry(message, changed), message, source)


def header(headers: Sequence[tuple[str, bytes | None]], name: str) -> str:
    """The text of a header, or an empty string.

    >>> header([("ce_id", b"7")], "ce_id")
    '7'
    """
    for key, value in headers:
        if key == name and value is not None:  # Kafka allows null
            return value.decode("utf-8", "replace")
    return ""


def decode(topic: str, value: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Carried:
    """The struct in a message. Without a ``ce_type``, the topic's first type is assumed.

    Raises:
        WireError: not JSON, not the promised shape, out of bounds (:mod:`vigil.contracts.bounds`),
            or a type that does not belong there.
    """
    return decode_typed(topic, header(headers, "ce_type"), value)


def decode_typed(topic: str, ce_type: str, value: bytes | None) -> Carried:
    """As :func:`decode`, for a known type; empty: the topic's first type is assumed.

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
        return decode_value(ce_type, value or b"")
    except bounds.OutOfBoundsError as error:
        raise WireError(
            f"A message on {topic} is a {ce_type} out of bounds: {error}.",
            code="wire.out_of_bounds",
            how_to_fix="Fix the producer (see docs/topics.md): the message is refused as it is.",
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise WireError(
            f"A message on {topic} is not the {ce_type} it should be: {error}.",
            code="wire.broken_message",
            how_to_fix="Fix the producer (see docs/schemas), then `vigil deadletter redrive`.",
        ) from error


def decode_value(ce_type: str, value: bytes) -> Carried:
    """Decode a type's JSON, wherever it comes from: times as :mod:`vigil.values.timestamps` reads
    them, everything within the bounds of :mod:`vigil.contracts.bounds`.

    Raises:
        msgspec.DecodeError, UnicodeDecodeError, RecursionError: not JSON, or not of that shape.
        OutOfBoundsError: beyond the bounds.
    """
    if exact_decoding.rounds(value) or (BACKSLASH in value and exact_decoding.escaped(value)):
        message = exact_decoding.decode(CE_TYPES[ce_type], value)
    else:
        try:
            message = _DECODERS[ce_type].decode(value)
        except msgspec.ValidationError as error:
            message = _decode_refused(ce_type, value, error)
    try:
        return bounds.check_bounds(message)  # type: ignore[no-any-return]
    except bounds.OtherOffsetError:
        return bounds.check_bounds(exact_decoding.decode(CE_TYPES[ce_type], value))  # type: ignore[no-any-return]


def _decode_refused(ce_type: str, value: bytes, error: msgspec.ValidationError) -> Any:
    """Decode what msgspec refuses: it has a leap second, or a time without seconds, after all.

    Raises:
        OutOfBoundsError: the more precise description of what is wrong, if it applies.
        msgspec.ValidationError: ``error`` otherwise.
    """
    with suppress(msgspec.DecodeError, RecursionError):
        return exact_decoding.decode(CE_TYPES[ce_type], value)
    bounds.check_plain(value)
    raise error


@dataclass(frozen=True, slots=True)
class DeadOriginal:
    """What a dead letter keeps of the message that could not be handled, and why."""

    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    service: str
    reason: WireError
    timestamp: int = -1
    """The broker's, in milliseconds since 1970; -1: none."""
    headers_size: HeadersSize | None = None
    """The number and size of all headers, if ``headers`` are only the first."""


def build_dead_letter(topic: str, partition: int, offset: int, original: DeadOriginal) -> Outgoing:
    """The dead letter of a message: its bytes unchanged, the reason in the headers.

    Its ``ce_id`` names the original's position and its ``ce_time`` is the broker's time of the
    message, so the same message has only one dead letter. What is too large is cut, and marked as
    cut (:mod:`vigil.contracts.dead_letter_bounds`), so that a dead letter can always be sent.
    """
    origin = f"{topic}/{partition}/{offset}"
    reason = original.reason
    found = dead_letter_bounds.cut_to_bounds(
        original.key,
        original.value,
        original.headers,
        whole=original.headers_size,
        largest_value=LARGEST_DEAD_LETTER,
    )
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", ids.derive("deadletter", original.service, origin).encode()),
        ("ce_type", b"org.vigil.deadletter.v1"),
        ("ce_source", f"/vigil/{original.service}".encode()),
        ("ce_time", ids.timestamp(from_millis(original.timestamp) or EPOCH).encode()),
        ("vigil_origin", origin.encode()),
        ("vigil_reason", reason.code.encode()),
        ("vigil_detail", dead_letter_bounds.shorten_text(reason.message)),
        *found.headers,
    ]
    return Outgoing(topics.DEAD_LETTERS.name, key=found.key, value=found.value, headers=headers)
