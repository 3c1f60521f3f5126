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

from vigil.contracts import dead_letter_bounds, wire
from vigil.contracts.topics import DEADLETTER, TOPICS
from vigil.dead_letters.local_folder import LocalLetters
from vigil.dead_letters.publisher import publish_kept
from vigil.kafka import clients as broker
from vigil.kafka import partition_reader
from vigil.service.errors import InputError, WireError
from vigil.values.clock import EPOCH, from_millis

if TYPE_CHECKING:
    from vigil.service.settings import Settings

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
    """An error code (:data:`vigil.service.errors.CODES`)."""
    detail: str
    time: datetime
    """When it was set aside."""
    key: bytes | None
    value: bytes
    headers: wire.Headers
    """The original's."""
    whole_bytes: int | None = None
    """How large the value was, where it was too large to be kept whole."""
    cut: str = ""
    """What else of it was cut, in words; empty: nothing."""
    local: bool = False
    """Whether it is kept on this machine, and not on the topic."""

    @property
    def topic(self) -> str:
        """The topic that it was on."""
        return self.origin.partition("/")[0]


class _Record(NamedTuple):
    """What :func:`parse` asks of a Kafka record."""

    headers: wire.Headers
    key: bytes | None
    value: bytes
    timestamp: int


class Refusal(NamedTuple):
    """Why a letter is not sent again."""

    why: str
    how_to_fix: str
    field: str
    final: bool
    """Nobody may send it. Otherwise it can be sent, and would die again."""


def parse(record: Any, *, local: bool = False) -> DeadLetter:
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
        cut=_cut(headers),
        local=local,
    )


def _cut(headers: wire.Headers) -> str:
    key = wire.header(headers, dead_letter_bounds.CUT_KEY)
    parts = [f"its key, of {key} bytes"] if key else []
    many = wire.header(headers, dead_letter_bounds.CUT_HEADERS)
    return " and ".join([*parts, *([f"some of its {many}"] if many else [])])


def read(settings: Settings) -> Iterator[DeadLetter]:
    """Every dead letter that the topic holds now, oldest first, each once; then those that are kept
    on this machine (:mod:`vigil.dead_letters.local_folder`).

    Raises:
        UnavailableError: the broker does not answer.
    """
    seen: set[str] = set()
    yield from _on_topic(settings, seen)
    for kept in LocalLetters.of(settings).all():
        message = kept.letter
        record = _Record(message.headers, message.key, message.value, kept.timestamp)
        letter = parse(record, local=True)
        if letter.ident not in seen:
            yield letter


def _on_topic(settings: Settings, seen: set[str]) -> Iterator[DeadLetter]:
    consumer = broker.open_consumer(settings, None, PATIENCE_SECONDS)
    try:
        for number in sorted(consumer.partitions_for_topic(DEADLETTER.name) or ()):
            for record in partition_reader.retained(
                consumer, TopicPartition(DEADLETTER.name, number)
            ):
                letter = parse(record)
                if not letter.ident or letter.ident not in seen:
                    seen.add(letter.ident)
                    yield letter
    except KafkaError as error:
        raise broker.unavailable(settings, type(error).__name__) from error
    finally:
        consumer.close(autocommit=False)


def refusal(letter: DeadLetter) -> Refusal | None:
    """Why a letter must not be sent again, or would die again; None: nothing is known against it.

    What only Vigil writes is never sent again: an old entry of the directory, or an old state of a
    process, would stand in the place of the present one.
    """
    against = _foreign(letter) or _in_part(letter)
    if against is not None:
        return against
    try:
        wire.decode(letter.topic, letter.value, letter.headers)
    except WireError as error:
        return Refusal(error.message, error.how_to_fix, "value", False)
    if letter.reason == "wire.too_large":
        return Refusal(letter.detail, "Mend its producer.", "value", False)
    return None


def _foreign(letter: DeadLetter) -> Refusal | None:
    """It was on no topic that others may write to."""
    topic = TOPICS.get(letter.topic)
    if topic is None:
        return Refusal(
            f"The dead letter {letter.ident or '(without an id)'} names no topic of ours.",
            "It was not written by Vigil: leave it out.",
            "vigil_origin",
            True,
        )
    if topic.public and topic.carries:
        return None
    return Refusal(
        f"{letter.ident} was on {topic.name}, to which only Vigil itself writes, what is so now.",
        "Leave it out: its service publishes again what the topic lacks.",
        "vigil_origin",
        True,
    )


def _in_part(letter: DeadLetter) -> Refusal | None:
    """It was cut."""
    if letter.whole_bytes is not None:
        of = f"the {letter.whole_bytes} bytes of {letter.ident}"
        kept = f"Of {of} only the first {len(letter.value)} were kept."
    elif letter.cut:
        kept = f"Of {letter.ident} not everything was kept: {letter.cut}."
    else:
        return None
    how_to_fix = "It cannot be sent again: let its producer send it, in smaller messages."
    return Refusal(kept, how_to_fix, "vigil_cut", True)


def originals(letters: Iterable[DeadLetter]) -> list[wire.Outgoing]:
    """The messages that died, ready to be sent to where they were, each content once.

    A message that died again after it was sent again is in the topic more than once.

    Raises:
        InputError: a letter may not be sent again: it does not say which of our topics it was on,
            was on one to which only Vigil writes, or was cut.
    """
    messages: dict[tuple[object, ...], wire.Outgoing] = {}
    for letter in letters:
        against = refusal(letter)
        if against is not None and against.final:
            raise InputError(
                against.why,
                code="input.wrong_type",
                field=against.field,
                how_to_fix=against.how_to_fix,
            )
        message = wire.Outgoing(letter.topic, letter.key, letter.value, letter.headers)
        content = (*message[:3], tuple(message.headers))
        messages.setdefault(content, message)
    return list(messages.values())


def redrive(settings: Settings, letters: Iterable[DeadLetter]) -> int:
    """Send the originals again and return how many; only when the broker has all of them.

    Raises:
        InputError: a letter may not be sent again (:func:`originals`); nothing was sent.
        UnavailableError: the broker does not answer. Some may have been sent: redrive again.
        WireError: the broker will never take one of them.
    """
    messages = originals(letters)
    publisher = broker.Publisher(settings, "deadletter", PATIENCE_SECONDS)
    try:
        return publisher.publish(messages)
    finally:
        publisher.close()


def publish(settings: Settings) -> tuple[int, int]:
    """Send the letters that are kept on this machine to the topic; ``(sent, still here)``.

    Raises:
        UnavailableError: the broker does not answer.
    """
    local = LocalLetters.of(settings)
    if not local.count():
        return 0, 0
    publisher = broker.Publisher(settings, "deadletter", PATIENCE_SECONDS)
    try:
        sent, left, _ = publish_kept(local, publisher.publish)
        return sent, left
    finally:
        publisher.close()
