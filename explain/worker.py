"""The worker: an event comes, its alert goes out at once; better words may follow.

Reads ``vitals.events``, writes ``vitals.alerts``. It keeps no state: an alert is a pure function of
its event, so an event that comes twice gives the same alert with the same revision.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING, Protocol

from explain.compose import compose
from vigil import wire
from vigil.broker import Publisher
from vigil.handler import Received, Rejected, Stateless
from vigil.health import Health
from vigil.model import Alert, Event
from vigil.stream import StreamLoop
from vigil.topics import EVENTS

if TYPE_CHECKING:
    from explain.rewording import Reworder
    from vigil.settings import Settings

NAME = "explain"


class Sender(Protocol):
    """The part of :class:`vigil.broker.Publisher` that is used here."""

    def publish(self, messages: Iterable[wire.Outgoing]) -> int:
        """Send all and wait until the broker has all."""


class Offers(Protocol):
    """The part of :class:`explain.rewording.Reworder` that is used here."""

    def offer(self, event: Event) -> None:
        """Ask for better words. Never waits."""


class ExplainHandler(Stateless):
    """Turns a batch of events into alerts."""

    name = NAME
    topics: tuple[str, ...] = (EVENTS.name,)

    def __init__(self, publisher: Sender, health: Health, reworder: Offers | None = None):
        self._publisher = publisher
        self._health = health
        self._reworder = reworder

    def handle(self, batch: Sequence[Received]) -> Iterable[Rejected]:
        """Publish an alert for each event and wait for the broker; then offer them for rewording.

        Raises:
            UnavailableError: the broker does not take them.
        """
        events = [received.message for received in batch if isinstance(received.message, Event)]
        self._publisher.publish([wire.outgoing(compose(event), NAME) for event in events])
        self._health.count("alerts", len(events))
        if self._reworder is not None:
            for event in events:
                self._reworder.offer(event)
        return ()


class ExplainWorker:
    """The service ``explain``.

    Args:
        model_command: what runs the model; None: the one that the settings name.
    """

    name = NAME

    def __init__(self, settings: Settings, model_command: Sequence[str] | None = None):
        self._settings = settings
        self._command = model_command

    def run(self, stop: threading.Event, health: Health) -> None:
        """Work until ``stop``; ends the model process with it."""
        publisher = Publisher(self._settings, NAME)
        try:
            reworder = self._reworder(publisher, health) if self._settings.llm else None
            with closing(reworder) if reworder else nullcontext():
                if reworder:
                    reworder.start()
                handler = ExplainHandler(publisher, health, reworder)
                StreamLoop(handler, self._settings, publisher, health).run(stop)
        finally:
            publisher.close()

    def _reworder(self, publisher: Publisher, health: Health) -> Reworder:
        from explain.model_process import ModelProcess, for_settings  # noqa: PLC0415  (if wanted)
        from explain.rewording import Reworder  # noqa: PLC0415

        return Reworder(
            ModelProcess(self._command) if self._command else for_settings(self._settings),
            lambda alert: _publish(publisher, alert),
            health,
            self._settings.llm_deadline_seconds,
            self._settings.llm_queue,
        )


def _publish(publisher: Publisher, alert: Alert) -> None:
    publisher.publish([wire.outgoing(alert, NAME)])
