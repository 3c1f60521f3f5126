"""Publishes uploads in order: shared by ``vigil replay`` and ``vigil demo``."""

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
"""Uploads that may wait for the broker's acknowledgement at once."""
RETRY_SECONDS = 1.0


class MessageSender(Protocol):
    """The part of :class:`vigil.kafka.clients.Publisher` that is used here."""

    source: str

    def send(self, message: wire.Outgoing) -> Any:
        """Queue a message; returns a future."""

    def wait(self, future: Any) -> None:
        """Wait until the broker has acknowledged a queued message."""

    def publish(self, messages: Iterable[wire.Outgoing]) -> int:
        """Send all, and wait until the broker has acknowledged all."""


class Feed:
    """Publishes uploads in order, and reports each that the broker has acknowledged.

    Args:
        published: called with each acknowledged upload.
        retry_until: while the broker is unavailable, retry until this is set; None: raise.
    """

    def __init__(
        self,
        publisher: MessageSender,
        published: Callable[[Upload], None] = lambda _upload: None,
        retry_until: threading.Event | None = None,
    ):
        self._publisher = publisher
        self._on_published = published
        self._retry_until = retry_until
        self._waiting: deque[tuple[Upload, wire.Outgoing, Any]] = deque()

    def publish(self, uploads: Iterable[Upload]) -> None:
        """Publish uploads; return once all are acknowledged, or ``retry_until`` is set.

        Raises:
            UnavailableError: the broker did not acknowledge one. Those before it were reported;
                publishing them again changes nothing.
            WireError: one is larger than the broker accepts.
        """
        for upload in uploads:
            self._send(upload)
            while self._waiting and (
                len(self._waiting) > MAX_WAITING or self._waiting[0][2].is_done
            ):
                self._wait_for_first()
            if self._retry_until is not None and self._retry_until.is_set():
                return
        while self._waiting:
            self._wait_for_first()

    def _send(self, upload: Upload) -> None:
        message = wire.to_message(upload, self._publisher.source)
        future = None
        try:
            future = self._publisher.send(message)
        except UnavailableError:
            if self._retry_until is None:
                raise
        self._waiting.append((upload, message, future))
        if future is None:
            self._retry_all()

    def _wait_for_first(self) -> None:
        """Wait until the first of the queue is acknowledged."""
        upload, _, future = self._waiting[0]
        try:
            self._publisher.wait(future)
        except UnavailableError:
            if self._retry_until is None:
                raise
            self._retry_all()
        else:
            self._waiting.popleft()
            self._on_published(upload)

    def _retry_all(self) -> None:
        """Send the whole queue again, in order and with the same ids, until it is acknowledged."""
        if self._retry_until is None:
            raise RuntimeError("without an event to retry until, the error is raised")
        messages = [message for _, message, _ in self._waiting]
        while not self._retry_until.is_set():
            try:
                self._publisher.publish(messages)
            except UnavailableError as error:
                log.warning("waiting for the broker", code=error.code)
                self._retry_until.wait(RETRY_SECONDS)
            else:
                for upload, _, _ in self._waiting:
                    self._on_published(upload)
                break
        self._waiting.clear()
