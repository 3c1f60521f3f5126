"""Plans deliveries: reads alerts and actions, and writes to the database who is to be notified.

Nothing is sent here (see :mod:`notify.sending.sender`), so a slow push service cannot delay the
stream. Each batch is one transaction: the plan and the facts that it was decided on are durable
together, and a batch that is read again plans nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from kafka import TopicPartition
from msgspec.structs import replace

from notify.planning import policy
from notify.planning.batch import Batch, locked_ids
from store.database.connections import Connection, Pool, translated
from store.notifications import deliveries, notified_episodes
from store.notifications.deliveries import PlannedDelivery
from store.workers.positions import Positions
from store.writing.writer import REFUSED
from vigil.contracts import clock_check, topics
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.service import logs
from vigil.service.errors import WireError
from vigil.service.health import Health
from vigil.streaming import probe_messages
from vigil.streaming.handler import Handled, Received, Rejected, Stateless

if TYPE_CHECKING:
    from notify.channels.contract import Channel
    from notify.sending.sender import WakeSignal
    from vigil.values.clock import Clock

log = logs.get("notify")


class Planner(Stateless):
    """The notify worker's :class:`vigil.streaming.handler.Handler`."""

    name = "notify"
    topics: tuple[str, ...] = (topics.ALERTS.name, topics.ACTIONS.name)

    def __init__(
        self,
        pool: Pool,
        channels: Sequence[Channel],
        *,
        wake_signal: WakeSignal,
        clock: Clock,
        health: Health,
        demo: bool,
        positions: Positions | None = None,
    ):
        """``positions``: offsets stored in the database; None: only Kafka's are used."""
        self._pool = pool
        self._channels = channels
        self._wake_signal = wake_signal
        self._clock = clock
        self._health = health
        self._demo = demo
        self._positions = positions

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Resume from the database's offset where it is lower than Kafka's: later messages are
        planned again, by the times at which they were first published.

        Raises:
            UnavailableError: broker or database are unavailable.
        """
        return self._positions.assigned(partitions) if self._positions else {}

    def advance_offsets(self, ends: Mapping[TopicPartition, int]) -> None:
        """Note up to which offsets the database is current."""
        if self._positions:
            self._positions.advance_offsets(ends)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget the offsets of these partitions."""
        if self._positions:
            self._positions.revoked(partitions)

    def checkpoint(self) -> None:
        """Save the offsets in the database.

        Raises:
            UnavailableError: the database is unavailable.
        """
        if self._positions:
            self._positions.save()

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Store who is to be notified, and which episodes were acknowledged or have ended.

        Raises:
            UnavailableError: the database is unavailable; nothing was written.
        """
        if not any(self._matters(received) for received in batch):
            return Handled()
        rejected: Sequence[Rejected] = ()
        try:
            with translated(), self._pool.connection() as connection:
                new = self._plan(connection, batch)
        except REFUSED:
            new, rejected = self._one_by_one(batch)
        self._health.count("deliveries_planned", new)
        if new:
            self._wake_signal.wake()
        return Handled(rejected=rejected)

    def probe(self) -> None:
        """Plan a valid alert and a valid action, and roll back.

        Raises:
            UnavailableError: the database is unavailable, or lacks a table.
        """
        now = self._clock()
        alert = replace(
            probe_messages.build_alert(now), synthetic=False
        )  # of synthetic data nobody is told
        batch = probe_messages.as_received(alert, probe_messages.build_action(now))
        with (
            translated(),
            self._pool.connection() as connection,
            connection.transaction(force_rollback=True),
        ):
            self._plan(connection, batch)

    def _one_by_one(self, batch: Sequence[Received]) -> tuple[int, list[Rejected]]:
        """Plan message by message, because the database refuses the content of at least one: the
        others are planned all the same."""
        new, rejected = 0, []
        with translated(), self._pool.connection() as connection:
            for received in batch:
                try:
                    with connection.transaction():
                        new += self._plan(connection, [received])
                except REFUSED as error:
                    rejected.append(Rejected(received, _refused(error)))
        return new, rejected

    def _plan(self, connection: Connection, batch: Sequence[Received]) -> int:
        """Write the plan; returns how many deliveries are new."""
        found = self._collect(connection, batch)
        rows = self._rows(connection, found)
        new = deliveries.plan(connection, rows, self._clock())
        notified_episodes.record_episodes(connection, found.known)
        notified_episodes.record_reopened(connection, found.reopened)
        notified_episodes.record_closed(connection, found.closed, self._clock())
        return new

    def _matters(self, received: Received) -> bool:
        """Whether a message can change the plan: most cannot, and cost no transaction."""
        message = received.message
        if isinstance(message, Alert):
            return policy.matters(message, self._published(received), self._demo)
        return isinstance(message, Action) and (
            policy.page_for_action(message) is not None or policy.is_acknowledgement(message)
        )

    def _collect(self, connection: Connection, batch: Sequence[Received]) -> Batch:
        messages = [
            (received.message, self._published(received))
            for received in batch
            if isinstance(received.message, Alert | Action)
        ]
        found = Batch(
            notified_episodes.lock_episodes(
                connection,
                {message.episode_id for message, _ in messages},
                self._clock(),
                add=locked_ids(messages, demo=self._demo),
            )
        )
        for message, published in messages:
            if isinstance(message, Alert):
                found.add_alert(message, published, demo=self._demo)
            else:
                found.add_action(message, published)
        return found

    def _published(self, received: Received) -> datetime:
        """When the message was put on the topic; now, where the broker keeps no such time, or one
        that has not come."""
        now = self._clock()
        return clock_check.published_at(received.raw.timestamp, now) or now

    def _rows(self, connection: Connection, found: Batch) -> list[PlannedDelivery]:
        patients = {due.patient_id for due in found.pages}
        if not patients:
            return []
        rows: list[PlannedDelivery] = []
        for channel in self._channels:
            known = channel.recipients(connection, patients)
            rows.extend(self._rows_of(channel, known, found))
            rows.extend(_taken_back(connection, channel, found))
        return rows

    def _rows_of(
        self, channel: Channel, known: Mapping[str, Sequence[str]], found: Batch
    ) -> Iterable[PlannedDelivery]:
        for due in found.pages:
            if channel.name not in due.page.channels or due.takes_back:
                continue
            recipients = known.get(due.patient_id, ())
            if not recipients:
                self._health.count("pages_without_recipient")
            for recipient in recipients:
                yield due.delivery(channel, recipient)


def _taken_back(
    connection: Connection, channel: Channel, found: Batch
) -> Iterable[PlannedDelivery]:
    """That the readings of an episode do not count, for whoever was paged about it here."""
    pages = {due.episode_id: due for due in found.pages if due.takes_back}
    if not pages:
        return
    reached = deliveries.paged(connection, pages, channel.name)
    for episode_id, due in sorted(pages.items()):
        for one in reached.get(episode_id, ()):
            yield due.delivery(channel, one.recipient, one.happened_at)


def _refused(error: Exception) -> WireError:
    return WireError(
        f"The database refuses its content ({type(error).__name__}).",
        code="wire.rejected",
        how_to_fix="Fix the producer, then `vigil deadletter redrive`.",
    )
