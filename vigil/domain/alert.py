"""An event in words, and where each text came from."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from vigil.domain.episode import Event, Phase
from vigil.domain.ids import fill_episode_names
from vigil.domain.kinds import Category, Priority
from vigil.domain.reading import Identifier, Timestamp

Audience = Literal["care_team", "patient"]

USEFUL_FOR: MappingProxyType[Priority, timedelta] = MappingProxyType(
    {"high": timedelta(hours=4), "medium": timedelta(hours=2), "low": timedelta(hours=1)}
)
"""How long a message of a priority is worth a person's attention (our own figures)."""


class Text(Struct, frozen=True, gc=False):
    """Words for one audience in one locale. All plain text, never markup."""

    title: str
    body: str
    action: str
    """The one thing to do, word for word from the reviewed table."""


class Provenance(Struct, frozen=True, omit_defaults=True, gc=False):
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
    change: str = ""
    """Why an ``updated`` step was announced: ``raised``, ``worse``, ``continues``, ``eased``,
    ``parts`` or ``joined`` (``docs/detection.md``). ``unobserved`` on a ``closed`` one: nothing was
    measured any more, so that nobody knows whether it is over. Empty: not stated. Not an
    enumeration."""
    highest_priority: str = ""
    """The highest priority that the episode ever had, on each step after a fall; else empty."""
    time_uncertain: bool = False
    """True where the device's clock is known to be wrong: ``time`` is not to be relied on, and the
    time of publication counts instead."""

    withdrawn: str = ""
    """On the step that ends an episode because readings that it rested on were withdrawn: why they
    were (:data:`vigil.domain.reading.WithdrawalReason`); else empty. Not an enumeration."""

    corrected: str = ""
    """On a step that lowers the priority which an episode had reached by withdrawn readings alone,
    and that stands without them: why they were withdrawn; else empty. Not an enumeration."""

    def __post_init__(self) -> None:
        fill_episode_names(self)


def is_history(step: Event | Alert, published: datetime | None) -> bool:
    """Whether a step was past its useful time when it was published: it is history, pages nobody,
    and does not open again what was acknowledged.

    So it is with a recording of last month that is replayed today, a dead letter that is sent
    again, or a device that was out of reach. Where the device's clock is wrong, nobody knows how
    old a step is, and it counts as new.

    Args:
        published: when its message was put on the topic; None: not known, and so at once.
    """
    if published is None or step.time_uncertain:
        return False
    known_at = step.detected_at if isinstance(step, Event) else step.time
    return published - known_at > USEFUL_FOR[step.priority]
