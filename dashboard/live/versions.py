"""What a browser shows, by a name derived from its content, and what has changed since.

A browser names its version of a page instead of listing every fragment. The name is a digest of the
content, so it is the same in every web process, and each process knows the newest ones that it
read. A version that is not known (the process was restarted, or another one sent it) is no fault:
the browser is asked for its list.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dashboard.board.rows import Fragment, digest_text

MOST_VERSIONS = 200
"""Versions that a process knows, about 35 kB each of a board of 500 rows. A browser's is one of the
newest, since it receives every change."""

Row = tuple[str, str]
"""Key and digest of a fragment."""


class Shown(NamedTuple):
    """What a browser shows."""

    rows: tuple[Row, ...]
    head: str
    """Digest of the head; empty: not known."""

    @property
    def version(self) -> str:
        """Its name: the same content has the same name everywhere."""
        return digest_text("\0".join([self.head, *(part for row in self.rows for part in row)]))


@dataclass(frozen=True, slots=True)
class Difference:
    """What turns one order of rows into another."""

    gone: Sequence[str]
    places: Sequence[Row]
    """Rows that are new or moved, in their new order, each with the key of the row before it;
    empty: it is the first."""


class Versions:
    """The newest versions that this process read, of all pages."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Shown] = OrderedDict()

    def remember(self, fragments: Iterable[Fragment], head: str) -> Shown:
        """The version of a page's content, known from now on."""
        rows = tuple((piece.key, piece.digest) for piece in fragments)
        shown = Shown(rows, digest_text(head))
        self._known[shown.version] = shown
        self._known.move_to_end(shown.version)
        if len(self._known) > MOST_VERSIONS:
            self._known.popitem(last=False)
        return shown

    def find(self, start: Mapping[str, Any]) -> Shown | None:
        """What a browser shows, by its request: its list, or its version. None: not known."""
        seen = start.get("seen")
        if seen is not None:
            return Shown(tuple((str(key), str(digest)) for key, digest in seen), "")
        return self._known.get(str(start.get("version") or ""))


def make_piece(fragment: Fragment, had: str | None) -> dict[str, Any]:
    """What turns a browser's fragment into this one.

    Args:
        had: the digest of the browser's; None: it has none of this key.
    """
    piece = {"css": fragment.css, "digest": fragment.digest}
    old, new = (had or "").split(".")[1:], fragment.digest.split(".")[1:]
    if not old or not fragment.parts:
        return {**piece, "html": fragment.html}
    changed = [
        [place, fragment.parts[place]]
        for place, digest in enumerate(new)
        if place >= len(old) or digest != old[place]
    ]
    return {**piece, "parts": changed, "of": len(new)}


def find_difference(before: Sequence[Row], after: Sequence[Row]) -> Difference:
    """The fewest moves from one order to another."""
    places = {key: place for place, (key, _) in enumerate(before)}
    keys = [key for key, _ in after]
    kept = _longest_rising({key: places[key] for key in keys if key in places})
    moved = [
        (key, previous) for previous, key in zip(["", *keys], keys, strict=False) if key not in kept
    ]
    return Difference(gone=sorted(places.keys() - set(keys)), places=moved)


def _longest_rising(places: Mapping[str, int]) -> set[str]:
    """The most keys whose places rise, in the mapping's order: the rows that need not move."""
    ends: list[int] = []  # of the best sequence of each length, the place where it ends
    last: list[str] = []  # … and its key
    previous: dict[str, str | None] = {}
    for key, place in places.items():
        length = bisect_left(ends, place)
        previous[key] = last[length - 1] if length else None
        ends[length : length + 1] = [place]
        last[length : length + 1] = [key]
    kept: set[str] = set()
    key_or_none = last[-1] if last else None
    while key_or_none is not None:
        kept.add(key_or_none)
        key_or_none = previous[key_or_none]
    return kept
