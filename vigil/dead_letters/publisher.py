"""Sends dead letters to the broker, or keeps them in a folder if it will never accept them.

An unreachable broker is retried, as for any message. But what is refused for good (by access
control, because the topic is missing, for its size) must not hold up everything behind it: the dead
letter is kept (:mod:`vigil.dead_letters.local_folder`), counted and reported, and the loop
continues.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from vigil.contracts import wire
from vigil.contracts.topics import DEAD_LETTERS
from vigil.dead_letters.local_folder import FolderFullError, LocalDeadLetters
from vigil.kafka.clients import open_admin
from vigil.service import logs
from vigil.service.errors import UnavailableError, WireError

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("stream")

TROUBLE = "dead_letters"
RETRY_SECONDS = 30.0
"""Pause after the topic has refused everything: each attempt may take seconds, and messages wait
behind it."""
PUBLISH_SECONDS = 2.0
"""How long kept dead letters are sent at a time; the rest follows with the next one: messages wait
meanwhile, and there may be a hundred thousand."""
_REFUSED_TOPIC = (
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    InvalidTopicError,
)
"""Errors of the broker that apply to every dead letter, until somebody fixes the topic."""


class DeadLetterPublisher:
    """The dead letters of one worker.

    Args:
        publish: sends messages and returns when the broker has them.
    """

    def __init__(
        self,
        publish: Callable[[Sequence[wire.Outgoing]], object],
        settings: Settings,
        health: Health,
    ):
        self._publish = publish
        self._settings = settings
        self._local = LocalDeadLetters.from_settings(settings)
        self._health = health
        self._retry_at = 0.0
        self._troubled = False
        self._kept = self._count()

    def send(self, dead_letters: Sequence[wire.Outgoing]) -> None:
        """Send dead letters: the broker has each, or it is kept here, or reported as lost.

        Raises:
            UnavailableError: the broker does not answer: send them again.
        """
        if time.monotonic() < self._retry_at:
            self._keep_all(dead_letters, "the topic refuses them")
            return
        try:
            self._publish(dead_letters)
        except (UnavailableError, WireError) as error:
            if why := self._find_refusal(error):
                self._retry_at = time.monotonic() + RETRY_SECONDS
                self._keep_all(dead_letters, why)
            elif isinstance(error, WireError):
                self._send_each(dead_letters)
            else:
                raise
        else:
            self._accepted()

    def _send_each(self, dead_letters: Sequence[wire.Outgoing]) -> None:
        """Send one by one: one of them is refused, and it is not known which."""
        for dead_letter in dead_letters:
            try:
                self._publish([dead_letter])
            except WireError as error:
                self._keep_all([dead_letter], error.message)

    def _find_refusal(self, error: UnavailableError | WireError) -> str:
        """Why the topic refuses all dead letters; empty: it does not, or there is no broker."""
        cause = error.__cause__
        if isinstance(cause, _REFUSED_TOPIC):
            return type(cause).__name__
        if not isinstance(error, UnavailableError):
            return ""
        try:  # to a producer a missing topic looks like a broker that does not answer
            with open_admin(self._settings, connect_timeout_seconds=0) as admin:
                there = DEAD_LETTERS.name in admin.list_topics()
        except (KafkaError, UnavailableError):
            return ""
        return "" if there else "the topic is missing"

    def _keep_all(self, dead_letters: Sequence[wire.Outgoing], why: str) -> None:
        full = ""
        for dead_letter in dead_letters:
            origin = wire.header(dead_letter.headers, "vigil_origin")
            try:
                self._local.keep(dead_letter, time.time_ns() // 1_000_000)
            except FolderFullError as error:
                full = f"; some could not be kept, the log has their positions: {error}"
                self._health.count("dead_letters_lost")
                log.exception(
                    "dead letter lost; its message stays on its topic until that is deleted",
                    origin=origin,
                    why=why,
                    folder=str(error),
                )
            else:
                self._health.count("dead_letters_kept")
                log.warning("dead letter kept on this machine", origin=origin, why=why)
        self._kept, self._troubled = self._count(), True
        self._health.trouble(
            TROUBLE,
            f"{DEAD_LETTERS.name} does not take them ({why}); {self._kept} are kept in"
            f" {self._local.folder}{full}. Fix the topic or its access control, then"
            " `vigil deadletter publish`",
        )

    def _count(self) -> int:
        count = self._local.count()
        self._health.gauge("dead_letters_local", count)
        return count

    def _accepted(self) -> None:
        """The topic accepts dead letters: send those that were kept here, too."""
        if self._troubled:
            self._health.trouble(TROUBLE, None)
            self._troubled = False
        if self._kept:
            self._retry_at = 0.0
            done = publish_local_dead_letters(self._local, self._publish, PUBLISH_SECONDS)
            left = self._count()
            # what is refused once more is not retried with every dead letter
            self._kept = 0 if done.complete else left


@dataclass(frozen=True, slots=True)
class Published:
    """The result of sending the dead letters that were kept."""

    sent: int
    left: int
    complete: bool
    """Whether each was tried."""


def publish_local_dead_letters(
    local: LocalDeadLetters,
    publish: Callable[[Sequence[wire.Outgoing]], object],
    seconds: float = float("inf"),
) -> Published:
    """Send what is kept on this machine, and remove what the broker has.

    Args:
        seconds: stop after so long.
    """
    sent = left = 0
    deadline, complete = time.monotonic() + seconds, True
    for kept in local.read_all():
        if time.monotonic() >= deadline:
            complete = False
            break
        try:
            publish([kept.message])
        except (UnavailableError, WireError) as error:
            log.warning("dead letter not published", code=error.code)
            left += 1
            if isinstance(error, UnavailableError):
                break
        else:
            local.remove(kept)
            sent += 1
    return Published(sent, max(left, local.count()), complete)
