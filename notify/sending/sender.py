"""Sends the planned deliveries, on threads of its own.

One thread claims deliveries that are due and hands each to the threads of its channel, as many at
once as the channel allows; so a slow push service delays neither the stream nor the on-call staff.
The order is claim, send, record. A process that dies in between leaves a claim that expires with
its lease, and the delivery is sent again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_fixed

from notify.channels.contract import LEASE_SECONDS, Channel, Outcome
from notify.sending.backoff import retry_pause
from store.database.connections import Pool, translated
from store.notifications import deliveries, subscriptions
from store.notifications.deliveries import Delivery
from vigil.service import logs
from vigil.service.errors import UnavailableError
from vigil.service.health import Look, Trouble

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.values.clock import Clock

log = logs.get("sender")

LEASE = timedelta(seconds=LEASE_SECONDS)
HANGS_SECONDS = 2.0 * LEASE_SECONDS
"""A channel whose oldest delivery takes longer hangs: a delivery is sent within its lease, and
recorded within half a lease after that."""
TURN_SECONDS = 60.0
"""Longest time between two beats: a database that does not answer times out sooner."""
POLL_SECONDS = 1.0
"""How often the queue is read without a wake signal."""
RECORD_PAUSE_SECONDS = 0.5
"""Between two attempts to record an outcome."""


class WakeSignal:
    """Wakes a waiting thread; a signal while nobody waits is kept for the next wait."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def wake(self) -> None:
        """Signal that there is something to do."""
        self._event.set()

    def wait(self, seconds: float) -> None:
        """Wait for the signal, at most so long."""
        self._event.wait(seconds)
        self._event.clear()


class ChannelThreads:
    """A channel and the threads that send on it."""

    def __init__(self, channel: Channel):
        self.channel = channel
        self._free = threading.Semaphore(channel.threads)
        self._started: dict[str, float] = {}
        """Delivery id → when its sending started, in monotonic seconds."""
        self._threads = ThreadPoolExecutor(channel.threads, f"send-{channel.name}")

    def acquire(self) -> bool:
        """Take a thread if one is free."""
        return self._free.acquire(blocking=False)

    def release(self) -> None:
        """Return a thread."""
        self._free.release()

    def submit(self, sender: Sender, delivery: Delivery) -> None:
        """Deliver on the thread that was acquired."""
        self._threads.submit(sender.deliver, self, delivery)

    def mark_started(self, delivery_id: str) -> None:
        """The sending of a delivery starts."""
        self._started[delivery_id] = time.monotonic()

    def mark_finished(self, delivery_id: str) -> None:
        """A delivery is sent and recorded, or recording it failed."""
        self._started.pop(delivery_id, None)

    def longest_seconds(self) -> float:
        """How long the oldest delivery has been in progress; 0: none is."""
        started = list(self._started.values())
        return time.monotonic() - min(started) if started else 0.0

    def close(self) -> None:
        """Wait until every delivery in progress is sent and recorded."""
        self._threads.shutdown(wait=True)


class Sender:
    """The queue's worker; :meth:`run` on a thread of its own."""

    def __init__(
        self,
        pool: Pool,
        channels: Sequence[Channel],
        *,
        wake_signal: WakeSignal,
        clock: Clock,
        health: Health,
    ):
        self._pool = pool
        self._channels = [ChannelThreads(channel) for channel in channels]
        self._wake_signal = wake_signal
        self._clock = clock
        self._health = health
        self.beat: Callable[[], None] = lambda: None
        """Called with each pass over the queue."""

    def look(self) -> Look:
        """Report channels that hang in a delivery."""
        return Look(
            {
                f"channel.{threads.channel.name}": Trouble(
                    f"The channel {threads.channel.name} has not come back from a delivery for more"
                    f" than {HANGS_SECONDS:.0f} s."
                )
                for threads in self._channels
                if threads.longest_seconds() > HANGS_SECONDS
            }
        )

    def run(self, stop: threading.Event) -> None:
        """Send until ``stop`` is set, and then finish every delivery in progress."""
        try:
            while not stop.is_set():
                self.beat()
                try:
                    self.run_once()
                    self._health.trouble("sender", None)
                except UnavailableError as error:
                    self._health.trouble("sender", error.message)
                    log.warning("waiting", code=error.code, how_to_fix=error.how_to_fix)
                except Exception as error:  # no error of one pass may end the queue
                    self._health.trouble("sender", type(error).__name__)
                    log.exception("sending failed")
                    stop.wait(POLL_SECONDS)
                self._wake_signal.wait(POLL_SECONDS)
        finally:
            for threads in self._channels:
                threads.close()

    def run_once(self) -> None:
        """Drop obsolete deliveries, and start those that are due.

        Raises:
            UnavailableError: the database is unavailable.
        """
        now = self._clock()
        with translated(), self._pool.connection() as connection:
            for state, count in deliveries.drop_obsolete(connection, now).items():
                self._health.count(f"deliveries_{state}", count)
                log.info("ended unsent", state=state, count=count)
            waiting = deliveries.backlog(connection, now)
        self._health.gauge("deliveries_pending", waiting.pending)
        self._health.gauge("deliveries_oldest_seconds", waiting.oldest_seconds)
        if waiting.pending:
            for threads in self._channels:
                self._fill(threads)

    def _fill(self, threads: ChannelThreads) -> None:
        while threads.acquire():
            try:
                with translated(), self._pool.connection() as connection:
                    claimed = deliveries.claim(
                        connection, threads.channel.name, now=self._clock(), lease=LEASE
                    )
            except BaseException:
                threads.release()
                raise
            if claimed is None:
                threads.release()
                return
            threads.submit(self, claimed)

    def deliver(self, threads: ChannelThreads, delivery: Delivery) -> None:
        """Send one delivery and record its outcome."""
        threads.mark_started(delivery.delivery_id)
        try:
            try:
                outcome = threads.channel.send(delivery)
            except Exception as error:  # one failing delivery must not affect the next
                log.exception("channel failed", channel=threads.channel.name)
                outcome = Outcome("retry", type(error).__name__)
            self._record_with_retry(delivery, outcome)
            self._health.count(f"deliveries_{outcome.state}")
            log.info(
                "tried",
                channel=threads.channel.name,
                state=outcome.state,
                detail=outcome.detail,
                attempts=delivery.attempts,
                reason=delivery.reason,
            )
        finally:
            threads.mark_finished(delivery.delivery_id)
            threads.release()
            self._wake_signal.wake()

    def _record_with_retry(self, delivery: Delivery, outcome: Outcome) -> None:
        """Record the outcome while the claim is ours: unrecorded, it would be sent again."""
        retrying = Retrying(
            retry=retry_if_exception_type(UnavailableError),
            stop=stop_after_delay(LEASE_SECONDS / 2),
            wait=wait_fixed(RECORD_PAUSE_SECONDS),
            reraise=True,
        )
        try:
            retrying(self._record, delivery, outcome)
        except UnavailableError as error:
            log.warning("outcome not recorded; will be sent again", code=error.code)

    def _record(self, delivery: Delivery, outcome: Outcome) -> None:
        now = self._clock()
        with translated(), self._pool.connection() as connection:
            if outcome.recipient_gone:
                subscriptions.end_subscription(
                    connection, delivery.recipient, because=outcome.detail, now=now
                )
            if outcome.state == "retry":
                wait = retry_pause(
                    delivery.attempts, delivery.delivery_id, outcome.retry_after_seconds
                )
                deliveries.retry(
                    connection, delivery.delivery_id, at=now + wait, detail=outcome.detail
                )
            else:
                deliveries.finish(
                    connection,
                    delivery.delivery_id,
                    result=outcome.state,
                    detail=outcome.detail,
                    now=now,
                )
