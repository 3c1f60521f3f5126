"""Bounds of everything that the store accepts apart from readings: times, sizes and numbers.

Every producer with access may write to a topic, and its schema allows more than a page can show: a
time in the year 1 or 9000, a number of 400 digits, a text of megabytes. A message outside these
bounds becomes a dead letter as a whole, so that no query ever meets it. Readings have bounds of
their own, value by value (:mod:`store.readings.rows`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from vigil.domain.encoding import encode
from vigil.domain.reading import Withdrawal
from vigil.values.clock import EARLIEST

LATEST = datetime(2200, 1, 1, tzinfo=UTC)
"""Times must be before it."""
LARGEST_NUMBER = 1e15
"""Largest absolute value; a float is exact for whole numbers below it."""
LONGEST_TEXT = 4000
"""Characters of one text: an id, a kind, a comment, a sentence, a reason."""
LARGEST_BYTES = 262_144
"""Size of one message as JSON: an event with all its evidence, an alert in all languages."""
LARGEST_WITHDRAWAL = 4 * 1_048_576
"""The same of a withdrawal, which holds thousands of readings."""
DEEPEST = 12
"""Levels of nested objects; our own evidence has four."""


def find_problem(content: msgspec.Struct) -> str:
    """Why a message's content is refused; empty: it is not."""
    try:
        size = len(encode(content))
    except UnicodeError:
        return "a text in it is not Unicode"
    largest = LARGEST_WITHDRAWAL if isinstance(content, Withdrawal) else LARGEST_BYTES
    if size > largest:
        return f"it has more than {largest} bytes"
    return next(_faults(msgspec.structs.asdict(content), 0), "")


def _faults(node: Any, depth: int) -> Iterator[str]:
    if depth > DEEPEST:
        yield f"its objects lie more than {DEEPEST} deep in each other"
    elif isinstance(node, str):
        if "\0" in node:
            yield "a text in it has a NUL"
        elif len(node) > LONGEST_TEXT:
            yield f"a text in it has more than {LONGEST_TEXT} characters"
    elif isinstance(node, datetime):
        if not EARLIEST <= node < LATEST:
            yield f"a time in it is not between the years {EARLIEST.year} and {LATEST.year}"
    elif isinstance(node, int | float):
        if not -LARGEST_NUMBER <= node <= LARGEST_NUMBER:
            yield f"a number in it is beyond {LARGEST_NUMBER:g}"
    else:
        for inner in _parts(node):
            yield from _faults(inner, depth + 1)


def _parts(node: Any) -> Iterable[Any]:
    if isinstance(node, msgspec.Struct):
        return msgspec.structs.asdict(node).values()
    if isinstance(node, Mapping):
        return [*node.keys(), *node.values()]
    return node if isinstance(node, list | tuple) else ()
