"""Signatures: the closed set of contents that a sentence of the phrasebook can have.

A signature is the part of an event that selects a sentence: kind, direction, how the step is
announced, reader, locale, activity, further finding, and the slots to be filled. Their number is
finite, so sentences for them can be written, verified and reviewed in advance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from explain import tables
from explain.facts.extraction import SPAN_SLOTS, Facts
from explain.tables import Announcement, Direction, Situation
from vigil.domain.alert import Audience
from vigil.domain.episode import Phase
from vigil.domain.kinds import KINDS, Category
from vigil.domain.reading import Activity

NONE = "-"
"""Stands for an empty part in a key."""
ANNOUNCED_ACTIVITIES: tuple[Activity, ...] = ("rest", "asleep", "active")
LASTING: tuple[Announcement, ...] = ("opened", "updated")
"""Announcements of which a sentence can also name the activity and a further finding."""
_WAYS = ("above", "below")


class Signature(Struct, frozen=True, order=True, cache_hash=True):
    """The content of a sentence. Every field has a closed set of values."""

    locale: str
    audience: Audience
    kind: str
    direction: Direction
    announcement: Announcement
    activity: str = ""
    """Of :data:`ANNOUNCED_ACTIVITIES`, or empty: not named."""
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
        optional = (self.activity or NONE, self.also or NONE, slots or NONE)
        return "/".join((self.locale, self.audience, kind, self.announcement, *optional))


@lru_cache(maxsize=4096)
def parse_signature(key: str) -> Signature:
    """The signature of a key.

    Raises:
        ValueError: it is none of this version's.

    >>> parse_signature("en/patient/heart_rate_high.above/opened/rest/-/duration+heart_rate").slots
    ('duration', 'heart_rate')
    """
    parts = ["" if part == NONE else part for part in key.split("/")]
    if len(parts) != 7:
        raise ValueError(f"{key!r} is not a signature")
    locale, who, named, announcement, activity, also, slots = parts
    kind, _, direction = named.partition(".")
    signature = Signature(
        locale=locale,
        audience=who,  # type: ignore[arg-type]
        kind=kind,
        direction=direction,  # type: ignore[arg-type]
        announcement=announcement,  # type: ignore[arg-type]
        activity=activity,
        also=also,
        slots=tuple(slots.split("+")) if slots else (),
    )
    if not _is_known(signature):
        raise ValueError(f"{key!r} is not a signature of this version")
    return signature


def signature_of(facts: Facts, slots: Iterable[str]) -> Signature:
    """The signature of facts, for a sentence that carries these slots."""
    lasting = facts.audience == "patient" and facts.announcement in LASTING
    names_activity = (
        lasting and facts.activity in ANNOUNCED_ACTIVITIES and _depends_on_activity(facts.kind)
    )
    return Signature(
        locale=facts.locale,
        audience=facts.audience,
        kind=facts.kind,
        direction=facts.direction,
        announcement=facts.announcement,
        activity=facts.activity if names_activity else "",
        also=facts.also if lasting else "",
        slots=tuple(sorted(slots)),
    )


def fallback_signatures(signature: Signature) -> Iterator[Signature]:
    """The signature, then the less specific ones that may be used instead of it."""
    yield signature
    if signature.also or signature.activity:
        yield from _less_specific(signature)


@lru_cache(maxsize=4096)
def _less_specific(signature: Signature) -> tuple[Signature, ...]:
    found = []
    if signature.also:
        both = replace(signature, activity="")
        if signature.activity:
            found.append(both)
        found.append(replace(both, slots=_without_duration(signature.slots)))
        found.append(replace(signature, also=""))
    if signature.activity:
        found.append(replace(signature, activity="", also=""))
    return tuple(found)


def facts_of_signature(signature: Signature) -> Facts:
    """Facts that have this signature: what a sentence is asked for and verified with.

    A sentence without a slot of a span may be used for an event whose duration was not observed, so
    it is judged as if for one.
    """
    announcement = signature.announcement
    phase: Phase = "opened" if announcement == "late" else announcement  # type: ignore[assignment]
    situation: Situation = {"late": "late", "closed": "ended"}.get(announcement, "now")  # type: ignore[assignment]
    known = KINDS.get(signature.kind)
    unknown: Category = "technical" if signature.kind == "other_technical" else "clinical"
    category = known.category if known else unknown
    return Facts(
        kind=signature.kind,
        category=category,
        direction=signature.direction,
        phase=phase,
        situation=situation,
        late=announcement == "late",
        announcement=announcement,
        priority="high",  # the longest action, so that no other makes a text too long
        activity=signature.activity or "unknown",  # type: ignore[arg-type]
        reason="",
        audience=signature.audience,
        locale=signature.locale,
        synthetic=False,
        slots=signature.slots,
        duration_observed=category == "technical" or not SPAN_SLOTS.isdisjoint(signature.slots),
        also=signature.also,
    )


def every_signature(locale: str = "en") -> Iterator[Signature]:
    """Every signature that the phrasebook is built for, in a fixed order.

    Each sentence that the tables have gives one. For patients come, while a clinical finding lasts,
    what they were doing, with the slots of the fullest sentence, and what else was found, with
    those but for the span. Rows that are chosen by a reason have none.
    """
    for who in get_args(Audience):
        for (kind, direction), block in tables.audience(locale, who).blocks.items():
            if kind in tables.rows_of_reasons():
                continue
            for announcement, sentences in block.seen.items():
                plain = Signature(
                    locale=locale,
                    audience=who,
                    kind=kind,
                    direction=direction,
                    announcement=announcement,
                )
                sets = dict.fromkeys(tuple(sorted(sentence.slots)) for sentence in sentences)
                for slots in sets:
                    yield replace(plain, slots=slots)
                if who == "patient" and announcement in LASTING:
                    yield from _with_circumstances(replace(plain, slots=next(iter(sets))))


def _with_circumstances(plain: Signature) -> Iterator[Signature]:
    """The signatures that also name the activity or a further finding."""
    if _depends_on_activity(plain.kind):
        for activity in ANNOUNCED_ACTIVITIES:
            yield replace(plain, activity=activity)
    if plain.kind in tables.COMBINED_KINDS and plain.direction in _WAYS:
        for also in companions(plain.kind):
            yield replace(plain, also=also, slots=_without_duration(plain.slots))


def _depends_on_activity(kind: str) -> bool:
    """Whether the activity is relevant to a finding: not to a trend over days."""
    known = KINDS.get(kind)
    return known is not None and known.category == "clinical" and known.cause != "trend"


def _without_duration(slots: tuple[str, ...]) -> tuple[str, ...]:
    """Without the span: two findings and both slots are too much for one sentence."""
    return tuple(slot for slot in slots if slot != "duration")


def companions(kind: str) -> Iterator[str]:
    """The findings that can be announced with a kind: those about other signals."""
    for other, row in KINDS.items():
        direction = tables.kinds()[other].direction
        apart = set(row.signals).isdisjoint(KINDS[kind].signals)
        if not apart or row.category != "clinical" or other not in tables.COMBINED_KINDS:
            continue
        for way in _WAYS if direction == "measured" else (direction,):
            yield f"{other}.{way}"


def _is_known(signature: Signature) -> bool:
    if signature.locale not in tables.LOCALES or signature.audience not in get_args(Audience):
        return False
    blocks = tables.audience(signature.locale, signature.audience).blocks
    also = tuple(signature.also.split("."))
    return (
        (signature.kind, signature.direction) in blocks
        and signature.kind not in tables.rows_of_reasons()
        and (not signature.also or also in blocks)
        and signature.announcement in tables.ANNOUNCEMENTS
        and signature.activity in {"", *ANNOUNCED_ACTIVITIES}
    )
