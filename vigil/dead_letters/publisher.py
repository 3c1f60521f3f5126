"""Dead letters on their way to the broker, or to a folder where it will never take them.

A broker that is away is waited for, as for any message. But what is refused for good (by access
control, for want of the topic, for its size) must not hold up everything behind it: the letter is
kept (:mod:`vigil.dead_letters.local_folder`), counted and said, and the loop goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kafka.errors import (
    InvalidTopicError,
    KafkaError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
)

from vigil.contracts import wire
from vigil.contracts.topics import DEADLETTER
from vigil.dead_letters.local_folder import FullError, LocalLetters
from vigil.kafka import clients as broker
from vigil.service import logs
from vigil.service.errors import UnavailableError, WireError

if TYPE_CHECKING:
    from vigil.service.health import Health
    from vigil.service.settings import Settings

log = logs.get("stream")

TROUBLE = "dead_letters"
AGAIN_SECONDS = 30.0
"""After the topic refused everything, it is asked again only so long later: each try may take
seconds, and messages wait behind it."""
PUBLISH_SECONDS = 2.0
"""What was kept is sent for so long at a time, and the rest with the next letter: messages wait
meanwhile, and there may be a hundred thousand."""
_REFUSED_TOPIC = (
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    InvalidTopicError,
)
"""Errors of the broker that hold for every letter, until somebody mends the topic."""


class Letters:
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
        self._local = LocalLetters.of(settings)
        self._health = health
        self._ask_at = 0.0
        self._troubled = False
        self._kept = self._count()

    def send(self, letters: Sequence[wire.Outgoing]) -> None:
        """Return once each is with the broker, or kept here, or said to be neither.

        Raises:
            UnavailableError: the broker does not answer: send them again.
        """
        if time.monotonic() < self._ask_at:
            self._keep_all(letters, "the topic refuses them")
            return
        try:
            self._publish(letters)
        except (UnavailableError, WireError) as error:
            if why := self._refused(error):
                self._ask_at = time.monotonic() + AGAIN_SECONDS
                self._keep_all(letters, why)
            elif isinstance(error, WireError):
                self._send_each(letters)
            else:
                raise
        else:
            self._taken()

    def _send_each(self, letters: Sequence[wire.Outgoing]) -> None:
        """One of them is refused, and nobody says which."""
        for letter in letters:
            try:
                self._publish([letter])
            except WireError as error:
                self._keep_all([letter], error.message)

    def _refused(self, error: UnavailableError | WireError) -> str:
        """Why the topic refuses every letter; empty: it does not, or the broker is away."""
        cause = error.__cause__
        if isinstance(cause, _REFUSED_TOPIC):
            return type(cause).__name__
        if not isinstance(error, UnavailableError):
            return ""
        try:  # to a producer a missing topic looks like a broker that does not answer
            with broker.open_admin(self._settings, patience=0) as admin:
                there = DEADLETTER.name in admin.list_topics()
        except (KafkaError, UnavailableError):
            return ""
        return "" if there else "the topic is missing"

    def _keep_all(self, letters: Sequence[wire.Outgoing], why: str) -> None:
        full = ""
        for letter in letters:
            origin = wire.header(letter.headers, "vigil_origin")
            try:
                self._local.keep(letter, time.time_ns() // 1_000_000)
            except FullError as error:
                full = f"; some could not be kept, the log names their places: {error}"
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
            f"{DEADLETTER.name} does not take them ({why}); {self._kept} are kept in"
            f" {self._local.folder}{full}. Mend the topic or its access control, then"
            " `vigil deadletter publish`",
        )

    def _count(self) -> int:
        count = self._local.count()
        self._health.gauge("dead_letters_local", count)
        return count

    def _taken(self) -> None:
        """The topic takes letters: those that were kept here go there, too."""
        if self._troubled:
            self._health.trouble(TROUBLE, None)
            self._troubled = False
        if self._kept:
            self._ask_at = 0.0
            done = publish_kept(self._local, self._publish, PUBLISH_SECONDS)
            left = self._count()
            # what is refused once more is not tried again with every letter
            self._kept = 0 if done.whole else left


class Published(NamedTuple):
    """What became of the letters that were kept."""

    sent: int
    left: int
    whole: bool
    """Each was tried."""


def publish_kept(
    local: LocalLetters,
    publish: Callable[[Sequence[wire.Outgoing]], object],
    seconds: float = float("inf"),
) -> Published:
    """Send what is kept on this machine, and remove what the broker has; no longer than so."""
    sent = left = 0
    deadline, whole = time.monotonic() + seconds, True
    for kept in local.all():
        if time.monotonic() >= deadline:
            whole = False
            break
        try:
            publish([kept.letter])
        except (UnavailableError, WireError) as error:
            log.warning("dead letter not published", code=error.code)
            left += 1
            if isinstance(error, UnavailableError):
                break
        else:
            local.remove(kept)
            sent += 1
    return Published(sent, max(left, local.count()), whole)
