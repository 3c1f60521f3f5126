"""Publishes reviewers' decisions again to a broker that lost them.

The tables keep all phrases of the topic ``vitals.phrases``. If its log was created anew, or
restored from before a review, the phrases that are newer in the tables are published again, so that
a ban stays in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from store.database.connections import connect, translated
from vigil.contracts import wire
from vigil.contracts.topics import PHRASES
from vigil.domain.phrase import Phrase, precedence
from vigil.kafka.clients import Publisher
from vigil.kafka.compacted_topic import CONNECT_TIMEOUT_SECONDS, CompactedTopicReader
from vigil.service import logs

if TYPE_CHECKING:
    from vigil.contracts.wire import Carried
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("phrases")


class PhrasePublisher:
    """Reads the topic on a thread, and completes each new log once."""

    def __init__(self, settings: Settings, health: Health):
        self._settings = settings
        self._health = health
        self._topic_reader = CompactedTopicReader(
            settings, PHRASES, lambda: _Log(self), name="phrases"
        )
        health.watch("phrases", self._topic_reader.look)

    def start(self) -> None:
        """Begin to follow."""
        self._topic_reader.start()

    def stop(self) -> None:
        """Follow no longer."""
        self._topic_reader.stop()

    def restore(self, last: dict[str, Phrase]) -> None:
        """Publish the phrases that are newer in the tables than on a log.

        Args:
            last: phrase id → the last revision on the log.

        Raises:
            UnavailableError: database or broker are unavailable; the log is read again.
        """
        with connect(self._settings) as connection, translated():
            rows = connection.execute("SELECT content FROM phrases ORDER BY phrase_id").fetchall()
        stored = [msgspec.json.decode(row["content"], type=Phrase) for row in rows]
        newer = [each for each in stored if _newer(each, last.get(each.phrase_id))]
        if not newer:
            return
        publisher = Publisher(self._settings, "store", CONNECT_TIMEOUT_SECONDS)
        try:
            publisher.publish([wire.to_message(each, "store") for each in newer])
        finally:
            publisher.close()
        self._health.count("phrases_published", len(newer))
        log.info("phrases published again", phrases=len(newer))


def _newer(stored: Phrase, last: Phrase | None) -> bool:
    return last is None or precedence(stored) > precedence(last)


class _Log:
    """One log of the topic; a :class:`vigil.kafka.compacted_topic.EntryConsumer`."""

    def __init__(self, publisher: PhrasePublisher):
        self._publisher = publisher
        self._last: dict[str, Phrase] = {}
        self._restored = False

    def apply_entry(self, entry: Carried) -> None:
        """A phrase; the topic carries no other."""
        if isinstance(entry, Phrase):
            self._last[entry.phrase_id] = entry

    def delete_entry(self, key: str) -> None:
        """Phrases are banned and not deleted."""
        self._last.pop(key, None)

    def reached_end(self) -> None:
        """Compare once; what comes afterwards the tables learn from the log."""
        if not self._restored:
            self._publisher.restore(self._last)
            self._restored = True
            self._last.clear()
