"""A sentence of the phrasebook, and which of two revisions of it holds."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from vigil.domain.encoding import encode
from vigil.domain.reading import Timestamp


class Phrase(Struct, frozen=True, omit_defaults=True):
    """A sentence of the phrasebook: *what we saw*, with slots, and who stands for it."""

    phrase_id: str
    """UUIDv5 of signature and text: another wording is another phrase."""
    signature: str
    """What it can say: the key of an ``explain.facts.signature.Signature``."""
    text: str
    status: Literal["draft", "approved", "banned"]
    """``draft``: only the verifier has passed it; the others are a reviewer's word."""
    author: Literal["model", "person"]
    revision: int
    """0 as it was written, then up by one with each review; the highest holds."""
    time: Timestamp
    """When this revision was made."""
    by: str = ""
    """The user who reviewed it."""
    model: str = ""
    adapter: str = ""
    prompt_hash: str = ""
    replaces: str = ""
    """The phrase that this one was edited from."""


def precedence(phrase: Phrase) -> tuple[int, datetime, bytes]:
    """The greater holds: the higher revision; of two reviews at once the later; then the bytes.

    The bytes settle what is left, so that the order of arrival makes no difference.
    """
    return phrase.revision, phrase.time, encode(phrase)
