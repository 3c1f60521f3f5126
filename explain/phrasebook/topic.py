"""The worker's phrasebook: the shipped phrases, kept in step with the topic ``vitals.phrases``.

A thread reads the topic and publishes what it does not have: the shipped phrases at the start, new
phrases as they are written, and everything to a log that was created anew. A compacted topic keeps
the *last* message of a phrase and not its highest revision, so the draft of a starting worker could
replace a reviewer's decision: every worker that sees this publishes the higher revision again.

Until the topic has been read once, no phrase is found, because a reviewer may have banned any of
them; alerts use the tables' words meanwhile. A starting worker waits a few seconds for this, so
that an event delivered again after a crash gets the words that it had before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from explain.phrasebook.book import Phrasebook, find_faults
from vigil.contracts.topics import PHRASES
from vigil.domain.phrase import Phrase, precedence
from vigil.kafka.compacted_topic import CompactedTopicReader
from vigil.service import logs

if TYPE_CHECKING:
    from explain.facts.signature import Signature
    from vigil.contracts.wire import Carried
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("phrasebook")
START_SECONDS = 5.0
NOT_READ = "The reviewers' words on the phrasebook are not read yet: alerts go out in table words."


class PhraseTopic:
    """A phrasebook that follows the topic.

    Args:
        publish: sends phrases and returns when the broker has them; called on the reader's
            thread, and may raise :class:`~vigil.service.errors.UnavailableError`.
    """

    def __init__(
        self,
        settings: Settings,
        shipped: Iterable[Phrase],
        publish: Callable[[list[Phrase]], None],
        health: Health,
    ):
        self.book = Phrasebook(shipped, settings.patient_text)
        self._publish = publish
        self._health = health
        self._read = threading.Event()
        self.changes = 0
        """Goes up whenever something here may be lacking on the topic."""
        self._topic_reader = CompactedTopicReader(
            settings, PHRASES, lambda: _Log(self), name="phrases"
        )
        health.trouble("phrases", NOT_READ)
        health.watch("phrases", self._topic_reader.look)

    def start(self) -> None:
        """Begin to follow."""
        self._topic_reader.start()

    def stop(self) -> None:
        """Follow no longer."""
        self._topic_reader.stop()

    def wait(self, stop: threading.Event) -> None:
        """Wait until the topic has been read, for :data:`START_SECONDS` at most."""
        deadline = time.monotonic() + START_SECONDS
        while not stop.is_set() and time.monotonic() < deadline and not self._read.wait(0.1):
            pass

    def find(self, signature: Signature, choice: int) -> Phrase | None:
        """As :meth:`Phrasebook.find`, once the topic has been read; None before."""
        return self.book.find(signature, choice) if self._read.is_set() else None

    def add(self, phrase: Phrase) -> None:
        """Add a phrase that was written here; it is published soon."""
        self.book.add(phrase)
        self.changes += 1

    def receive(self, phrase: Phrase) -> None:
        """Process a phrase from the topic: it is used if it is valid, whoever sent it."""
        existing = self.book.get(phrase.phrase_id)
        known = existing is not None and existing.status != "banned" and _same(existing, phrase)
        reasons = () if known else find_faults(phrase)
        if not reasons:
            self.book.add(phrase)
            return
        self._health.count("phrases_refused")
        log.warning("phrase refused", phrase_id=phrase.phrase_id, reasons=list(reasons))

    def publish(self, phrases: list[Phrase]) -> None:
        """Publish phrases that the topic does not have."""
        self._publish(phrases)
        self._health.count("phrases_published", len(phrases))

    def mark_read(self) -> None:
        """The topic has been read to its end."""
        self._health.gauge("phrases_held", len(self.book))
        if not self._read.is_set():
            self._read.set()
            self._health.trouble("phrases", None)
            log.info("phrasebook read", phrases=len(self.book))


def _same(one: Phrase, other: Phrase) -> bool:
    return (one.signature, one.text) == (other.signature, other.text)


class _Log:
    """One log of the topic; a :class:`vigil.kafka.compacted_topic.EntryConsumer`."""

    def __init__(self, topic: PhraseTopic):
        self._topic = topic
        self._last: dict[str, Phrase] = {}
        """By id: the last message of each phrase in this log."""
        self._compared: int | None = None

    def apply_entry(self, entry: Carried) -> None:
        """A phrase; the topic carries no other."""
        if isinstance(entry, Phrase):
            self._last[entry.phrase_id] = entry
            self._compared = None
            self._topic.receive(entry)

    def delete_entry(self, key: str) -> None:
        """Phrases are banned and not deleted: what is known here is sent again."""
        self._last.pop(key, None)
        self._compared = None

    def reached_end(self) -> None:
        """Restore what the log lacks."""
        self._topic.mark_read()
        changes = self._topic.changes
        if changes == self._compared:
            return
        lacking = [phrase for phrase in self._topic.book if self._behind(phrase)]
        if lacking:
            self._topic.publish(lacking)
            self._last |= {phrase.phrase_id: phrase for phrase in lacking}
        self._compared = changes

    def _behind(self, phrase: Phrase) -> bool:
        last = self._last.get(phrase.phrase_id)
        return last is None or precedence(last) < precedence(phrase)
