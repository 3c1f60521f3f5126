"""What a sentence of the phrasebook can say: the closed set of signatures that events have.

A signature is what is left of an event for the choice of a sentence: kind, direction, how it is
told, reader, locale, what the person was doing, what else was found, and the slots to be filled.
There are finitely many, so sentences for them can be written, verified and reviewed ahead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from explain import tables
from explain.facts.extraction import Facts
from explain.tables import Direction, Situation, Telling
from vigil.domain.alert import Audience
from vigil.domain.episode import Phase
from vigil.domain.kinds import KINDS, Category
from vigil.domain.reading import Activity

NONE = "-"
"""Stands for an empty part in a key."""
TOLD_ACTIVITIES: tuple[Activity, ...] = ("rest", "asleep", "active")
LASTING: tuple[Telling, ...] = ("opened", "updated")
"""While these hold, what the person was doing and what else was found can be told."""
_WAYS = ("above", "below")


class Signature(Struct, frozen=True, order=True):
    """One thing that a sentence can say. Every field is one of a closed set of words."""

    locale: str
    audience: Audience
    kind: str
    direction: Direction
    telling: Telling
    activity: str = ""
    """Of :data:`TOLD_ACTIVITIES`, or empty: it is not told."""
    also: str = ""
    """``kind.direction`` of a further finding that the sentence names too, or empty."""
    slots: tuple[str, ...] = ()
    """The slots that it carries, once each; sorted."""

    @property
    def key(self) -> str:
        """As text, for files, topics and the database.

        >>> Signature("en", "patient", "no_data", "none", "opened", slots=("duration",)).key
        'en/patient/no_data.none/opened/-/-/duration'
        """
        kind, slots = f"{self.kind}.{self.direction}", "+".join(self.slots)
        told = (self.activity or NONE, self.also or NONE, slots or NONE)
        return "/".join((self.locale, self.audience, kind, self.telling, *told))


def parse(key: str) -> Signature:
    """The signature of a key.

    Raises:
        ValueError: it is none of this version's.

    >>> parse("en/patient/heart_rate_high.above/opened/rest/-/duration+heart_rate").slots
    ('duration', 'heart_rate')
    """
    parts = ["" if part == NONE else part for part in key.split("/")]
    if len(parts) != 7:
        raise ValueError(f"{key!r} is no signature")
    locale, who, named, telling, activity, also, slots = parts
    kind, _, direction = named.partition(".")
    made = Signature(
        locale,
        who,  # type: ignore[arg-type]
        kind,
        direction,  # type: ignore[arg-type]
        telling,  # type: ignore[arg-type]
        activity,
        also,
        tuple(slots.split("+")) if slots else (),
    )
    if not _known(made):
        raise ValueError(f"{key!r} is no signature of this version")
    return made


def of(facts: Facts, slots: Iterable[str]) -> Signature:
    """The signature of facts, for a sentence that carries these slots."""
    lasting = facts.audience == "patient" and facts.telling in LASTING
    told = lasting and facts.activity in TOLD_ACTIVITIES and _of_the_moment(facts.kind)
    return Signature(
        facts.locale,
        facts.audience,
        facts.kind,
        facts.direction,
        facts.telling,
        facts.activity if told else "",
        facts.also if lasting else "",
        tuple(sorted(slots)),
    )


def wider(signature: Signature) -> Iterator[Signature]:
    """The signature, then those that say less and may stand in for it."""
    yield signature
    if signature.also:
        both = replace(signature, activity="")
        if signature.activity:
            yield both
        yield replace(both, slots=_shorter(signature.slots))
        yield replace(signature, also="")
    if signature.activity:
        yield replace(signature, activity="", also="")


def facts_for(signature: Signature) -> Facts:
    """Facts that have this signature: what a sentence is asked for and verified with."""
    telling = signature.telling
    phase: Phase = "opened" if telling == "late" else telling  # type: ignore[assignment]
    situation: Situation = {"late": "late", "closed": "ended"}.get(telling, "now")  # type: ignore[assignment]
    known = KINDS.get(signature.kind)
    unknown: Category = "technical" if signature.kind == "other_technical" else "clinical"
    return Facts(
        kind=signature.kind,
        category=known.category if known else unknown,
        direction=signature.direction,
        phase=phase,
        situation=situation,
        late=telling == "late",
        telling=telling,
        priority="high",  # the longest action, so that no other makes a text too long
        activity=signature.activity or "unknown",  # type: ignore[arg-type]
        reason="",
        audience=signature.audience,
        locale=signature.locale,
        synthetic=False,
        slots=signature.slots,
        also=signature.also,
    )


def everything(locale: str = "en") -> Iterator[Signature]:
    """Every signature that the phrasebook is built for, in a fixed order.

    Each sentence that the tables have gives one. For patients come, while a clinical finding lasts,
    what they were doing, with the slots of the fullest sentence, and what else was found, with
    those but for the span.
    """
    for who in get_args(Audience):
        for (kind, direction), block in tables.audience(locale, who).blocks.items():
            for telling, sentences in block.seen.items():
                plain = Signature(locale, who, kind, direction, telling)
                sets = dict.fromkeys(tuple(sorted(sentence.slots)) for sentence in sentences)
                for slots in sets:
                    yield replace(plain, slots=slots)
                if who == "patient" and telling in LASTING:
                    yield from _fuller(replace(plain, slots=next(iter(sets))))


def _fuller(plain: Signature) -> Iterator[Signature]:
    """What the person was doing, or what else was found, told with it."""
    if _of_the_moment(plain.kind):
        for activity in TOLD_ACTIVITIES:
            yield replace(plain, activity=activity)
    if plain.kind in tables.TOLD_TOGETHER and plain.direction in _WAYS:
        for also in companions(plain.kind):
            yield replace(plain, also=also, slots=_shorter(plain.slots))


def _of_the_moment(kind: str) -> bool:
    """Whether what the person is doing says anything of a finding: not of a trend over days."""
    known = KINDS.get(kind)
    return known is not None and known.category == "clinical" and known.cause != "trend"


def _shorter(slots: tuple[str, ...]) -> tuple[str, ...]:
    """Without the span: two findings and both slots are too much for one sentence."""
    return tuple(slot for slot in slots if slot != "duration")


def companions(kind: str) -> Iterator[str]:
    """The findings that can be told with a kind: those that are about other signals."""
    for other, row in KINDS.items():
        direction = tables.kinds()[other].direction
        apart = set(row.signals).isdisjoint(KINDS[kind].signals)
        if not apart or row.category != "clinical" or other not in tables.TOLD_TOGETHER:
            continue
        for way in _WAYS if direction == "measured" else (direction,):
            yield f"{other}.{way}"


def _known(made: Signature) -> bool:
    if made.locale not in tables.LOCALES or made.audience not in get_args(Audience):
        return False
    blocks = tables.audience(made.locale, made.audience).blocks
    also = tuple(made.also.split("."))
    return (
        (made.kind, made.direction) in blocks
        and (not made.also or also in blocks)
        and made.telling in tables.TELLINGS
        and made.activity in {"", *TOLD_ACTIVITIES}
    )
