"""Steps 2 to 4 of the loop (:mod:`vigil.streaming.loop`): decode, handle, produce; and what happens
when one of them fails.

* A message that cannot be decoded, or that the handler rejects, becomes a dead letter at once.
* An error of the handler is attributed to one message, unless its
  :meth:`~vigil.streaming.handler.Handler.probe` fails too.
* If a message causes another one that no broker will ever accept, it becomes a dead letter.
* A publisher that cannot send is no message's fault: sending is retried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka import TopicPartition

from vigil.contracts import dead_letter_bounds, wire
from vigil.contracts.topics import LARGEST_MESSAGE
from vigil.dead_letters.publisher import DeadLetterPublisher
from vigil.service import logs
from vigil.service.errors import StaleOwnerError, UnavailableError, WireError
from vigil.streaming.handler import FailedOn, Handled, Handler, Received
from vigil.streaming.poison_messages import (
    ConsecutiveFailures,
    PoisonMessageIsolator,
    Records,
    Separated,
)

if TYPE_CHECKING:
    from vigil.kafka.clients import Publisher
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("stream")

_PROCESS_ENDS = (KeyboardInterrupt, SystemExit, GeneratorExit)
"""Never caused by a message. Other errors that are no ``Exception`` are: a panic in a compiled
library."""
_OVERHEAD = 1024
"""Bytes of a record batch in addition to its one record, at most."""


@dataclass(frozen=True, slots=True)
class _Dead:
    """A message that becomes a dead letter."""

    partition: TopicPartition
    raw: Any
    reason: WireError


class BatchProcessor:
    """Processes the pieces of a poll.

    Args:
        retry: calls an action until it succeeds; False if it did not.
        correct_time: a message, with its time checked against its record's timestamp
            (:mod:`vigil.contracts.clock_check`).
    """

    def __init__(
        self,
        handler: Handler,
        publisher: Publisher,
        settings: Settings,
        *,
        health: Health,
        retry: Callable[[Callable[[], object]], bool],
        correct_time: Callable[[wire.Carried, Any], wire.Carried],
    ):
        self._handler = handler
        self._publisher = publisher
        self._health = health
        self._retry = retry
        self._correct_time = correct_time
        self._dead_letters = DeadLetterPublisher(self._publish, settings, health)
        self._failures = ConsecutiveFailures(health)
        self.poison = PoisonMessageIsolator()

    def process(self, records: Records) -> str:
        """Decode, handle and produce.

        Returns:
            Why it failed, so that the batch must be repeated from what is durable; empty if it did
            not.
        """
        dead: list[_Dead] = []
        read = self.poison.separate(self._decode(records, dead))
        handled = Handled()
        if read.to_handle:
            try:
                found = self._handle(read.to_handle)
            except StaleOwnerError as error:
                return _report_stale_owner(error)
            if not isinstance(found, Handled):
                return found
            handled = found
            if why := self._send(read.to_handle, handled.outgoing):
                return why
        for each in (*handled.rejected, *read.set_aside):
            received = each.received
            dead.append(_Dead(_partition(received), received.raw, each.reason))
        if dead and not self._set_aside(dead):
            return "dead letters are not sent"
        self._record_done(read, len(dead))
        self._run_after(handled)
        return ""

    def _record_done(self, read: Separated, dead: int) -> None:
        self.poison.mark_handled(read.to_handle)
        self.poison.mark_dead_lettered(read.set_aside)
        self._failures.record_handled(read.to_handle)
        self._health.count("messages", len(read.to_handle))
        if dead:
            self._health.count("dead_letters", dead)

    def _handle(self, batch: Sequence[Received]) -> Handled | str:
        """Step 3, or why it failed."""
        handled: list[Handled] = []
        try:
            done = self._retry(lambda: handled.append(self._handler.handle(batch)))
        except StaleOwnerError:
            raise
        except _PROCESS_ENDS:
            raise
        except BaseException as error:
            return self._find_poison_message(batch, error)
        return handled[-1] if done else "not handled"

    def _find_poison_message(self, batch: Sequence[Received], error: BaseException) -> str:
        """Attribute the error to a message, or divide the batch to find it."""
        cause = error
        if isinstance(error, FailedOn):
            cause = error.__cause__ or error
        log.error("handler failed", error=type(cause).__name__, messages=len(batch), exc_info=error)
        named = [error.received] if isinstance(error, FailedOn) else list(batch)
        if len(batch) > 1 and (len(named) > 1 or isinstance(cause, MemoryError)):
            self.poison.isolate(named)  # the whole batch may have exhausted the memory
        elif self._works_without(error):
            self._failures.record_failure(named[0], cause)
            self.poison.mark_poison(named[0], self._failed_alone(cause))
        return f"{self._handler.name} failed: {type(cause).__name__}"

    def _works_without(self, error: BaseException) -> bool:
        """Whether the handler works without the message. False also if that had to be retried: what
        was unavailable may have been the whole cause, and the message is to be tried once more.

        Raises:
            BaseException: ``error``, if it does not: no message is the cause.
        """
        tries: list[None] = []

        def probe() -> None:
            tries.append(None)
            self._handler.probe()

        try:
            return self._retry(probe) and len(tries) == 1
        except StaleOwnerError:
            return False
        except Exception as defect:
            log.critical("handler fails without any message, too", exc_info=defect)
            raise error from defect

    def _send(self, batch: Sequence[Received], outgoing: Sequence[wire.Outgoing]) -> str:
        """Step 4 for what the handler causes; why it failed, or empty."""
        if not outgoing:
            return ""
        try:
            _check_sizes(outgoing)
            done = self._retry(lambda: self._publish(outgoing))
        except WireError as error:
            log.warning("what a message causes cannot be sent", code=error.code)
            if len(batch) > 1:
                self.poison.isolate(batch)
            else:
                self._failures.record_failure(batch[0], error)
                self.poison.mark_poison(batch[0], error)
            return error.message
        return "" if done else "not sent"

    def _publish(self, messages: Sequence[wire.Outgoing]) -> None:
        """Send, and wait for the acknowledgements. An error in the client itself is retried like
        one of the broker's.

        Raises:
            UnavailableError: not now.
            WireError: one of them will never be accepted.
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

    def _run_after(self, handled: Handled) -> None:
        """Call the handler's ``after``. Everything is sent by then, so its failure is no reason to
        repeat the batch."""
        try:
            handled.after()
        except Exception:
            self._health.count("after_failures")
            log.exception("failed after a batch")

    def _decode(self, records: Records, dead: list[_Dead]) -> list[Received]:
        """Step 2; adds what cannot be decoded to ``dead``."""
        batch = []
        for partition, messages in records.items():
            topic, number = partition
            for raw in messages:
                try:
                    message = wire.decode_typed(topic, raw.header("ce_type"), raw.value)
                except WireError as error:
                    dead.append(_Dead(partition, raw, error))
                except Exception as error:  # one that the decoder does not document
                    log.exception("decoder failed")
                    dead.append(_Dead(partition, raw, _unreadable(topic, error)))
                else:
                    checked = self._correct_time(message, raw)
                    batch.append(Received(topic, number, raw.offset, message=checked, raw=raw))
        return batch

    def _set_aside(self, dead: Sequence[_Dead]) -> bool:
        """Send the dead letters of these; False: they are not sent."""
        name = self._handler.name
        messages = [
            make_dead_letter(each.partition, each.raw, service=name, reason=each.reason)
            for each in dead
        ]
        _log_dead(dead)
        return self._retry(lambda: self._dead_letters.send(messages))

    def _failed_alone(self, error: BaseException) -> WireError:
        return WireError(
            f"{self._handler.name} failed on this message, and on it alone:"
            f" {type(error).__name__}.",
            code="wire.rejected",
            how_to_fix="The service's log has the error; redrive the message once it is fixed.",
        )


def make_dead_letter(
    partition: TopicPartition, raw: Any, *, service: str, reason: WireError
) -> wire.Outgoing:
    """The dead letter of a :class:`vigil.kafka.records.Record`.

    Args:
        service: the worker that could not handle it.
    """
    original = wire.DeadOriginal(
        key=raw.key,
        value=raw.value,
        headers=raw.first_headers(dead_letter_bounds.MOST_HEADERS),
        service=service,
        reason=reason,
        timestamp=raw.timestamp,
        headers_size=raw.headers_size(),
    )
    return wire.build_dead_letter(
        partition.topic, partition.partition, raw.offset, original=original
    )


def _log_dead(dead: Sequence[_Dead]) -> None:
    """Log where they are: a line for all of a batch that have their partition and reason in common,
    as a producer that is broken makes thousands of them."""
    offsets: dict[tuple[TopicPartition, str], list[int]] = {}
    for each in dead:
        offsets.setdefault((each.partition, each.reason.code), []).append(each.raw.offset)
    for (partition, code), found in offsets.items():
        log.warning(
            "dead letters",
            code=code,
            topic=partition.topic,
            partition=partition.partition,
            count=len(found),
            first_offset=min(found),
            last_offset=max(found),
        )


def _check_sizes(messages: Sequence[wire.Outgoing]) -> None:
    """Refuse what no topic accepts before any of it is sent.

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
                how_to_fix="Fix its producer: a part of it is far too long.",
            )


def _unreadable(topic: str, error: Exception) -> WireError:
    return WireError(
        f"A message on {topic} cannot be decoded: {type(error).__name__}.",
        code="wire.broken_message",
        how_to_fix="Fix the producer (see docs/schemas), then `vigil deadletter redrive`.",
    )


def _report_stale_owner(error: StaleOwnerError) -> str:
    log.warning("partitions have a newer owner", code=error.code)
    return error.message


def _partition(received: Received) -> TopicPartition:
    return TopicPartition(received.topic, received.partition)
