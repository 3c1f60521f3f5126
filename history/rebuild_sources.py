"""What a rebuild plays: stored readings by patient, or the topic's messages by partition.

Both only read: rows through a cursor, messages through a consumer without a group.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from kafka import TopicPartition
from kafka.errors import KafkaError

from detectors.engine.engine import Engine
from detectors.engine.missing_data import KIND
from detectors.replayer import Replayer
from store.episodes.shadow import Span, judged_offsets, newest_watermark
from store.readings import history
from vigil.contracts import wire
from vigil.contracts.clock_check import ClockCheck
from vigil.contracts.topics import READINGS
from vigil.domain.episode import Event
from vigil.domain.reading import Tick, Withdrawal
from vigil.kafka import partition_reader
from vigil.kafka.clients import broker_unavailable, open_admin, open_consumer, read_log_id
from vigil.service.errors import WireError

if TYPE_CHECKING:
    from detectors.configuration.loading import DetectionConfig
    from store.database.connections import Connection
    from store.episodes.shadow import Span
    from store.readings.history import Range
    from vigil.service.settings import Settings

DETECTORS = "detectors"
"""The consumer group of the live events, as in ``checkpoints``."""

CLOCK_SECONDS = 120.0
"""A full minute, and the wait for the next tick (``VIGIL_TICK_SECONDS``, 60 at most)."""
NO_TICKS = (
    "ticks are not stored: no_data is not compared, and other steps that only a tick causes (a held"
    " reading that nothing followed, the end of late data) are only live; --silence plays full"
    " minutes"
)
BY_MINUTES = (
    "live ticks are not stored and are replaced by full minutes: steps that ticks cause may differ"
    " by two minutes"
)

Played = dict[str, "Span"]


class Source(Protocol):
    """A history that is played in independent units."""

    @property
    def description(self) -> str:
        """The name of the history in reports."""

    @property
    def notes(self) -> list[str]:
        """Remarks for the reader of the comparison; complete once it was played."""

    @property
    def clock_seconds(self) -> float:
        """How far its ticks may be from the live ones, in seconds."""

    @property
    def missing_kinds(self) -> tuple[str, ...]:
        """Kinds of event that it cannot produce."""

    @property
    def starts_at_retention(self) -> bool:
        """Whether it has nothing from before its first retained message."""

    def units(self) -> list[str]:
        """The units in the order in which they are played."""

    def play(self, unit: str, cut: datetime, played: Played) -> Iterator[list[Event]]:
        """Yield the events of a unit, upload by upload.

        Args:
            unit: one of :meth:`units`.
            cut: readings received at this time or later are not played.
            played: updated with what was played of each patient.

        Raises:
            UnavailableError: broker or database do not answer.
        """


def _extend_span(played: Played, patient_id: str, *, received: datetime, readings: int = 0) -> None:
    span = played.get(patient_id, Span(received, received, 0))
    played[patient_id] = Span(
        min(span.first, received), max(span.reached, received), span.readings + readings
    )


class FromStore:
    """Stored readings in order of receipt, from each patient's first one.

    Args:
        silence: play ticks, too. They are not stored: full minutes replace them, up to where the
            detectors have judged.
    """

    starts_at_retention = False

    def __init__(
        self, connection: Connection, config: DetectionConfig, wanted: Range, *, silence: bool
    ):
        self._connection = connection
        self._config = config
        self._wanted = wanted
        self._silence = silence
        self.description = "stored readings"
        self.clock_seconds = CLOCK_SECONDS if silence else 0.0
        self.missing_kinds = () if silence else (KIND,)
        self.notes = [BY_MINUTES if silence else NO_TICKS]
        if wanted.since is not None:
            self.notes.append(
                f"playing began at {wanted.since:%Y-%m-%d %H:%M} UTC, not at the first reading:"
                " baselines and open episodes may differ for that alone"
            )

    def units(self) -> list[str]:
        """The enrolled patients of the range."""
        return history.list_patient_ids(self._connection, self._wanted)

    def play(self, unit: str, cut: datetime, played: Played) -> Iterator[list[Event]]:
        """Yield one patient's events."""
        replayer = Replayer(self._config, silence=self._silence)
        with closing(history.read_uploads(self._connection, unit, self._wanted)) as uploads:  # type: ignore[type-var]
            for upload in uploads:
                if upload.received_at >= cut:
                    break
                yield replayer.process(upload)
                _extend_span(
                    played, unit, received=upload.received_at, readings=len(upload.measurements)
                )
        if unit in played:
            judged_until = self._judged_until(cut)
            if self._silence:
                yield replayer.advance_to(judged_until)
            else:
                yield replayer.engine.finish(judged_until)
            _extend_span(played, unit, received=cut)  # everything received earlier was played

    def _judged_until(self, cut: datetime) -> datetime:
        """The time up to which the live detectors have judged, or ``cut`` if that is earlier."""
        newest = newest_watermark(self._connection, DETECTORS)
        return cut if newest is None else min(cut, newest)


class FromTopic:
    """Each partition of ``vitals.readings``, with its ticks, through an engine of its own.

    A partition is played from its oldest retained message to the offset at which the detectors have
    saved their state, so that messages they have not processed yet are no difference; without a
    saved state for this log, to its end.

    Args:
        wanted: only these patients' uploads are played; None: everyone's.
    """

    starts_at_retention = True
    clock_seconds = 0.0
    missing_kinds: tuple[str, ...] = ()

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        config: DetectionConfig,
        wanted: frozenset[str] | None,
    ):
        self._settings = settings
        self._connection = connection
        self._config = config
        self._wanted = wanted
        self._cut_off = self._unread = 0
        self._partitions: list[int] = []
        self._judged: dict[int, int] = {}
        self.description = f"the topic {READINGS.name}"

    @property
    def notes(self) -> list[str]:
        """Which messages of the log are missing or unreadable."""
        notes = ["what was before the first message of a patient that is retained is not compared"]
        if self._cut_off:
            notes.append(
                f"{self._cut_off} messages are older than the topic's retention: patients who were"
                " in them begin without baseline and open episodes, and may differ for that alone"
            )
        if self._unread:
            notes.append(f"{self._unread} messages cannot be read: they are dead letters")
        return notes

    def units(self) -> list[str]:
        """The partitions."""
        try:
            with open_admin(self._settings) as admin:
                log_id = read_log_id(admin)
            with closing(open_consumer(self._settings, None)) as consumer:
                self._partitions = sorted(consumer.partitions_for_topic(READINGS.name) or ())
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error
        self._judged = judged_offsets(self._connection, DETECTORS, READINGS.name, log_id)
        return [f"partition {number}" for number in self._partitions]

    def play(self, unit: str, cut: datetime, played: Played) -> Iterator[list[Event]]:
        """Yield one partition's events. ``cut`` is not used: the end is an offset."""
        del cut
        place = TopicPartition(READINGS.name, int(unit.rpartition(" ")[2]))
        engine, mine, ticked = Engine(self._config), set[str](), None
        clock_check = ClockCheck()
        for raw in self._records(place):
            try:
                message: Any = wire.decode(place.topic, raw.value, raw.headers)
            except WireError:
                self._unread += 1
                continue
            message = clock_check.correct_time(message, raw)
            if isinstance(message, Tick):
                ticked = message.time
                yield engine.tick(message.time)
            elif self._wanted is None or message.patient_id in self._wanted:
                mine.add(message.patient_id)
                yield engine.take(message)
                withdrawn = isinstance(message, Withdrawal)
                _extend_span(
                    played,
                    message.patient_id,
                    received=message.time if withdrawn else message.received_at,
                    readings=0 if withdrawn else len(message.measurements),
                )
        if ticked is not None:
            for patient_id in mine:
                _extend_span(played, patient_id, received=ticked)

    def _records(self, place: TopicPartition) -> Iterator[Any]:
        """Yield a partition's retained records, up to its present end."""
        try:
            with closing(open_consumer(self._settings, None)) as consumer:
                self._cut_off += partition_reader.first_offset(consumer, place)
                before = self._judged.get(place.partition)
                yield from partition_reader.read_retained(consumer, place, before=before)
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error
