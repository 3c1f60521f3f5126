"""How much of a message a dead letter keeps, so that the dead letter itself can always be sent.

Every part has a bound of its own and the sum is well below what the topic accepts
(:data:`vigil.contracts.topics.LARGEST_MESSAGE`), before compression. A header names what was cut,
with its original size. A message within the bounds is kept byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Headers = list[tuple[str, bytes]]

LARGEST_VALUE = 3 * 1_048_576
"""Bytes of the value that are kept."""
LARGEST_KEY = 65_536
LARGEST_HEADERS = 393_216
"""Bytes of all headers together, with their names in the dead letter."""
MOST_HEADERS = 1024
LARGEST_DETAIL = 2000
"""Bytes of the reason's text."""
PREFIX = "original_"
"""Prefix of the name of each header that the message had."""
CUT_VALUE, CUT_KEY, CUT_HEADERS = "vigil_cut", "vigil_cut_key", "vigil_cut_headers"
"""Headers that name what was cut: the original's bytes; of headers, their number and bytes."""


@dataclass(frozen=True, slots=True)
class HeadersSize:
    """The number of a message's headers, and their bytes as they were received."""

    number: int
    size: int


@dataclass(frozen=True, slots=True)
class Bounded:
    """What is kept of a message."""

    key: bytes | None
    value: bytes
    headers: Headers
    """The original's, under their names in the dead letter, and the marks of what was cut."""


def cut_to_bounds(
    key: bytes | None,
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    *,
    whole: HeadersSize | None = None,
    largest_value: int = LARGEST_VALUE,
) -> Bounded:
    """Cut a message to the bounds.

    Args:
        headers: as they were received; if ``whole`` is given, perhaps only the first of them.
        whole: the number and size of all headers.
        largest_value: bytes of the value that are kept.

    >>> cut_to_bounds(b"p1", b"{}", [("ce_id", b"7")])
    Bounded(key=b'p1', value=b'{}', headers=[('original_ce_id', b'7')])
    """
    value = value or b""
    within = _select_headers(headers)
    if whole is None:
        whole = HeadersSize(len(headers), sum(len(n.encode()) + len(v or b"") for n, v in headers))
    marks: Headers = []
    if len(value) > largest_value:
        marks.append((CUT_VALUE, str(len(value)).encode()))
    if key is not None and len(key) > LARGEST_KEY:
        marks.append((CUT_KEY, str(len(key)).encode()))
    if whole.number > len(within) or len(headers) > len(within):
        marks.append((CUT_HEADERS, f"{whole.number} headers, {whole.size} bytes".encode()))
    return Bounded(key and key[:LARGEST_KEY], value[:largest_value], [*within, *marks])


def _select_headers(headers: Sequence[tuple[str, bytes | None]]) -> Headers:
    """The headers that fit, in order. One that does not fit is left out whole, and smaller ones
    behind it are kept."""
    found: Headers = []
    room = LARGEST_HEADERS
    for name, value in headers[:MOST_HEADERS]:
        size = len(PREFIX) + len(name.encode()) + len(value or b"")
        if size <= room:
            room -= size
            found.append((f"{PREFIX}{name}", value or b""))
    return found


def shorten_text(text: str, largest: int = LARGEST_DETAIL) -> bytes:
    """Text in UTF-8, of ``largest`` bytes at most, no character cut in two.

    >>> shorten_text("äöü", 3)
    b'\\xc3\\xa4'
    """
    whole = text.encode("utf-8", "replace")
    return whole if len(whole) <= largest else whole[:largest].decode("utf-8", "ignore").encode()
