"""Sentences for *what we saw*, written by hand: training and test data of the language model.

The files of this folder are described in its ``README.md``.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from msgspec.structs import replace

from explain import tables
from explain.facts.signature import ANNOUNCED_ACTIVITIES, Signature
from explain.tables import Announcement, Direction
from vigil.domain.alert import Audience

_Lists = dict[str, list[tuple[str, str]]]
_File = dict[Audience, dict[str, dict[Direction, dict[Announcement, _Lists]]]]

ALSO = "with."
"""Begins the key of sentences that name a further finding: ``with.<kind>.<direction>``."""


@dataclass(frozen=True, slots=True)
class Reference:
    """One sentence, its signature, and the family of phrasing that it belongs to."""

    signature: Signature
    family: str
    text: str


@cache
def load_references() -> tuple[Reference, ...]:
    """Every reference, file by file in the order of their names, each as it stands there.

    Raises:
        ValueError: a file holds a key that is none of the format's.
    """
    names = sorted(f.name for f in files(__name__).iterdir() if f.name.endswith(".toml"))
    return tuple(reference for name in names for reference in _read_file(name))


def _read_file(name: str) -> Iterator[Reference]:
    text = files(__name__).joinpath(name).read_text("utf-8")
    raw: _File = tomllib.loads(text)  # type: ignore[assignment]
    for who, kinds in raw.items():
        for kind, directions in kinds.items():
            for direction, announcements in directions.items():
                for announcement, lists in announcements.items():
                    plain = Signature(
                        locale="en",
                        audience=who,
                        kind=kind,
                        direction=direction,
                        announcement=announcement,
                    )
                    yield from _references_of_block(plain, lists)


def _references_of_block(plain: Signature, lists: _Lists) -> Iterator[Reference]:
    """The sentences of one block and announcement, in any of its circumstances."""
    for key, sentences in lists.items():
        base = _circumstance(plain, key)
        for family, text in sentences:
            slots = tuple(sorted(tables.slots_of(text)))
            yield Reference(replace(base, slots=slots), family, text)


def _circumstance(plain: Signature, key: str) -> Signature:
    if key == "sentences":
        return plain
    if key in ANNOUNCED_ACTIVITIES:
        return replace(plain, activity=key)
    if key.startswith(ALSO):
        return replace(plain, also=key.removeprefix(ALSO))
    raise ValueError(f"{key!r} is no list of references")
