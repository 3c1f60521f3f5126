"""The dead letters: what was refused, read back, and sent again as it was.

Sending again changes nothing downstream that is there already: the bytes and headers are the
original's, and every id is derived from content.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka import TopicPartition
from kafka.errors import KafkaError

from vigil import broker, reading, stamps, wire
from vigil.errors import InputError
from vigil.topics import DEADLETTER, TOPICS

if TYPE_CHECKING:
    from vigil.settings import Settings

PATIENCE_SECONDS = 10.0
"""A person waits for the answer: longer, and the broker counts as away."""


class DeadLetter(NamedTuple):
    """One message that a worker could not take."""

    ident: str
    """Derived from the service and the message's first place, so a message dies only once."""
    origin: str
    """Where it was: ``topic/partition/offset``."""
    service: str
    """Who could not take it."""
    reason: str
    """An error code (:data:`vigil.errors.CODES`)."""
    detail: str
    time: datetime
    """When it was set aside."""
    key: bytes | None
    value: bytes
    headers: wire.Headers
    """The original's."""
    whole_bytes: int | None = None
    """How large the value was, where it was too large to be kept whole."""

    @property
    def topic(self) -> str:
        """The topic that it was on."""
        return self.origin.partition("/")[0]


def parse(record: Any) -> DeadLetter:
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
        time=stamps.moment(record.timestamp),
        key=record.key,
        value=record.value or b"",
        headers=[(k.removeprefix(prefix), v) for k, v in headers if k.startswith(prefix)],
        whole_bytes=int(whole) if whole.isdecimal() else None,
    )


def read(settings: Settings) -> Iterator[DeadLetter]:
    """Every dead letter that the topic holds now, oldest first, each once.

    Raises:
        UnavailableError: the broker does not answer.
    """
    seen: set[str] = set()
    consumer = broker.open_consumer(settings, None, PATIENCE_SECONDS)
    try:
        for number in sorted(consumer.partitions_for_topic(DEADLETTER.name) or ()):
            for record in reading.retained(consumer, TopicPartition(DEADLETTER.name, number)):
                letter = parse(record)
                if not letter.ident or letter.ident not in seen:
                    seen.add(letter.ident)
                    yield letter
    except KafkaError as error:
        raise broker.unavailable(settings, type(error).__name__) from error
    finally:
        consumer.close(autocommit=False)


def originals(letters: Iterable[DeadLetter]) -> list[wire.Outgoing]:
    """The messages that died, ready to be sent to where they were, each content once.

    A message that died again after it was sent again is in the topic more than once.

    Raises:
        InputError: a letter does not say which of our topics it was on, or was cut.
    """
    messages: dict[tuple[object, ...], wire.Outgoing] = {}
    for letter in letters:
        if letter.topic not in TOPICS:
            raise InputError(
                f"The dead letter {letter.ident or '(without an id)'} names no topic of ours.",
                code="input.wrong_type",
                field="vigil_origin",
                mend="It was not written by Vigil: leave it out.",
            )
        if letter.whole_bytes is not None:
            raise InputError(
                f"Of the {letter.whole_bytes} bytes of {letter.ident} only the first"
                f" {len(letter.value)} were kept.",
                code="input.wrong_type",
                field="vigil_cut",
                mend="It cannot be sent again: let its producer send it, in smaller messages.",
            )
        message = wire.Outgoing(letter.topic, letter.key, letter.value, letter.headers)
        content = (*message[:3], tuple(message.headers))
        messages.setdefault(content, message)
    return list(messages.values())


def redrive(settings: Settings, letters: Iterable[DeadLetter]) -> int:
    """Send the originals again and return how many; only when the broker has all of them.

    Raises:
        InputError: a letter does not say which of our topics it was on, or was cut; nothing was
            sent.
        UnavailableError: the broker does not answer. Some may have been sent: redrive again.
    """
    messages = originals(letters)
    publisher = broker.Publisher(settings, "deadletter", PATIENCE_SECONDS)
    try:
        return publisher.publish(messages)
    finally:
        publisher.close()
