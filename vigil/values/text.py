"""Which text is accepted from outside: what every later stage can store, send and show.

PostgreSQL stores no NUL in a text and no escaped NUL or half surrogate pair in a ``jsonb``; UTF-8
has no half pair; a control character is invisible to readers and has an effect on terminals. So all
of them are refused at the entrance, with an error for the sender.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_HALF_PAIR = "\ud800-\udfff"
_IN_A_LINE = re.compile(f"[\x00-\x1f\x7f-\x9f{_HALF_PAIR}]")
_IN_LINES = re.compile(f"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f{_HALF_PAIR}]")


def find_flaw(text: str, *, lines: bool = False) -> str | None:
    """Why a text is not accepted, repeating nothing of it; None: it is.

    Refused: NUL and the other control characters of ASCII and Latin-1 (C0, DEL, C1; Unicode 17.0,
    §23.1), and half of a surrogate pair.

    Args:
        lines: accept tabs and line breaks.

    >>> find_flaw("Grüße 🙂"), find_flaw("one\\ntwo", lines=True)
    (None, None)
    >>> find_flaw("one\\ntwo")
    'a control character (U+000A)'
    >>> find_flaw("a\\x00b"), find_flaw("\\ud83d")
    ('a NUL character', 'half of a surrogate pair')
    """
    found = (_IN_LINES if lines else _IN_A_LINE).search(text)
    if found is None:
        return None
    point = ord(found[0])
    if point == 0:
        return "a NUL character"
    if 0xD800 <= point <= 0xDFFF:
        return "half of a surrogate pair"
    return f"a control character (U+{point:04X})"


def _line(text: str) -> str:
    return _taken(text, lines=False)


def _lines(text: str) -> str:
    return _taken(text, lines=True)


def _taken(text: str, *, lines: bool) -> str:
    why = find_flaw(text, lines=lines)
    if why is not None:
        raise ValueError(f"it contains {why}")
    return text


Line = Annotated[str, AfterValidator(_line)]
"""Text of one line, for a pydantic model or a parameter of a route."""
Lines = Annotated[str, AfterValidator(_lines)]
"""Text that may have line breaks and tabs."""
