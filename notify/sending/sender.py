"""Sends what is planned, on threads of its own.

One thread claims what is due and hands each claim to the threads of its channel, as many at once
as the channel allows; so a slow push service holds up neither the stream nor the on-call staff.
The order is claim, send, record. Whoever dies in between leaves a claim that lapses with its lease,
and the delivery is sent again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import TYPE_CHECKING

from notify.channels.contract import LEASE_SECONDS, Channel, Outcome
from notify.sending.backoff import pause
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
"""A delivery is sent within its lease, and recorded within half of it again."""
TURN_SECONDS = 60.0
"""The longest turn: a database that does not answer is given up sooner."""
LOOK_SECONDS = 1.0
"""How often the queue is looked at when nobody rings."""


class Bell:
    """Wakes whoever waits; a ring that nobody waits for is kept for the next."""

    def __init__(self) -> None:
        self._rung = threading.Event()

    def ring(self) -> None:
        """Something is to be done."""
        self._rung.set()

    def wait(self, seconds: float) -> None:
        """Until it rings, or for so long."""
        self._rung.wait(seconds)
        self._rung.clear()


class Lane:
    """A channel with its threads."""

    def __init__(self, channel: Channel):
        self.channel = channel
        self._free = threading.Semaphore(channel.threads)
        self._begun: dict[str, float] = {}
        """Delivery → when it was begun, in monotonic seconds."""
        self._threads = ThreadPoolExecutor(channel.threads, f"send-{channel.name}")

    def enter(self) -> bool:
        """Take a thread if one is free."""
        return self._free.acquire(blocking=False)

    def leave(self) -> None:
        """Give a thread back."""
        self._free.release()

    def submit(self, sender: Sender, delivery: Delivery) -> None:
        """Deliver on the thread that was taken."""
        self._threads.submit(sender.deliver, self, delivery)

    def begin(self, delivery_id: str) -> None:
        """Its sending begins."""
        self._begun[delivery_id] = time.monotonic()

    def end(self, delivery_id: str) -> None:
        """It is sent and recorded, or given up."""
        self._begun.pop(delivery_id, None)

    def longest(self) -> float:
        """For how many seconds the oldest is being sent now; 0: none is."""
        begun = list(self._begun.values())
        return time.monotonic() - min(begun) if begun else 0.0

    def close(self) -> None:
        """Wait until what is being sent has been sent and recorded."""
        self._threads.shutdown(wait=True)


class Sender:
    """The queue's worker; :meth:`run` on a thread of its own."""

    def __init__(
        self, pool: Pool, channels: Sequence[Channel], bell: Bell, clock: Clock, health: Health
    ):
        self._pool = pool
        self._lanes = [Lane(channel) for channel in channels]
        self._bell = bell
        self._clock = clock
        self._health = health
        self.beat: Callable[[], None] = lambda: None
        """Called with each turn."""

    def look(self) -> Look:
        """Channels that do not come back from a delivery."""
        return Look(
            {
                f"channel.{lane.channel.name}": Trouble(
                    f"The channel {lane.channel.name} has not come back from a delivery for more"
                    f" than {HANGS_SECONDS:.0f} s."
                )
                for lane in self._lanes
                if lane.longest() > HANGS_SECONDS
            }
        )

    def run(self, stop: threading.Event) -> None:
        """Send until told to stop, and then what has been begun."""
        try:
            while not stop.is_set():
                self.beat()
                try:
                    self.turn()
                    self._health.trouble("sender", None)
                except UnavailableError as error:
                    self._health.trouble("sender", error.message)
                    log.warning("waiting", code=error.code, how_to_fix=error.how_to_fix)
                except Exception as error:  # the queue must outlive whatever one turn meets
                    self._health.trouble("sender", type(error).__name__)
                    log.exception("turn failed")
                    stop.wait(LOOK_SECONDS)
                self._bell.wait(LOOK_SECONDS)
        finally:
            for lane in self._lanes:
                lane.close()

    def turn(self) -> None:
        """End what is of no use any more, and start what is due.

        Raises:
            UnavailableError: the database is away.
        """
        now = self._clock()
        with translated(), self._pool.connection() as connection:
            for state, count in deliveries.drop_moot(connection, now).items():
                self._health.count(f"deliveries_{state}", count)
                log.info("ended unsent", state=state, count=count)
            waiting = deliveries.backlog(connection, now)
        self._health.gauge("deliveries_pending", waiting.pending)
        self._health.gauge("deliveries_oldest_seconds", waiting.oldest_seconds)
        if waiting.pending:
            for lane in self._lanes:
                self._fill(lane)

    def _fill(self, lane: Lane) -> None:
        while lane.enter():
            try:
                with translated(), self._pool.connection() as connection:
                    claimed = deliveries.claim(connection, lane.channel.name, self._clock(), LEASE)
            except BaseException:
                lane.leave()
                raise
            if claimed is None:
                lane.leave()
                return
            lane.submit(self, claimed)

    def deliver(self, lane: Lane, delivery: Delivery) -> None:
        """Send one delivery and record what became of it."""
        lane.begin(delivery.delivery_id)
        try:
            try:
                outcome = lane.channel.send(delivery)
            except Exception as error:  # one delivery's trouble is not the next one's
                log.exception("channel failed", channel=lane.channel.name)
                outcome = Outcome("retry", type(error).__name__)
            self._record_patiently(delivery, outcome)
            self._health.count(f"deliveries_{outcome.state}")
            log.info(
                "tried",
                channel=lane.channel.name,
                state=outcome.state,
                detail=outcome.detail,
                attempts=delivery.attempts,
                reason=delivery.reason,
            )
        finally:
            lane.end(delivery.delivery_id)
            lane.leave()
            self._bell.ring()

    def _record_patiently(self, delivery: Delivery, outcome: Outcome) -> None:
        """Record while the claim is ours: unrecorded, it would be sent again."""
        deadline = time.monotonic() + LEASE_SECONDS / 2
        while True:
            try:
                self._record(delivery, outcome)
            except UnavailableError as error:
                if time.monotonic() > deadline:
                    log.warning("not recorded; it will be sent again", code=error.code)
                    return
                time.sleep(0.5)
            else:
                return

    def _record(self, delivery: Delivery, outcome: Outcome) -> None:
        now = self._clock()
        with translated(), self._pool.connection() as connection:
            if outcome.recipient_gone:
                subscriptions.end(connection, delivery.recipient, outcome.detail, now)
            if outcome.state == "retry":
                wait = pause(delivery.attempts, delivery.delivery_id, outcome.retry_after_seconds)
                deliveries.retry(connection, delivery.delivery_id, now + wait, outcome.detail)
            else:
                deliveries.finish(
                    connection, delivery.delivery_id, outcome.state, outcome.detail, now
                )
