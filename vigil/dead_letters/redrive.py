"""Reads dead letters, and sends their original messages again.

Sending again changes nothing downstream that exists already: the bytes and headers are the
original's, and every id is derived from content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from vigil.contracts import dead_letter_bounds, wire
from vigil.contracts.topics import DEAD_LETTERS, TOPICS
from vigil.dead_letters.local_folder import LocalDeadLetters
from vigil.dead_letters.publisher import Published, publish_local_dead_letters
from vigil.kafka import partition_reader
from vigil.kafka.clients import Publisher, broker_unavailable, open_consumer
from vigil.service.errors import InputError, WireError
from vigil.values.clock import EPOCH, from_millis

if TYPE_CHECKING:
    from vigil.service.settings import Settings

CONNECT_TIMEOUT_SECONDS = 10.0
"""After so long the broker counts as unreachable: a person waits for the answer."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that a worker could not handle."""

    ident: str
    """Derived from the service and the message's first position, so each is set aside only once."""
    origin: str
    """The original's position: ``topic/partition/offset``."""
    service: str
    """The worker that could not handle it."""
    reason: str
    """An error code (:data:`vigil.service.errors.CODES`)."""
    detail: str
    time: datetime
    """When it was set aside."""
    key: bytes | None
    value: bytes
    headers: wire.Headers
    """The original's."""
    whole_bytes: int | None = None
    """The size of the original value, if it was too large to be kept whole."""
    cut: str = ""
    """What else of it was cut, as a text; empty: nothing."""
    local: bool = False
    """Whether it is kept on this machine and not on the topic."""

    @property
    def topic(self) -> str:
        """The original's topic."""
        return self.origin.partition("/")[0]


@dataclass(frozen=True, slots=True)
class _Record:
    """The parts of a Kafka record that :func:`parse_record` reads."""

    headers: wire.Headers
    key: bytes | None
    value: bytes
    timestamp: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a dead letter is not sent again."""

    why: str
    how_to_fix: str
    field: str
    final: bool
    """It must never be sent. Otherwise it can be sent, and would become a dead letter again."""


def parse_record(record: Any, *, local: bool = False) -> DeadLetter:
    """The dead letter in a Kafka record; fields are empty where somebody else wrote it."""
    headers = record.headers or []
    prefix = "original_"
    whole = wire.header(headers, "vigil_cut")
    return DeadLetter(
        ident=wire.header(headers, "ce_id"),
        origin=wire.header(headers, "vigil_origin"),
        service=wire.header(headers, "ce_source").removeprefix("/vigil/"),
        reason=wire.header(headers, "vigil_reason"),
        detail=wire.header(headers, "vigil_detail"),
        time=from_millis(record.timestamp) or EPOCH,
        key=record.key,
        value=record.value or b"",
        headers=[(k.removeprefix(prefix), v) for k, v in headers if k.startswith(prefix)],
        whole_bytes=int(whole) if whole.isdecimal() and len(whole) < 20 else None,
        cut=_describe_cut(headers),
        local=local,
    )


def _describe_cut(headers: wire.Headers) -> str:
    key = wire.header(headers, dead_letter_bounds.CUT_KEY)
    parts = [f"its key, of {key} bytes"] if key else []
    many = wire.header(headers, dead_letter_bounds.CUT_HEADERS)
    return " and ".join([*parts, *([f"some of its {many}"] if many else [])])


def read_dead_letters(settings: Settings) -> Iterator[DeadLetter]:
    """Every dead letter that the topic holds now, oldest first, each once; then those that are kept
    on this machine (:mod:`vigil.dead_letters.local_folder`).

    Raises:
        UnavailableError: the broker does not answer.
    """
    seen: set[str] = set()
    yield from _read_topic(settings, seen)
    for kept in LocalDeadLetters.from_settings(settings).read_all():
        message = kept.message
        record = _Record(
            headers=message.headers,
            key=message.key,
            value=message.value,
            timestamp=kept.timestamp,
        )
        dead_letter = parse_record(record, local=True)
        if dead_letter.ident not in seen:
            yield dead_letter


def _read_topic(settings: Settings, seen: set[str]) -> Iterator[DeadLetter]:
    consumer = open_consumer(settings, None, CONNECT_TIMEOUT_SECONDS)
    try:
        for number in sorted(consumer.partitions_for_topic(DEAD_LETTERS.name) or ()):
            for record in partition_reader.read_retained(
                consumer, TopicPartition(DEAD_LETTERS.name, number)
            ):
                dead_letter = parse_record(record)
                if not dead_letter.ident or dead_letter.ident not in seen:
                    seen.add(dead_letter.ident)
                    yield dead_letter
    except KafkaError as error:
        raise broker_unavailable(settings, type(error).__name__) from error
    finally:
        consumer.close(autocommit=False)


def find_refusal(dead_letter: DeadLetter) -> Refusal | None:
    """Why a dead letter must not be sent again, or would become one again; None: neither is known.

    What only Vigil writes is never sent again: an old entry of the directory, or an old status of a
    process, would replace the present one.
    """
    refused = _refuse_topic(dead_letter) or _refuse_cut(dead_letter)
    if refused is not None:
        return refused
    try:
        wire.decode(dead_letter.topic, dead_letter.value, dead_letter.headers)
    except WireError as error:
        return Refusal(error.message, error.how_to_fix, field="value", final=False)
    if dead_letter.reason == "wire.too_large":
        return Refusal(dead_letter.detail, "Fix its producer.", field="value", final=False)
    return None


def _refuse_topic(dead_letter: DeadLetter) -> Refusal | None:
    """Whether it was on a topic that others than Vigil may write to."""
    topic = TOPICS.get(dead_letter.topic)
    if topic is None:
        return Refusal(
            f"The dead letter {dead_letter.ident or '(without an id)'} names no topic of ours.",
            "It was not written by Vigil: leave it out.",
            field="vigil_origin",
            final=True,
        )
    if topic.public and topic.carries:
        return None
    return Refusal(
        f"{dead_letter.ident} was on {topic.name}, to which only Vigil itself writes.",
        "Leave it out: its service publishes again what the topic lacks.",
        field="vigil_origin",
        final=True,
    )


def _refuse_cut(dead_letter: DeadLetter) -> Refusal | None:
    """Whether it was kept whole."""
    if dead_letter.whole_bytes is not None:
        size = f"the {dead_letter.whole_bytes} bytes of {dead_letter.ident}"
        kept = f"Of {size} only the first {len(dead_letter.value)} were kept."
    elif dead_letter.cut:
        kept = f"Of {dead_letter.ident} not everything was kept: {dead_letter.cut}."
    else:
        return None
    how_to_fix = "It cannot be sent again: let its producer send it, in smaller messages."
    return Refusal(kept, how_to_fix, field="vigil_cut", final=True)


def restore_originals(dead_letters: Iterable[DeadLetter]) -> list[wire.Outgoing]:
    """The original messages, ready to be sent to their topics, each content once.

    A message that failed again after it was sent again has more than one dead letter.

    Raises:
        InputError: a dead letter must not be sent again: it names none of our topics, one to which
            only Vigil writes, or was cut.
    """
    messages: dict[tuple[object, ...], wire.Outgoing] = {}
    for each in dead_letters:
        refused = find_refusal(each)
        if refused is not None and refused.final:
            raise InputError(
                refused.why,
                code="input.wrong_type",
                field=refused.field,
                how_to_fix=refused.how_to_fix,
            )
        message = wire.Outgoing(each.topic, key=each.key, value=each.value, headers=each.headers)
        messages.setdefault((each.topic, each.key, each.value, tuple(each.headers)), message)
    return list(messages.values())


def send_again(settings: Settings, dead_letters: Iterable[DeadLetter]) -> int:
    """Send the originals again and return how many; only when the broker has all of them.

    Raises:
        InputError: one must not be sent again (:func:`restore_originals`); nothing was sent.
        UnavailableError: the broker does not answer. Some may have been sent: try again.
        WireError: the broker will never accept one of them.
    """
    messages = restore_originals(dead_letters)
    publisher = Publisher(settings, "deadletter", CONNECT_TIMEOUT_SECONDS)
    try:
        return publisher.publish(messages)
    finally:
        publisher.close()


def publish_local(settings: Settings) -> Published:
    """Send the dead letters that are kept on this machine to the topic.

    Raises:
        UnavailableError: the broker does not answer.
    """
    local = LocalDeadLetters.from_settings(settings)
    if not local.count():
        return Published(sent=0, left=0, complete=True)
    publisher = Publisher(settings, "deadletter", CONNECT_TIMEOUT_SECONDS)
    try:
        return publish_local_dead_letters(local, publisher.publish)
    finally:
        publisher.close()
