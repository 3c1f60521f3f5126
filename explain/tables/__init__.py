"""The reviewed tables: every sentence that can be published, as data a clinician can read.

Read once, on first use, from the TOML files of this folder. What a patient reads exists in other
locales too: the same tables, each sentence translated by the locale's catalogue. Mistakes in them
are found by ``tests/unit/explain/facts/test_tables.py``, never by a patient.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from hashlib import sha256
from importlib.resources import files
from types import MappingProxyType
from typing import Any, Literal

from explain import languages
from vigil.domain.alert import Audience
from vigil.domain.kinds import Priority

LOCALES = languages.LOCALES
Direction = Literal["above", "below", "none"]
Situation = Literal["now", "late", "ended", "unknown"]
"""``unknown``: closed because nothing was measured any more; it may be over or not."""
Announcement = Literal[
    "opened", "updated", "late", "closed", "withdrawn", "gone", "unobserved", "taken_back"
]
ANNOUNCEMENTS: tuple[Announcement, ...] = ("opened", "updated", "late", "closed")
"""What a block has sentences for. Ends that are not a recovery, :data:`ENDS`, have the same
words for every kind."""
ENDS: tuple[Announcement, ...] = ("withdrawn", "gone", "unobserved", "taken_back")
"""No rule judges it any more; nothing more is expected of the device; nothing of its signals was
measured for longer than the kind may bridge; readings that it rested on were withdrawn."""
Change = Literal["worse", "raised", "continues", "eased", "corrected", ""]
"""What a step announces besides the finding: its value worsened, its priority rose, it is repeated,
its priority fell, readings that it rested on were withdrawn; empty: none of these."""
COMBINED_KINDS = (
    *("heart_rate_high", "heart_rate_low", "heart_rate_unusual", "heart_rate_irregular"),
    *("blood_pressure_high", "blood_pressure_low", "blood_pressure_unusual"),
)
"""The kinds that may be announced to a patient together with another, in one sentence or two."""
CHANGES: tuple[Change, ...] = ("worse", "raised", "continues", "eased", "corrected")
SINGLE_PRESSURE = "single_pressure"
"""The rows of ``actions.toml`` for a pressure that was measured once: it asks for another."""
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
    meaning: tuple[Sentence, ...]
    """What the finding is, while it lasts: the first whose slots are known."""
    details: tuple[Sentence, ...]
    counted: tuple[Sentence, ...]
    """In how many readings it was seen, and when first: where no duration may be claimed. Empty for
    a technical kind."""
    seen: dict[Announcement, tuple[Sentence, ...]]


@dataclass(frozen=True, slots=True)
class Frame:
    """The texts around a block's sentences, for every kind."""

    synthetic: str
    late: str
    taken_back_title: str
    """The title of what rested on readings that were withdrawn."""
    time_uncertain: tuple[Sentence, ...]
    """The clock of the device is off."""
    ends: dict[Announcement, tuple[Sentence, ...]]
    """The sentences for each of :data:`ENDS`."""
    unknown: str
    """That nobody knows whether it is over; follows the end ``unobserved``."""
    counted: tuple[Sentence, ...]
    """When it was first seen, where the readings cannot be counted and no duration be claimed."""
    change: dict[Change, tuple[Sentence, ...]]
    """The sentences for each change of an ``updated`` step."""
    latest: dict[str, tuple[Sentence, ...]]
    """What the reading of a step is that does not show the finding: by the quantity of the kind,
    ``trend``, ``other``; ``unread`` where there is none."""
    details: tuple[Sentence, ...]
    activity: dict[str, str]
    """What the person was doing → a sentence; empty for an audience that is not shown it."""
    reason: dict[str, str]
    """The ``reason`` of a technical finding → a sentence."""
    withdrawal: dict[str, str]
    """Why readings were withdrawn → a sentence."""
    basis: dict[str, str]
    """What a clinical finding rests on, where that is out of the ordinary → a sentence."""


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
    reasons: Mapping[str, str] = field(default_factory=dict)
    """The evidence's ``reason`` → the row that has the words for it, where these differ: a value
    that is only doubted is not called wrong."""
    rules: Mapping[str, str] = field(default_factory=dict)
    """The last part of the evidence's ``rule`` → that row, where the reason is that of an end."""
    action: str = ""
    """The rows of ``actions.toml`` for it; empty: those of its category."""


Actions = MappingProxyType[tuple[Audience, str, Situation], dict[Priority, str]]


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
def rows_of_reasons() -> MappingProxyType[str, tuple[str, str]]:
    """The rows that are chosen by the reason of a finding → its kind and that reason.

    They are worded by the tables alone: no phrase takes their place.
    """
    return MappingProxyType(
        {
            row: (kind, reason)
            for kind, listed in kinds().items()
            for reason, row in listed.reasons.items()
        }
    )


@cache
def words(locale: str) -> dict[str, Any]:
    """How slots read in a locale."""
    return read_table(f"{locale}/words.toml")


@cache
def most_sentences(who: Audience) -> int:
    """How many sentences a text for an audience may have, what to do among them."""
    return int(read_table(f"{LOCALES[0]}/lexicon.toml")["limits"][who]["sentences"])


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
        taken_back_title=frame["taken_back_title"],
        time_uncertain=_sentences("time_uncertain", frame["time_uncertain"]),
        ends={end: _sentences(end, frame[end]) for end in ENDS},
        unknown=frame["unknown"],
        counted=_sentences("counted", frame["counted"]),
        change={name: _sentences(f"change.{name}", frame["change"][name]) for name in CHANGES},
        latest={name: _sentences(f"latest.{name}", row) for name, row in frame["latest"].items()},
        details=_sentences("detail", frame.get("details", [])),
        activity=frame.get("activity", {}),
        reason=frame.get("reason", {}),
        withdrawal=frame["withdrawal"],
        basis=frame.get("basis", {}),
    )
    return AudienceTable(whole, blocks)


@cache
def actions(locale: str) -> Actions:
    """(audience, rows, situation) → priority → what to do, word for word.

    ``rows``: a category, the :attr:`KindRow.action` of a kind, or :data:`SINGLE_PRESSURE`.
    """
    raw: dict[Audience, dict[str, dict[Situation, dict[Priority, str]]]] = _in_locale(
        locale, "actions", read_table("en/actions.toml")
    )
    return MappingProxyType(
        {
            (who, rows, situation): texts
            for who, listed in raw.items()
            if locale in locales_of(who)
            for rows, situations in listed.items()
            for situation, texts in situations.items()
        }
    )


def is_end(entry: str) -> bool:
    """Whether a text's entry (its provenance) is one of :data:`ENDS`: closed, but not as recovered.

    >>> is_end("en.patient.unobserved#0a1b2c3d"), is_end("en.patient.no_data.none.closed#0a1b2c3d")
    (True, False)
    """
    return entry.rpartition(".")[2].partition("#")[0] in ENDS


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
        meaning=_sentences(f"{name}.meaning", raw["meaning"]),
        details=_sentences(f"{name}.detail", raw.get("details", [])),
        counted=_sentences(f"{name}.counted", raw.get("counted", [])),
        seen={
            announcement: _sentences(f"{name}.{announcement}", raw[announcement])
            for announcement in ANNOUNCEMENTS
        },
    )


def _sentences(name: str, texts: str | list[str]) -> tuple[Sentence, ...]:
    """One text or several; the last of a list needs no slot."""
    listed = [texts] if isinstance(texts, str) else texts
    return tuple(Sentence(text, slots_of(text), f"{name}#{_version(text)}") for text in listed)


def _version(text: str) -> str:
    """Tells one wording from the next: a changed sentence cannot keep its name."""
    return sha256(text.encode()).hexdigest()[:8]


def slots_of(text: str) -> frozenset[str]:
    """The names of a sentence's slots.

    >>> sorted(slots_of("High for {duration}: {heart_rate}."))
    ['duration', 'heart_rate']
    """
    return frozenset(SLOT.findall(text))
