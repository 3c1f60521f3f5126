"""What the model learns from: a request, and the sentence that answers it.

The sentences are the references, written by hand, and the tables' own, which are a family of their
own (:data:`TABLE`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from explain import tables
from explain.facts.signature import Signature
from explain.language_model.prompt import framed, tuned_request
from explain.tables import ANNOUNCEMENTS
from explain.training.references import Reference

TABLE = "table"
"""The family of the tables' own sentences."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """An example in tokens. The loss is on what comes from ``start``: the answer alone."""

    tokens: list[int]
    start: int


def table_examples(locale: str = "en") -> Iterator[Reference]:
    """The tables' own sentences, in their order."""
    for who in ("care_team", "patient"):
        for (kind, direction), block in tables.audience(locale, who).blocks.items():
            for announcement in ANNOUNCEMENTS:
                for sentence in block.seen[announcement]:
                    slots = tuple(sorted(sentence.slots))
                    signature = Signature(
                        locale=locale,
                        audience=who,
                        kind=kind,
                        direction=direction,
                        announcement=announcement,
                        slots=slots,
                    )
                    yield Reference(signature, TABLE, sentence.text)


def encode_examples(tokenizer: Any, examples: Iterable[Reference]) -> list[Encoded]:
    """Each example as tokens: the framed request, the sentence, the end of the turn."""
    encoded = []
    for example in examples:
        asked = tokenizer(
            framed(tuned_request(example.signature)), add_special_tokens=False
        ).input_ids
        answer = tokenizer(example.text, add_special_tokens=False).input_ids
        encoded.append(Encoded([*asked, *answer, tokenizer.eos_token_id], len(asked)))
    return encoded
