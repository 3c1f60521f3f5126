"""Reads whether a sensor has contact, however a sender spells it."""

from __future__ import annotations

from vigil.values.numbers import finite_number

_FLAGS: dict[str, bool] = {
    **dict.fromkeys(("true", "t", "yes", "y"), True),
    **dict.fromkeys(("false", "f", "no", "n"), False),
}
"""Spellings of a flag, in lower case, as spreadsheets and data frames write them; beside 0 and 1,
with or without decimals."""
_ABSENT = frozenset({"", "nan", "na", "n/a", "<na>", "null", "none"})
"""Spellings of "not known", in lower case. Anything else is a flag that cannot be read."""


class UnreadableFlagError(ValueError):
    """It is neither a flag nor "not known"."""


def read_flag(words: object) -> bool | None:
    """The flag of a decoded JSON value or of a file's cell; None: it is not known.

    Raises:
        UnreadableFlagError: it cannot be read.

    >>> [read_flag(words) for words in (True, 0, 1.0, "FALSE", " no ", "0.00", "n/a", None)]
    [True, False, True, False, False, False, None, None]
    >>> read_flag("perhaps")
    Traceback (most recent call last):
    ingest.contact_flag.UnreadableFlagError: 'perhaps'
    """
    if words is None or isinstance(words, bool):
        return words
    text = words.strip().lower() if isinstance(words, str) else None
    if text in _ABSENT:
        return None
    if text in _FLAGS:
        return _FLAGS[text]
    value = finite_number(words) if text is None else _number(text)
    if value not in {0.0, 1.0}:
        raise UnreadableFlagError(repr(words)[:40])
    return value == 1.0


def _number(text: str) -> float | None:
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
