"""Plans deliveries: reads alerts and actions, and writes to the database who is to be notified.

Nothing is sent here (see :mod:`notify.sending.sender`), so a slow push service cannot delay the
stream. Each batch is one transaction: the plan and the facts that it was decided on are durable
together, and a batch that is read again plans nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from kafka import TopicPartition
from msgspec.structs import replace

from notify.planning import policy
from notify.planning.policy import Page
from store.database.connections import Connection, Pool, translated
from store.notifications import deliveries, notified_episodes
from store.notifications.deliveries import PlannedDelivery
from store.workers.positions import Positions
from store.writing.writer import REFUSED
from vigil.contracts import clock_check, topics
from vigil.domain import ids
from vigil.domain.action import Action
from vigil.domain.alert import Alert
from vigil.domain.kinds import Priority
from vigil.service import logs
from vigil.service.errors import WireError
from vigil.service.health import Health
from vigil.streaming import probe_messages
from vigil.streaming.handler import Handled, Received, Rejected, Stateless
from vigil.values.clock import from_millis

if TYPE_CHECKING:
    from notify.channels.contract import Channel
    from notify.sending.sender import WakeSignal
    from vigil.values.clock import Clock

log = logs.get("notify")


@dataclass(frozen=True, slots=True)
class DuePage:
    """A page, and the message that requires it."""

    message: Alert | Action
    page: Page
    published: datetime
    """When the message was published to its topic."""


@dataclass(slots=True)
class Batch:
    """The result of a batch of messages, before anything is written."""

    pages: list[DuePage] = field(default_factory=list)
    notified: dict[str, Priority] = field(default_factory=dict)
    """Episode id → the new priority at which it is notified."""
    acknowledged: dict[str, datetime] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    def add_alert(
        self, alert: Alert, published: datetime, before: Priority | None, demo: bool
    ) -> None:
        """Add an alert's step. ``before``: the priority notified in earlier batches."""
        page = policy.page_for_alert(alert, self.notified.get(alert.episode_id, before), demo)
        if page is not None:
            self.pages.append(DuePage(alert, page, published))
            self.notified[alert.episode_id] = page.priority
        elif policy.ends_episode(alert):
            self.closed.add(alert.episode_id)

    def add_action(self, action: Action, published: datetime) -> None:
        """Add a person's action."""
        page = policy.page_for_action(action)
        if page is not None:
            self.pages.append(DuePage(action, page, published))
        elif policy.is_acknowledgement(action):
            latest = self.acknowledged.get(action.episode_id, action.time)
            self.acknowledged[action.episode_id] = max(latest, action.time)


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
        if not any(self._matters(received.message) for received in batch):
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
        notified_episodes.record_notified(connection, found.notified)
        notified_episodes.record_acknowledged(connection, found.acknowledged)
        notified_episodes.record_closed(connection, found.closed, self._clock())
        return new

    def _matters(self, message: object) -> bool:
        """Whether a message can change the plan: most cannot, and cost no transaction."""
        if isinstance(message, Alert):
            found = policy.page_for_alert(message, None, self._demo)
            return found is not None or policy.ends_episode(message)
        return isinstance(message, Action) and (
            policy.page_for_action(message) is not None or policy.is_acknowledgement(message)
        )

    def _collect(self, connection: Connection, batch: Sequence[Received]) -> Batch:
        events = {r.message.episode_id for r in batch if isinstance(r.message, Alert)}
        before = notified_episodes.notified_levels(connection, events)
        found = Batch()
        for received in batch:
            published = self._published(received)
            match received.message:
                case Alert() as alert:
                    found.add_alert(
                        alert, published, before=before.get(alert.episode_id), demo=self._demo
                    )
                case Action() as action:
                    found.add_action(action, published)
        return found

    def _published(self, received: Received) -> datetime:
        """When the message was put on the topic; now, where the broker keeps no such time, or one
        that has not come."""
        now, published = self._clock(), from_millis(received.raw.timestamp)
        return now if published is None or published > now + clock_check.AHEAD else published

    def _rows(self, connection: Connection, found: Batch) -> list[PlannedDelivery]:
        patients = {due.message.patient_id for due in found.pages}
        if not patients:
            return []
        rows: list[PlannedDelivery] = []
        for channel in self._channels:
            known = channel.recipients(connection, patients)
            rows.extend(self._rows_of(channel, known, found))
        return rows

    def _rows_of(
        self, channel: Channel, known: Mapping[str, Sequence[str]], found: Batch
    ) -> Iterable[PlannedDelivery]:
        for due in found.pages:
            if channel.name not in due.page.channels:
                continue
            recipients = known.get(due.message.patient_id, ())
            if not recipients:
                self._health.count("pages_without_recipient")
            for recipient in recipients:
                yield delivery_for(due, channel, recipient)


def _refused(error: Exception) -> WireError:
    return WireError(
        f"The database refuses its content ({type(error).__name__}).",
        code="wire.rejected",
        how_to_fix="Fix the producer, then `vigil deadletter redrive`.",
    )


def delivery_for(due: DuePage, channel: Channel, recipient: str) -> PlannedDelivery:
    """The row of one recipient's delivery."""
    message, page = due.message, due.page
    if isinstance(message, Alert):
        alert_id, sequence, kind = message.alert_id, message.sequence, message.kind
        cause, synthetic = f"{alert_id}:{sequence}", message.synthetic
    else:
        alert_id, sequence, kind = ids.alert_id(message.episode_id), 0, ""
        cause, synthetic = message.action_id, False  # read from the patient's row when it is sent
    return PlannedDelivery(
        cause=cause,
        alert_id=alert_id,
        episode_id=message.episode_id,
        patient_id=message.patient_id,
        sequence=sequence,
        channel=channel.name,
        recipient=recipient,
        priority=page.priority,
        kind=kind,
        reason=page.reason,
        made_at=due.published,
        expires_at=policy.expires_at(due.published, page.priority),
        synthetic=synthetic,
    )
