"""The reviewed tables: every sentence that can be published, as data a clinician can read.

Read once, on first use, from the TOML files of this folder. What a patient reads exists in other
locales too: the same tables, each sentence translated by the locale's catalogue. Mistakes in them
are found by ``tests/unit/explain/facts/test_tables.py``, never by a patient.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from explain import languages
from vigil.domain.alert import Audience
from vigil.domain.kinds import Category, Priority

LOCALES = languages.LOCALES
Direction = Literal["above", "below", "none"]
Situation = Literal["now", "late", "ended"]
Announcement = Literal["opened", "updated", "late", "closed", "withdrawn", "gone"]
ANNOUNCEMENTS: tuple[Announcement, ...] = ("opened", "updated", "late", "closed")
"""What a block has sentences for. Ends that are not a recovery, :data:`ENDS`, have the same
words for every kind."""
ENDS: tuple[Announcement, ...] = ("withdrawn", "gone")
"""No rule judges it any more; nothing more is expected of the device."""
COMBINED_KINDS = (
    *("heart_rate_high", "heart_rate_low", "heart_rate_unusual", "heart_rate_irregular"),
    *("blood_pressure_high", "blood_pressure_low", "blood_pressure_unusual"),
)
"""The kinds that may be announced to a patient together with another, in one sentence or two."""
SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")
"""A named slot. Anything else with a brace is malformed, and the verifier refuses it."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """A delexicalised sentence, the slots that it needs, and the name that provenance gives it."""

    text: str
    slots: frozenset[str]
    entry: str


@dataclass(frozen=True, slots=True)
class Block:
    """All wordings of one kind in one direction for one audience."""

    title: str
    title_past: str
    meaning: str
    details: tuple[Sentence, ...]
    seen: dict[Announcement, tuple[Sentence, ...]]


@dataclass(frozen=True, slots=True)
class Frame:
    """The texts around a block's sentences, for every kind."""

    synthetic: str
    late: str
    ends: dict[Announcement, tuple[Sentence, ...]]
    """The sentences for each of :data:`ENDS`."""
    details: tuple[Sentence, ...]
    activity: dict[str, str]
    """What the person was doing → a sentence; empty for an audience that is not shown it."""
    reason: dict[str, str]
    """The ``reason`` of a technical finding → a sentence."""


@dataclass(frozen=True, slots=True)
class AudienceTable:
    """Everything that one audience can read in one locale, but for the actions."""

    frame: Frame
    blocks: dict[tuple[str, Direction], Block]


@dataclass(frozen=True, slots=True)
class KindRow:
    """What a kind measures and which way it points, in no language."""

    direction: Literal["above", "below", "none", "measured"]
    quantity: str = ""


Actions = MappingProxyType[tuple[Audience, Category, Situation], dict[Priority, str]]


def read_table(name: str) -> dict[str, Any]:
    """One table as in its file."""
    return tomllib.loads(files(__name__).joinpath(name).read_text("utf-8"))


@cache
def kinds() -> MappingProxyType[str, KindRow]:
    """Kind → what it measures."""
    return MappingProxyType(
        {name: KindRow(**row) for name, row in read_table("kinds.toml").items()}
    )


@cache
def words(locale: str) -> dict[str, Any]:
    """How slots read in a locale."""
    return read_table(f"{locale}/words.toml")


@cache
def audience(locale: str, who: Audience) -> AudienceTable:
    """What an audience reads in a locale; the care team reads English.

    Raises:
        LookupError: an unknown locale, or the care team's in another than English.
    """
    if locale not in locales_of(who):
        raise LookupError(f"{who} has no words in {locale!r}")
    raw = _in_locale(locale, str(who), read_table(f"en/{who}.toml"))
    frame = raw.pop("frame")
    blocks: dict[tuple[str, Direction], Block] = {}
    for kind, directions in raw.items():
        for direction, block in directions.items():
            blocks[kind, direction] = _block(f"{kind}.{direction}", block)
    whole = Frame(
        synthetic=frame["synthetic"],
        late=frame["late"],
        ends={end: _sentences(end, [frame[end]]) for end in ENDS},
        details=_sentences("detail", frame.get("details", [])),
        activity=frame.get("activity", {}),
        reason=frame.get("reason", {}),
    )
    return AudienceTable(whole, blocks)


@cache
def actions(locale: str) -> Actions:
    """(audience, category, situation) → priority → what to do, word for word."""
    raw: dict[Audience, dict[Category, dict[Situation, dict[Priority, str]]]] = _in_locale(
        locale, "actions", read_table("en/actions.toml")
    )
    return MappingProxyType(
        {
            (who, category, situation): texts
            for who, categories in raw.items()
            if locale in locales_of(who)
            for category, situations in categories.items()
            for situation, texts in situations.items()
        }
    )


def locales_of(who: Audience) -> tuple[str, ...]:
    """The locales that an audience can read."""
    return LOCALES if who == "patient" else LOCALES[:1]


def _in_locale(locale: str, path: str, node: Any) -> Any:
    """A part of the tables with each of its texts in the locale's words."""
    if isinstance(node, str):
        return languages.catalogue_for(locale).translate(path, node)
    if isinstance(node, list):
        return [_in_locale(locale, path, text) for text in node]
    return {name: _in_locale(locale, f"{path}.{name}", below) for name, below in node.items()}


def _block(name: str, raw: dict[str, Any]) -> Block:
    return Block(
        title=raw["title"],
        title_past=raw["title_past"],
        meaning=raw["meaning"],
        details=_sentences(f"{name}.detail", raw.get("details", [])),
        seen={
            announcement: _sentences(f"{name}.{announcement}", raw[announcement])
            for announcement in ANNOUNCEMENTS
        },
    )


def _sentences(name: str, texts: list[str]) -> tuple[Sentence, ...]:
    return tuple(Sentence(text, slots_of(text), f"{name}#{_version(text)}") for text in texts)


def _version(text: str) -> str:
    """Tells one wording from the next: a changed sentence cannot keep its name."""
    return sha256(text.encode()).hexdigest()[:8]


def slots_of(text: str) -> frozenset[str]:
    """The names of a sentence's slots.

    >>> sorted(slots_of("High for {duration}: {heart_rate}."))
    ['duration', 'heart_rate']
    """
    return frozenset(SLOT.findall(text))
