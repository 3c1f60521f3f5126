"""Plans deliveries: reads alerts and actions, and writes to the database who is to be told.

Nothing is sent here (see :mod:`notify.sending.sender`), so no slow push service can hold the stream
up. One transaction a batch: what is planned and what it was decided on are durable together, and a
batch that comes again plans nothing new.
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
from store.notifications import deliveries, paging
from store.notifications.deliveries import Planned
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
    from notify.sending.sender import Bell
    from vigil.values.clock import Clock

log = logs.get("notify")


@dataclass(slots=True)
class Batch:
    """What a batch of messages comes to, before anything is written."""

    pages: list[tuple[Alert | Action, Page, datetime]] = field(default_factory=list)
    told: dict[str, Priority] = field(default_factory=dict)
    """Event → the new level it is told at."""
    acknowledged: dict[str, datetime] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)

    def take_alert(
        self, alert: Alert, published: datetime, before: Priority | None, demo: bool
    ) -> None:
        """Add an alert's step. ``before``: the level told in earlier batches."""
        page = policy.page_of_alert(alert, self.told.get(alert.event_id, before), demo)
        if page is not None:
            self.pages.append((alert, page, published))
            self.told[alert.event_id] = page.priority
        elif policy.ends(alert):
            self.closed.add(alert.event_id)

    def take_action(self, action: Action, published: datetime) -> None:
        """Add what a person did."""
        page = policy.page_of_action(action)
        if page is not None:
            self.pages.append((action, page, published))
        elif policy.acknowledges(action):
            latest = self.acknowledged.get(action.event_id, action.time)
            self.acknowledged[action.event_id] = max(latest, action.time)


class Planner(Stateless):
    """The notify worker's :class:`vigil.streaming.handler.Handler`."""

    name = "notify"
    topics: tuple[str, ...] = (topics.ALERTS.name, topics.ACTIONS.name)

    def __init__(
        self,
        pool: Pool,
        channels: Sequence[Channel],
        bell: Bell,
        clock: Clock,
        health: Health,
        *,
        demo: bool,
        positions: Positions | None = None,
    ):
        """``positions``: where it stands in the database; None: Kafka's offsets alone count."""
        self._pool = pool
        self._channels = channels
        self._bell = bell
        self._clock = clock
        self._health = health
        self._demo = demo
        self._positions = positions

    def assigned(self, partitions: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """Goes on from where the database stands, where that is before what Kafka has: what was
        planned since is planned again, by the times at which it was published first.

        Raises:
            UnavailableError: broker or database are away.
        """
        return self._positions.assigned(partitions) if self._positions else {}

    def passed(self, ends: Mapping[TopicPartition, int]) -> None:
        """Notes how far the database is."""
        if self._positions:
            self._positions.passed(ends)

    def revoked(self, partitions: Sequence[TopicPartition]) -> None:
        """Forgets where it stood."""
        if self._positions:
            self._positions.revoked(partitions)

    def checkpoint(self) -> None:
        """Saves how far the database is.

        Raises:
            UnavailableError: the database is away.
        """
        if self._positions:
            self._positions.save()

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Write down who is to be told, and what has stopped.

        Raises:
            UnavailableError: the database is away; nothing was written.
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
            self._bell.ring()
        return Handled(rejected=rejected)

    def probe(self) -> None:
        """Plan for a good alert and a good action, and take it back.

        Raises:
            UnavailableError: the database is away, or lacks a table.
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
        """The same, where the database refuses something that stands in one of them: however many
        those are, who is to be told of the others does not wait for it."""
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
        """Write it down; returns how many deliveries are new."""
        found = self._weigh(connection, batch)
        rows = self._rows(connection, found)
        new = deliveries.plan(connection, rows, self._clock())
        paging.tell(connection, found.told)
        paging.acknowledge(connection, found.acknowledged)
        paging.close(connection, found.closed, self._clock())
        return new

    def _matters(self, message: object) -> bool:
        """Whether a message can change anything: most cannot, and cost no transaction."""
        if isinstance(message, Alert):
            found = policy.page_of_alert(message, None, self._demo)
            return found is not None or policy.ends(message)
        return isinstance(message, Action) and (
            policy.page_of_action(message) is not None or policy.acknowledges(message)
        )

    def _weigh(self, connection: Connection, batch: Sequence[Received]) -> Batch:
        events = {r.message.event_id for r in batch if isinstance(r.message, Alert)}
        before = paging.told(connection, events)
        found = Batch()
        for received in batch:
            published = self._published(received)
            match received.message:
                case Alert() as alert:
                    found.take_alert(alert, published, before.get(alert.event_id), self._demo)
                case Action() as action:
                    found.take_action(action, published)
        return found

    def _published(self, received: Received) -> datetime:
        """When the message was put on the topic; now, where the broker keeps no such time, or one
        that has not come."""
        now, published = self._clock(), from_millis(received.raw.timestamp)
        return now if published is None or published > now + clock_check.AHEAD else published

    def _rows(self, connection: Connection, found: Batch) -> list[Planned]:
        patients = {message.patient_id for message, _, _ in found.pages}
        if not patients:
            return []
        rows: list[Planned] = []
        for channel in self._channels:
            known = channel.recipients(connection, patients)
            rows.extend(self._rows_of(channel, known, found))
        return rows

    def _rows_of(
        self, channel: Channel, known: Mapping[str, Sequence[str]], found: Batch
    ) -> Iterable[Planned]:
        for message, page, published in found.pages:
            if channel.name not in page.channels:
                continue
            recipients = known.get(message.patient_id, ())
            if not recipients:
                self._health.count("pages_without_recipient")
            for recipient in recipients:
                yield planned(message, page, published, channel, recipient)


def _refused(error: Exception) -> WireError:
    return WireError(
        f"The database cannot keep what it says ({type(error).__name__}).",
        code="wire.rejected",
        how_to_fix="Mend the producer, then `vigil deadletter redrive`.",
    )


def planned(
    message: Alert | Action, page: Page, published: datetime, channel: Channel, recipient: str
) -> Planned:
    """The row of one recipient's delivery."""
    if isinstance(message, Alert):
        alert_id, sequence, kind = message.alert_id, message.sequence, message.kind
        cause, synthetic = f"{alert_id}:{sequence}", message.synthetic
    else:
        alert_id, sequence, kind = ids.alert_id(message.event_id), 0, ""
        cause, synthetic = message.action_id, False  # the patient's own row says so when it is sent
    return Planned(
        cause=cause,
        alert_id=alert_id,
        event_id=message.event_id,
        patient_id=message.patient_id,
        sequence=sequence,
        channel=channel.name,
        recipient=recipient,
        priority=page.priority,
        kind=kind,
        reason=page.reason,
        made_at=published,
        expires_at=policy.useful_until(published, page.priority),
        synthetic=synthetic,
    )
