"""An event in words, and where each text came from."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from vigil.domain.episode import Phase
from vigil.domain.ids import fill_episode_names
from vigil.domain.kinds import Category, Priority
from vigil.domain.reading import Identifier, Timestamp

Audience = Literal["care_team", "patient"]


class Text(Struct, frozen=True):
    """Words for one audience in one locale. All plain text, never markup."""

    title: str
    body: str
    action: str
    """The one thing to do, word for word from the reviewed table."""


class Provenance(Struct, frozen=True, omit_defaults=True):
    """Where a text came from, and what the verifier said of it."""

    author: Literal["template", "phrasebook", "model"]
    entry: str
    """The template's or phrasebook entry's name, with its version."""
    verdict: str = "passed"
    model: str = ""
    prompt_hash: str = ""
    refused: tuple[str, ...] = ()
    """Reason codes of wordings that the verifier refused before this one."""


class Alert(Struct, frozen=True, kw_only=True):
    """An event in words. One alert an episode; each later step or better wording revises it."""

    alert_id: str
    event_id: str = ""
    """The older name of :attr:`episode_id`, for one release; filled in."""
    episode_id: str = ""
    """Required. The episode that the alert is about."""
    patient_id: Identifier
    revision: int
    """``2 * sequence`` for the words that go out at once, one more for a model's rewording."""
    sequence: int
    kind: str
    category: Category
    phase: Phase
    priority: Priority
    retrospective: bool
    time: Timestamp
    """The event's ``detected_at``."""
    onset: Timestamp
    texts: dict[Audience, dict[str, Text]]
    """Audience → locale → text."""
    slots: dict[str, str]
    """Every slot that the English texts show, as rendered; each traces to the event's evidence."""
    provenance: dict[Audience, Provenance]
    synthetic: bool = False
    local_slots: dict[str, dict[str, str]] = {}
    """Locale → the slots that the patient's text shows in that locale, as rendered."""

    def __post_init__(self) -> None:
        fill_episode_names(self)
