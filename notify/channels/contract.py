"""What a channel is: one way to reach a person, one file each beside this one.

The worker calls :meth:`Channel.recipients` on the stream's thread when it plans, and
:meth:`Channel.send` on threads of the channel's own, several at once.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol

from store.database.connections import Connection
from store.notifications.deliveries import Channel as ChannelName
from store.notifications.deliveries import Delivery


class Outcome(NamedTuple):
    """What became of one attempt."""

    state: Literal["sent", "retry", "failed", "dropped"]
    """``retry``: not now, perhaps later; ``failed``: never; ``dropped``: nobody to send it to."""
    detail: str = ""
    """A few words for the log. Never an address, a secret or anything about a patient."""
    retry_after_seconds: float | None = None
    """How long the other side asked us to wait."""
    recipient_gone: bool = False
    """The other side says that this recipient exists no more."""


class Channel(Protocol):
    """One way to reach a person."""

    name: ChannelName
    threads: int
    """How many deliveries are sent at once."""

    def recipients(
        self, connection: Connection, patient_ids: Collection[str]
    ) -> Mapping[str, Sequence[str]]:
        """Patient → whom to tell, by ids that hold no address and stay the same."""

    def send(self, delivery: Delivery) -> Outcome:
        """Try once. Returns within :data:`LEASE_SECONDS`, whatever the network does.

        What the network or the other side does is an outcome, never an exception.
        """


LEASE_SECONDS = 60.0
"""A claim that is not settled by then is taken for a process that died."""
