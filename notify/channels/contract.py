"""The interface of a channel: one way to reach a person, in a module of its own in this folder.

The worker calls :meth:`Channel.recipients` on the stream's thread when it plans, and
:meth:`Channel.send` on threads of the channel's own, several at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from store.database.connections import Connection
from store.notifications.deliveries import Channel as ChannelName
from store.notifications.deliveries import Delivery


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of one attempt."""

    state: Literal["sent", "retry", "failed", "dropped"]
    """``retry``: not accepted now, perhaps later; ``failed``: never; ``dropped``: no recipient."""
    detail: str = ""
    """A short text for the log, without addresses, secrets or patient data."""
    retry_after_seconds: float | None = None
    """The wait that the remote service asked for."""
    recipient_gone: bool = False
    """The remote service reports that this recipient no longer exists."""


class Channel(Protocol):
    """One way to reach a person."""

    name: ChannelName
    threads: int
    """Deliveries sent concurrently."""

    def recipients(
        self, connection: Connection, patient_ids: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        """Patient id → ids of the recipients to notify: stable, and without addresses."""

    def send(self, delivery: Delivery) -> Outcome:
        """Try once. Returns within :data:`LEASE_SECONDS`, whatever the network does.

        Errors of the network or the remote service are an outcome, never an exception.
        """


LEASE_SECONDS = 60.0
"""A claim without an outcome after this long counts as that of a process that died."""
