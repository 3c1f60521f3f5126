"""Sentences that the verifier is measured on and was not written against: good ones and bad ones.

They were written by hand, by somebody who had not read the verifier, its words or its tests, and
are not in the training data. A good sentence may be used for its signature; a bad one may not,
for the one reason that it is filed under.

There are two sets. The verifier's rules were corrected with what they judged wrongly of the first.
Of the second, the fresh one, two wrong sentences were corrected after its figures had been taken.
Four good ones claimed a duration without a slot for it ("for some time"); they were reworded when
a duration that was not observed became an error.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from explain.facts.signature import Signature, parse_signature


@dataclass(frozen=True, slots=True)
class Good:
    """A sentence that may be used for its signature."""

    signature: Signature
    text: str


@dataclass(frozen=True, slots=True)
class Bad:
    """A sentence that may not be used for its signature."""

    signature: Signature
    text: str
    kind: str
    """What is wrong with it, as ``direction_flipped``; the name of its table in ``bad.toml``."""


@cache
def good() -> tuple[Good, ...]:
    """Every good sentence of the first set, in the order of the file.

    Raises:
        ValueError: a key is no signature of this version.
    """
    return _good("good.toml")


@cache
def bad() -> tuple[Bad, ...]:
    """Every bad sentence of the first set, in the order of the file.

    Raises:
        ValueError: a key is no signature of this version.
    """
    return _bad("bad.toml")


@cache
def fresh_good() -> tuple[Good, ...]:
    """Every good sentence that the rules were not corrected with, in the order of the file.

    Written after the rules, without a look at them or at the first set, and judged only then.

    Raises:
        ValueError: a key is no signature of this version.
    """
    return _good("fresh_good.toml")


@cache
def fresh_bad() -> tuple[Bad, ...]:
    """Every bad sentence that the rules were not corrected with, in the order of the file.

    Written as those of :func:`fresh_good`.

    Raises:
        ValueError: a key is no signature of this version.
    """
    return _bad("fresh_bad.toml")


def _good(name: str) -> tuple[Good, ...]:
    lists: dict[str, list[str]] = _read(name)
    return tuple(Good(parse_signature(key), text) for key, texts in lists.items() for text in texts)


def _bad(name: str) -> tuple[Bad, ...]:
    kinds: dict[str, dict[str, list[str]]] = _read(name)
    return tuple(
        Bad(parse_signature(key), text, kind)
        for kind, lists in kinds.items()
        for key, texts in lists.items()
        for text in texts
    )


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__name__).joinpath(name).read_text("utf-8"))
