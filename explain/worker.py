"""The worker: publishes an alert for each event at once; a better worded revision may come later.

Reads ``vitals.events``, writes ``vitals.alerts``. An alert is a pure function of its event and of
the phrasebook, which the topic ``vitals.phrases`` keeps equal in every worker. An event that is
delivered twice gives the same revision; a consumer that stores alerts keeps the first.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Protocol

from explain.phrasebook.files import shipped_phrases
from explain.phrasebook.topic import PhraseTopic
from explain.templates.compose import compose
from vigil.contracts import wire
from vigil.contracts.topics import EVENTS
from vigil.domain.alert import Alert
from vigil.domain.episode import Event
from vigil.domain.phrase import Phrase
from vigil.kafka.clients import Publisher
from vigil.service import logs
from vigil.service.errors import InputError
from vigil.service.health import Health
from vigil.streaming import probe_messages
from vigil.streaming.handler import FailedOn, Handled, Received, Stateless
from vigil.streaming.loop import StreamLoop
from vigil.values.clock import utc_now

if TYPE_CHECKING:
    from explain.rewording import Reworder
    from explain.templates.compose import Phrases
    from vigil.service.settings import Settings

log = logs.get("explain")
NAME = "explain"


class Offers(Protocol):
    """The part of :class:`explain.rewording.Reworder` that is used here."""

    def offer(self, event: Event) -> None:
        """Request a better sentence. Never waits."""


class ExplainHandler(Stateless):
    """Turns a batch of events into alerts."""

    name = NAME
    topics: tuple[str, ...] = (EVENTS.name,)

    def __init__(
        self, health: Health, reworder: Offers | None = None, phrases: Phrases | None = None
    ):
        self._health = health
        self._reworder = reworder
        self._phrases = phrases

    def handle(self, batch: Sequence[Received]) -> Handled:
        """Compose an alert for each event; offer the events to rewording once all are published."""
        events = [received.message for received in batch if isinstance(received.message, Event)]
        alerts = [
            self._compose(received) for received in batch if isinstance(received.message, Event)
        ]
        self._count(alerts)
        outgoing = [wire.to_message(alert, NAME) for alert in alerts]
        return Handled(outgoing, after=lambda: self._offer(events))

    def probe(self) -> None:
        """Say a good event, to nobody."""
        wire.to_message(compose(probe_messages.build_event(utc_now()), self._phrases), NAME)

    def _compose(self, received: Received) -> Alert:
        event: Event = received.message  # type: ignore[assignment]  # it is one
        try:
            return compose(event, self._phrases)
        except Exception as error:
            raise FailedOn(received) from error

    def _offer(self, events: Sequence[Event]) -> None:
        if self._reworder is not None:
            for event in events:
                self._reworder.offer(event)

    def _count(self, alerts: Sequence[Alert]) -> None:
        authors = [origin.author for alert in alerts for origin in alert.provenance.values()]
        hit = authors.count("phrasebook")
        self._health.count("alerts", len(alerts))
        self._health.count("phrases_hit", hit)
        self._health.count("phrases_missed", len(authors) - hit)


class ExplainWorker:
    """The service ``explain``.

    Args:
        model_command: what runs the language model; None: the one that the settings name.
        shipped: the initial phrases; None: those shipped with Vigil.
    """

    name = NAME

    def __init__(
        self,
        settings: Settings,
        model_command: Sequence[str] | None = None,
        shipped: Sequence[Phrase] | None = None,
    ):
        self._settings = settings
        self._command = model_command
        self._shipped = shipped

    def run(self, stop: threading.Event, health: Health) -> None:
        """Run until ``stop`` is set; the model process ends with it."""
        publisher = Publisher(self._settings, NAME)
        shipped = _load_shipped_phrases(health) if self._shipped is None else self._shipped
        phrases = PhraseTopic(
            settings=self._settings,
            shipped=shipped,
            publish=lambda new: _publish_messages(publisher, new),
            health=health,
        )
        phrases.start()
        try:
            phrases.wait(stop)
            reworder = self._reworder(publisher, phrases, health) if self._settings.llm else None
            with closing(reworder) if reworder else nullcontext():
                if reworder:
                    reworder.start()
                handler = ExplainHandler(health, reworder, phrases)
                StreamLoop(handler, self._settings, publisher, health).run(stop)
        finally:
            phrases.stop()
            publisher.close()

    def _reworder(self, publisher: Publisher, phrases: PhraseTopic, health: Health) -> Reworder:
        from explain.language_model.process import LanguageModelProcess, process_for_settings  # noqa: PLC0415  (if wanted)
        from explain.rewording import Reworder  # noqa: PLC0415

        return Reworder(
            process=LanguageModelProcess(self._command)
            if self._command
            else process_for_settings(self._settings),
            phrases=phrases,
            publish=lambda alert: _publish_messages(publisher, [alert]),
            health=health,
            deadline_seconds=self._settings.llm_deadline_seconds,
            bound=self._settings.llm_queue,
        )


def _publish_messages(publisher: Publisher, messages: Sequence[Alert | Phrase]) -> None:
    publisher.publish([wire.to_message(message, NAME) for message in messages])


def _load_shipped_phrases(health: Health) -> tuple[Phrase, ...]:
    """The shipped phrases; none where the file is damaged: alerts are published all the same."""
    try:
        return shipped_phrases()
    except InputError as error:
        health.count("phrasebook_damaged")
        log.warning("the shipped phrasebook cannot be used", code=error.code)
        return ()
