"""Sentences that the verifier is measured on and was not written against: good ones and bad ones.

They were written by hand, by somebody who had not read the verifier, its words or its tests, and
stay out of what the model learns from. A good sentence may say its signature; a bad one may not,
for the one reason that it is filed under.
"""

from __future__ import annotations

import tomllib
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any

from msgspec import Struct

from explain.signature import Signature, parse


class Good(Struct, frozen=True):
    """A sentence that may say its signature."""

    signature: Signature
    text: str


class Bad(Struct, frozen=True):
    """A sentence that claims a signature and may not say it."""

    signature: Signature
    text: str
    kind: str
    """What is wrong with it, as ``direction_flipped``; the name of its table in ``bad.toml``."""


@cache
def good() -> tuple[Good, ...]:
    """Every good sentence, in the order of the file.

    Raises:
        ValueError: a key is no signature of this version.
    """
    lists: dict[str, list[str]] = _read("good.toml")
    return tuple(Good(parse(key), text) for key, texts in lists.items() for text in texts)


@cache
def bad() -> tuple[Bad, ...]:
    """Every bad sentence, in the order of the file.

    Raises:
        ValueError: a key is no signature of this version.
    """
    kinds: dict[str, dict[str, list[str]]] = _read("bad.toml")
    return tuple(
        Bad(parse(key), text, kind)
        for kind, lists in kinds.items()
        for key, texts in lists.items()
        for text in texts
    )


def shown(text: str) -> bool:
    """Whether it is of the half of which the verifier's author saw what was judged wrongly.

    The rules were mended with that half; the other half was never seen, and is what counts.
    """
    return sha256(text.encode()).digest()[0] % 2 == 0


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files(__name__).joinpath(name).read_text("utf-8"))
