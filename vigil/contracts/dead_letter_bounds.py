"""How much of a message a dead letter keeps, so that the letter itself can always be sent.

Every part is bounded by itself and the sum lies well below what the topic takes
(:data:`vigil.contracts.topics.LARGEST_MESSAGE`), counted before compression. What is cut is said in
a header, with the size that it had. A message within the bounds is kept byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

Headers = list[tuple[str, bytes]]

LARGEST_VALUE = 3 * 1_048_576
"""Bytes of the value that are kept."""
LARGEST_KEY = 65_536
LARGEST_HEADERS = 393_216
"""Bytes of all headers together, names as they stand in the letter."""
MOST_HEADERS = 1024
LARGEST_DETAIL = 2000
"""Bytes of the reason in words."""
PREFIX = "original_"
"""Before the name of each header that the message had."""
CUT_VALUE, CUT_KEY, CUT_HEADERS = "vigil_cut", "vigil_cut_key", "vigil_cut_headers"
"""Headers that say what was cut: the original's bytes; of headers, their number and bytes."""


class HeadersSize(NamedTuple):
    """How many headers a message had, and how large they were as they came."""

    number: int
    size: int


class Kept(NamedTuple):
    """What is kept of a message."""

    key: bytes | None
    value: bytes
    headers: Headers
    """The original's, under their names in the letter, and the marks of what was cut."""


def kept(
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    whole: HeadersSize | None = None,
    largest_value: int = LARGEST_VALUE,
) -> Kept:
    """A message within the bounds.

    Args:
        headers: as they came; where ``whole`` is given, perhaps the first of them only.
        whole: how many there were, and how large.

    >>> kept(b"p1", b"{}", [("ce_id", b"7")])
    Kept(key=b'p1', value=b'{}', headers=[('original_ce_id', b'7')])
    """
    value = value or b""
    within, all_of_them = _within(headers)
    if whole is None:
        whole = HeadersSize(len(headers), sum(len(n.encode()) + len(v or b"") for n, v in headers))
    marks: Headers = []
    if len(value) > largest_value:
        marks.append((CUT_VALUE, str(len(value)).encode()))
    if key is not None and len(key) > LARGEST_KEY:
        marks.append((CUT_KEY, str(len(key)).encode()))
    if not all_of_them or whole.number > len(within):
        marks.append((CUT_HEADERS, f"{whole.number} headers, {whole.size} bytes".encode()))
    return Kept(key and key[:LARGEST_KEY], value[:largest_value], [*within, *marks])


def _within(headers: Sequence[tuple[str, bytes | None]]) -> tuple[Headers, bool]:
    """The headers that fit, in order, and whether that is all of them. One that does not fit is
    left out whole, and smaller ones behind it are kept."""
    found: Headers = []
    room, whole = LARGEST_HEADERS, len(headers) <= MOST_HEADERS
    for name, value in headers[:MOST_HEADERS]:
        size = len(PREFIX) + len(name.encode()) + len(value or b"")
        if size > room:
            whole = False
            continue
        room -= size
        found.append((f"{PREFIX}{name}", value or b""))
    return found, whole


def shortened(text: str, largest: int = LARGEST_DETAIL) -> bytes:
    """Text in UTF-8, of so many bytes at most, no character cut in two.

    >>> shortened("äöü", 3)
    b'\\xc3\\xa4'
    """
    whole = text.encode("utf-8", "replace")
    return whole if len(whole) <= largest else whole[:largest].decode("utf-8", "ignore").encode()
