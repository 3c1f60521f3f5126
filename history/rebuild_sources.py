"""What a rebuild plays: stored readings, patient by patient, or the topic, partition by partition.

Neither changes anything: rows come through a cursor, messages through a consumer without a group.
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
from detectors.playing import Player
from store.episodes.shadow import Span, judged_offsets, newest_watermark
from store.readings import history
from vigil.contracts import wire
from vigil.contracts.clock_check import ClockCheck
from vigil.contracts.topics import READINGS
from vigil.domain.episode import Event
from vigil.domain.reading import Tick
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
"""A full minute, and the wait for the tick after it (``VIGIL_TICK_SECONDS``, a minute at most)."""
NO_TICKS = (
    "ticks are not stored: no_data is not compared, and what else only time told (a reading held"
    " back that nothing followed, the end of late readings) is only live; --silence plays full"
    " minutes"
)
BY_MINUTES = (
    "live ticks are not stored, full minutes stand for them: what time told may differ by two"
    " minutes"
)

Played = dict[str, "Span"]


class Source(Protocol):
    """A history that can be played in units of their own."""

    @property
    def said(self) -> str:
        """What it is, in words."""

    @property
    def notes(self) -> list[str]:
        """What the reader of the comparison must know of it, once it was played."""

    @property
    def clock_seconds(self) -> float:
        """How far its ticks may be from the live ones."""

    @property
    def untold(self) -> tuple[str, ...]:
        """Kinds that it cannot tell."""

    @property
    def begins(self) -> bool:
        """Whether it knows nothing of what was before its first message."""

    def units(self) -> list[str]:
        """What is played one after the other."""

    def play(self, unit: str, cut: datetime, played: Played) -> Iterator[list[Event]]:
        """The events of a unit, upload by upload; notes in ``played`` of whom, and how far.

        Raises:
            UnavailableError: broker or database do not answer.
        """


def _note(played: Played, patient_id: str, received: datetime, readings: int) -> None:

    span = played.get(patient_id, Span(received, received, 0))
    played[patient_id] = Span(
        min(span.first, received), max(span.reached, received), span.readings + readings
    )


class FromStore:
    """Stored readings in the order of receipt, from a patient's first one.

    Args:
        silence: play the clock too. Its ticks are not stored: full minutes stand for them, as far
            as the detectors have judged.
    """

    begins = False

    def __init__(
        self, connection: Connection, config: DetectionConfig, wanted: Range, *, silence: bool
    ):

        self._connection = connection
        self._config = config
        self._wanted = wanted
        self._silence = silence
        self.said = "stored readings"
        self.clock_seconds = CLOCK_SECONDS if silence else 0.0
        self.untold = () if silence else (KIND,)
        self.notes = [BY_MINUTES if silence else NO_TICKS]
        if wanted.since is not None:
            self.notes.append(
                f"playing began at {wanted.since:%Y-%m-%d %H:%M} UTC, not at the first reading:"
                " baselines and open episodes may differ for that alone"
            )

    def units(self) -> list[str]:
        """The enrolled patients who were asked for."""

        return history.list_patient_ids(self._connection, self._wanted)

    def play(self, unit: str, cut: datetime, played: Played) -> Iterator[list[Event]]:
        """One patient's events."""

        player = Player(self._config, silence=self._silence)
        with closing(history.read_uploads(self._connection, unit, self._wanted)) as uploads:  # type: ignore[type-var]
            for upload in uploads:
                if upload.received_at >= cut:
                    break
                yield player.take(upload)
                _note(played, unit, upload.received_at, len(upload.measurements))
        if unit in played:
            if self._silence:
                yield player.reach(self._end(cut))
            _note(played, unit, cut, 0)  # whatever was received before is here, or was lost

    def _end(self, cut: datetime) -> datetime:
        """How far the detectors' own clock has come; what is beyond they have not judged."""

        newest = newest_watermark(self._connection, DETECTORS)
        return cut if newest is None else min(cut, newest)


class FromTopic:
    """Each partition of ``vitals.readings``, ticks and all, through an engine of its own.

    A partition is played from the beginning of what is retained to where the detectors have saved
    their state, so that what they have not judged yet is no difference; where they have none for
    this log, to its end.

    Args:
        wanted: whose uploads are judged; None: everyone's.
    """

    begins = True
    clock_seconds = 0.0
    untold: tuple[str, ...] = ()

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
        self.said = f"the topic {READINGS.name}"

    @property
    def notes(self) -> list[str]:
        """How much of the log there is."""
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
        """One partition's events. ``cut`` is the log's end: it has one of its own."""

        del cut
        place = TopicPartition(READINGS.name, int(unit.rpartition(" ")[2]))
        engine, mine, ticked = Engine(self._config), set[str](), None
        stamps = ClockCheck()
        for raw in self._records(place):
            try:
                message: Any = wire.decode(place.topic, raw.value, raw.headers)
            except WireError:
                self._unread += 1
                continue
            message = stamps.correct_time(message, raw)
            if isinstance(message, Tick):
                ticked = message.time
                yield engine.tick(message.time)
            elif self._wanted is None or message.patient_id in self._wanted:
                mine.add(message.patient_id)
                yield engine.process(message)
                _note(played, message.patient_id, message.received_at, len(message.measurements))
        if ticked is not None:
            for patient_id in mine:
                _note(played, patient_id, ticked, 0)

    def _records(self, place: TopicPartition) -> Iterator[Any]:
        """What a partition retains, up to its end as it is now."""
        try:
            with closing(open_consumer(self._settings, None)) as consumer:
                self._cut_off += partition_reader.first_offset(consumer, place)
                before = self._judged.get(place.partition)
                yield from partition_reader.read_retained(consumer, place, before=before)
        except KafkaError as error:
            raise broker_unavailable(self._settings, type(error).__name__) from error
