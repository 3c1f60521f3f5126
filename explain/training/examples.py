"""What the model learns from: a request, and the sentence that answers it.

The sentences are the references, written by hand, and the tables' own, which are a family of their
own (:data:`TABLE`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct

from explain import tables
from explain.facts.signature import Signature
from explain.language_model.frame import framed
from explain.language_model.prompt import request
from explain.tables import TELLINGS
from explain.training.references import Reference

TABLE = "table"
"""The family of the tables' own sentences."""


class Encoded(Struct, frozen=True):
    """An example in tokens. The loss is on what comes from ``start``: the answer alone."""

    tokens: list[int]
    start: int


def of_tables(locale: str = "en") -> Iterator[Reference]:
    """The tables' own sentences, in their order."""
    for who in ("care_team", "patient"):
        for (kind, direction), block in tables.audience(locale, who).blocks.items():
            for telling in TELLINGS:
                for sentence in block.seen[telling]:
                    slots = tuple(sorted(sentence.slots))
                    signature = Signature(locale, who, kind, direction, telling, slots=slots)
                    yield Reference(signature, TABLE, sentence.text)


def encode(tokenizer: Any, examples: Iterable[Reference]) -> list[Encoded]:
    """Each example as tokens: the framed request, the sentence, the end of the turn."""
    made = []
    for example in examples:
        asked = tokenizer(framed(request(example.signature)), add_special_tokens=False).input_ids
        said = tokenizer(example.text, add_special_tokens=False).input_ids
        made.append(Encoded([*asked, *said, tokenizer.eos_token_id], len(asked)))
    return made
