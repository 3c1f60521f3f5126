"""Text that somebody typed, kept from turning the text around it (Unicode Standard Annex 9).

A name may hold marks that change the direction of what follows: an override that is never ended
writes the rest of the line backwards. In HTML a ``<bdi>`` keeps them in; in plain text (a title, an
attribute, a terminal, a message to on-call staff) the text stands between two isolating marks. What
is not ended within the text is ended at its end, and what ends nothing of its own is left out: it
would end the isolation itself.
"""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

FSI, PDI = "\u2068", "\u2069"
"""First strong isolate: the text's own direction; and the end of it."""
_PDF = "\u202c"
_ENDED_BY = {
    **dict.fromkeys("\u202a\u202b\u202d\u202e", _PDF),  # embeddings and overrides
    **dict.fromkeys("\u2066\u2067\u2068", PDI),  # isolates
}
_MARKS = re.compile("[\u202a-\u202e\u2066-\u2069]")
_NEEDS = frozenset({"R", "AL", "AN"})
"""Classes of characters that move their neighbours in a line from left to right."""
_PLAIN = re.compile(r"[\x20-\x7e\xa0-\u024f]*")
"""Most names: nothing in them moves anything."""


def closed(text: str) -> str:
    """The text, with what it begins ended in it, and nothing ended that it did not begin.

    >>> closed("Ann\\u202e Lee") == "Ann\\u202e Lee\\u202c"
    True
    >>> closed("Ann\\u2069 Lee\\u202c")
    'Ann Lee'
    """
    if not _MARKS.search(text):
        return text
    found: list[str] = []
    open_: list[str] = []  # what ends what is open, the innermost last
    for character in text:
        if character in _ENDED_BY:
            open_.append(_ENDED_BY[character])
        elif character == PDI:
            if PDI not in open_:
                continue
            while open_[-1] != PDI:  # an isolate's end ends the embeddings in it
                found.append(open_.pop())
            open_.pop()
        elif character == _PDF:
            if not open_ or open_[-1] != _PDF:
                continue
            open_.pop()
        found.append(character)
    return "".join([*found, *reversed(open_)])


def turns(text: str) -> bool:
    """Whether the text could move what stands beside it in a line from left to right.

    >>> turns("Ann Lee"), turns("\u05d0\u05d1"), turns("Ann\u202e")
    (False, True, True)
    """
    if _PLAIN.fullmatch(text):
        return False
    return bool(_MARKS.search(text)) or any(unicodedata.bidirectional(c) in _NEEDS for c in text)


def element(text: object) -> Markup:
    """The text for a page. What cannot move anything stays without an element.

    >>> element("Ann <3"), element("\u05d0")
    (Markup('Ann &lt;3'), Markup('<bdi>\u05d0</bdi>'))
    """
    shown = str(text)
    return Markup("<bdi>{}</bdi>").format(closed(shown)) if turns(shown) else escape(shown)


def isolated(text: str) -> str:
    """The text for the middle of a plain one. What cannot move anything stays as it is.

    >>> isolated("Ann Lee")
    'Ann Lee'
    >>> isolated("\u05d0\u05d1") == "\u2068\u05d0\u05d1\u2069"
    True
    """
    return f"{FSI}{closed(text)}{PDI}" if turns(text) else text
