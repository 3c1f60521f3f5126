"""Uploads onto the topic, in order: what `replay` and `demo` share."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from vigil.contracts import wire
from vigil.domain.reading import Upload
from vigil.service import logs
from vigil.service.errors import UnavailableError

log = logs.get("publishing")

MAX_WAITING = 500
"""Uploads that may wait for the broker's word at once."""
AGAIN_SECONDS = 1.0


class Sends(Protocol):
    """What is needed of :class:`vigil.kafka.clients.Publisher`."""

    source: str

    def send(self, message: wire.Outgoing) -> Any:
        """Queue a message; returns a future."""

    def wait(self, future: Any) -> None:
        """Wait until the broker has a queued message."""

    def publish(self, messages: Iterable[wire.Outgoing]) -> int:
        """Send all, and wait until the broker has all."""


class Feed:
    """Puts uploads on the topic in order, and tells of each that the broker has it.

    Args:
        insist: while the broker is away, wait and send again what it has not taken, until this is
            set; None: stop with the error.
    """

    def __init__(
        self,
        publisher: Sends,
        published: Callable[[Upload], None] = lambda _upload: None,
        insist: threading.Event | None = None,
    ):
        self._publisher = publisher
        self._published = published
        self._insist = insist
        self._waiting: deque[tuple[Upload, wire.Outgoing, Any]] = deque()

    def take(self, uploads: Iterable[Upload]) -> None:
        """Send them; returns once the broker has all, or ``insist`` was set.

        Raises:
            UnavailableError: the broker did not take one. What came before it was told; the same
                again changes nothing of that.
            WireError: one is too large ever to be taken.
        """
        for upload in uploads:
            self._send(upload)
            while self._waiting and (
                len(self._waiting) > MAX_WAITING or self._waiting[0][2].is_done
            ):
                self._settle()
            if self._insist is not None and self._insist.is_set():
                return
        while self._waiting:
            self._settle()

    def _send(self, upload: Upload) -> None:
        message = wire.outgoing(upload, self._publisher.source)
        future = None
        try:
            future = self._publisher.send(message)
        except UnavailableError:
            if self._insist is None:
                raise
        self._waiting.append((upload, message, future))
        if future is None:
            self._again()

    def _settle(self) -> None:
        """Hear of the first that waits."""
        upload, _, future = self._waiting[0]
        try:
            self._publisher.wait(future)
        except UnavailableError:
            if self._insist is None:
                raise
            self._again()
        else:
            self._waiting.popleft()
            self._published(upload)

    def _again(self) -> None:
        """All that waits once more, in its order, until the broker has it; its ids are the same."""
        assert self._insist is not None  # noqa: S101  (asked by both callers)
        messages = [message for _, message, _ in self._waiting]
        while not self._insist.is_set():
            try:
                self._publisher.publish(messages)
            except UnavailableError as error:
                log.warning("waiting for the broker", code=error.code)
                self._insist.wait(AGAIN_SECONDS)
            else:
                for upload, _, _ in self._waiting:
                    self._published(upload)
                break
        self._waiting.clear()
