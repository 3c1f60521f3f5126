"""What a person did about an alert."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from vigil.domain.ids import fill_episode_names
from vigil.domain.reading import Identifier, Timestamp

Verb = Literal[
    "acknowledge",
    "snooze",
    "assign",
    "escalate",
    "resolve",
    "comment",
    "useful",
    "false_alarm",
    "ok",
    "need_help",
]


class Action(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a person did about an alert."""

    action_id: str
    event_id: str = ""
    """The older name of :attr:`episode_id`, for one release; filled in."""
    episode_id: str = ""
    """Required. The episode that the alert is about."""
    patient_id: Identifier
    actor: str
    """The user's id, or ``patient``."""
    verb: Verb
    time: Timestamp
    comment: str = ""
    until: Timestamp | None = None
    """For ``snooze``."""

    def __post_init__(self) -> None:
        fill_episode_names(self)
