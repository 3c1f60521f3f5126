"""Steps 2 to 4 of the loop (:mod:`vigil.streaming.loop`): decode, handle, produce; and what fails
there.

A fault is laid to whom it belongs:

* a message that cannot be read, or that the handler rejects, is set aside at once
* an error of the handler is one message's, until its :meth:`~vigil.streaming.handler.Handler.probe`
  fails too
* what a message causes and no broker will ever take is that message's: it is set aside
* a publisher that cannot send is nobody's: it is waited for
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition

from vigil.contracts import dead_letter_bounds, wire
from vigil.contracts.topics import LARGEST_MESSAGE
from vigil.dead_letters.publisher import Letters
from vigil.service import logs
from vigil.service.errors import StaleOwnerError, UnavailableError, WireError
from vigil.streaming.handler import FailedOn, Handled, Handler, Received, Rejected
from vigil.streaming.poison_messages import Records, Streak, Suspicion

if TYPE_CHECKING:
    from vigil.kafka.clients import Publisher
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("stream")

_OURS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""No message's doing. Other errors that are no ``Exception`` are: a panic of a compiled library."""
_OVERHEAD = 1024
"""Bytes of a record batch beside its one record, at most."""


class Taking:
    """Takes what was polled, piece by piece.

    Args:
        insist: does something however often it must be tried; False: not done.
        held: a message, held against the clock of its record (:mod:`vigil.contracts.clock_check`).
    """

    def __init__(
        self,
        handler: Handler,
        publisher: Publisher,
        settings: Settings,
        health: Health,
        insist: Callable[[Callable[[], object]], bool],
        held: Callable[[wire.Carried, Any], wire.Carried],
    ):
        self._handler = handler
        self._publisher = publisher
        self._health = health
        self._insist = insist
        self._held = held
        self._letters = Letters(self._publish, settings, health)
        self._streak = Streak(health)
        self.suspicion = Suspicion()

    def take(self, records: Records) -> str:
        """Why it could not be done, and must be begun again from what is durable; empty: done."""
        read, letters = self._decode(records)
        batch, aside = self.suspicion.split(read)
        handled = Handled()
        if batch:
            try:
                found = self._handle(batch)
            except StaleOwnerError as error:
                return _stale(error)
            if not isinstance(found, Handled):
                return found
            handled = found
            why = self._send(batch, handled.outgoing)
            if why:
                return why
        letters += [self._letter(_place(r), r.raw, why) for r, why in (*handled.rejected, *aside)]
        if letters and not self._insist(lambda: self._letters.send(letters)):
            return "dead letters are not sent"
        self._done(batch, aside, len(letters))
        self._after(handled)
        return ""

    def _done(self, batch: Sequence[Received], aside: Sequence[Rejected], letters: int) -> None:
        self.suspicion.handled(batch)
        self.suspicion.buried(aside)
        self._streak.handled(batch)
        self._health.count("messages", len(batch))
        if letters:
            self._health.count("dead_letters", letters)

    def _handle(self, batch: Sequence[Received]) -> Handled | str:
        """Step 3, or why it could not be done."""
        handled: list[Handled] = []
        try:
            done = self._insist(lambda: handled.append(self._handler.handle(batch)))
        except StaleOwnerError:
            raise
        except _OURS:
            raise
        except BaseException as error:
            return self._blame(batch, error)
        return handled[-1] if done else "not handled"

    def _blame(self, batch: Sequence[Received], error: BaseException) -> str:
        """Find the message whose doing it is."""
        cause = error
        if isinstance(error, FailedOn):
            cause = error.__cause__ or error
        log.error("handler failed", error=type(cause).__name__, messages=len(batch), exc_info=error)
        named = [error.received] if isinstance(error, FailedOn) else list(batch)
        if len(batch) > 1 and (len(named) > 1 or isinstance(cause, MemoryError)):
            self.suspicion.suspect(named)  # memory may have been the whole batch's
        elif self._sound(error):
            self._streak.failed(named[0], cause)
            self.suspicion.alone(named[0], self._failed_alone(cause))
        return f"{self._handler.name} failed: {type(cause).__name__}"

    def _sound(self, error: BaseException) -> bool:
        """Whether the handler works without the message. Where that had to be waited for, what it
        lacked may have been all: the message is to be tried once more.

        Raises:
            BaseException: ``error``, for it does not: the fault is in no message.
        """
        tries: list[None] = []

        def probe() -> None:
            tries.append(None)
            self._handler.probe()

        try:
            return self._insist(probe) and len(tries) == 1
        except StaleOwnerError:
            return False
        except Exception as unsound:
            log.critical("it fails without any message, too", exc_info=unsound)
            raise error from unsound

    def _send(self, batch: Sequence[Received], outgoing: Sequence[wire.Outgoing]) -> str:
        """Step 4 for what the handler causes; why it could not be done, or empty."""
        if not outgoing:
            return ""
        try:
            _sendable(outgoing)
            done = self._insist(lambda: self._publish(outgoing))
        except WireError as error:
            log.warning("what a message causes cannot be sent", code=error.code)
            if len(batch) > 1:
                self.suspicion.suspect(batch)
            else:
                self._streak.failed(batch[0], error)
                self.suspicion.alone(batch[0], error)
            return error.message
        return "" if done else "not sent"

    def _publish(self, messages: Sequence[wire.Outgoing]) -> None:
        """Send, and wait for the acks. A fault of the client's own is waited out, as the broker's.

        Raises:
            UnavailableError: not now.
            WireError: one of them will never be taken.
        """
        try:
            self._publisher.publish(messages)
        except (UnavailableError, WireError):
            raise
        except Exception as error:
            log.exception("the publisher failed")
            raise UnavailableError(
                f"The Kafka client failed: {type(error).__name__}.",
                code="unavailable.broker",
                how_to_fix="The service's log has the error. Restart it if it goes on.",
            ) from error

    def _after(self, handled: Handled) -> None:
        """What is to be done once it is sent; a failure there is no reason to do it all again."""
        try:
            handled.after()
        except Exception:
            self._health.count("after_failures")
            log.exception("failed after a batch")

    def _decode(self, records: Records) -> tuple[list[Received], list[wire.Outgoing]]:
        batch, dead = [], []
        for place, messages in records.items():
            topic, partition = place
            for raw in messages:
                try:
                    message = wire.decode_typed(topic, raw.header("ce_type"), raw.value)
                except WireError as error:
                    dead.append(self._letter(place, raw, error))
                except Exception as error:  # of a kind that the decoder does not promise
                    log.exception("decoder failed")
                    dead.append(self._letter(place, raw, _unreadable(topic, error)))
                else:
                    held = self._held(message, raw)
                    batch.append(Received(topic, partition, raw.offset, held, raw))
        return batch, dead

    def _letter(self, place: TopicPartition, raw: Any, reason: WireError) -> wire.Outgoing:
        log.warning(
            "dead letter",
            code=reason.code,
            topic=place.topic,
            partition=place.partition,
            offset=raw.offset,
        )
        return dead_letter(place, raw, self._handler.name, reason)

    def _failed_alone(self, error: BaseException) -> WireError:
        return WireError(
            f"{self._handler.name} failed on this message, and on it alone:"
            f" {type(error).__name__}.",
            code="wire.rejected",
            how_to_fix="The service's log has the error; redrive the message once it is mended.",
        )


def dead_letter(place: TopicPartition, raw: Any, service: str, reason: WireError) -> wire.Outgoing:
    """The dead letter of a :class:`vigil.kafka.records.Record`."""
    headers = raw.first_headers(dead_letter_bounds.MOST_HEADERS)
    original = wire.DeadOriginal(
        raw.key, raw.value, headers, service, reason, raw.timestamp, raw.headers_size()
    )
    return wire.deadletter(place.topic, place.partition, raw.offset, original)


def _sendable(messages: Sequence[wire.Outgoing]) -> None:
    """Refuse what no topic of ours takes before any of it is sent.

    Raises:
        WireError: one of them is too large.
    """
    for message in messages:
        size = len(message.value) + len(message.key or b"") + _OVERHEAD
        for name, value in message.headers:
            size += len(name) + len(value)
        if size > LARGEST_MESSAGE:
            raise WireError(
                f"It causes a message of {size} bytes on {message.topic}, which takes"
                f" {LARGEST_MESSAGE}.",
                code="wire.too_large",
                how_to_fix="Mend its producer: a part of it is far too long.",
            )


def _unreadable(topic: str, error: Exception) -> WireError:
    return WireError(
        f"A message on {topic} cannot be decoded: {type(error).__name__}.",
        code="wire.broken_message",
        how_to_fix="Mend the producer (see docs/schemas), then `vigil deadletter redrive`.",
    )


def _stale(error: StaleOwnerError) -> str:
    log.warning("partitions have a newer owner", code=error.code)
    return error.message


def _place(received: Received) -> TopicPartition:
    return TopicPartition(received.topic, received.partition)
