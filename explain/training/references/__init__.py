"""Sentences for *what we saw*, written by hand: what the language model learns and is held to.

The files beside this module are described in ``README.md`` there.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from msgspec import Struct
from msgspec.structs import replace

from explain import tables
from explain.facts.signature import TOLD_ACTIVITIES, Signature
from explain.tables import Direction, Telling
from vigil.domain.alert import Audience

_Lists = dict[str, list[tuple[str, str]]]
_File = dict[Audience, dict[str, dict[Direction, dict[Telling, _Lists]]]]

ALSO = "with."
"""Begins the key of sentences that name a further finding: ``with.<kind>.<direction>``."""


class Reference(Struct, frozen=True):
    """One sentence, what it says, and the family of phrasing that it belongs to."""

    signature: Signature
    family: str
    text: str


@cache
def load() -> tuple[Reference, ...]:
    """Every reference, file by file in the order of their names, each as it stands there.

    Raises:
        ValueError: a file holds a key that is none of the format's.
    """
    names = sorted(f.name for f in files(__name__).iterdir() if f.name.endswith(".toml"))
    return tuple(reference for name in names for reference in _of(name))


def _of(name: str) -> Iterator[Reference]:
    text = files(__name__).joinpath(name).read_text("utf-8")
    raw: _File = tomllib.loads(text)  # type: ignore[assignment]
    for who, kinds in raw.items():
        for kind, directions in kinds.items():
            for direction, tellings in directions.items():
                for telling, lists in tellings.items():
                    plain = Signature("en", who, kind, direction, telling)
                    yield from _told(plain, lists)


def _told(plain: Signature, lists: _Lists) -> Iterator[Reference]:
    """The sentences of one block and telling, in any of its circumstances."""
    for key, sentences in lists.items():
        base = _circumstance(plain, key)
        for family, text in sentences:
            slots = tuple(sorted(tables.slots_of(text)))
            yield Reference(replace(base, slots=slots), family, text)


def _circumstance(plain: Signature, key: str) -> Signature:
    if key == "sentences":
        return plain
    if key in TOLD_ACTIVITIES:
        return replace(plain, activity=key)
    if key.startswith(ALSO):
        return replace(plain, also=key.removeprefix(ALSO))
    raise ValueError(f"{key!r} is no list of references")
