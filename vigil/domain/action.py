"""What a person did about an alert."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

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


class Action(Struct, frozen=True, omit_defaults=True):
    """What a person did about an alert."""

    action_id: str
    event_id: str
    patient_id: Identifier
    actor: str
    """The user's id, or ``patient``."""
    verb: Verb
    time: Timestamp
    comment: str = ""
    until: Timestamp | None = None
    """For ``snooze``."""
