"""Good sentences made wrong, each in one named way: what the verifier has to refuse.

The good ones are our references and the sentences of the tables. A mutation is made only where the
result is an error for certain; where a changed sentence could still be true it is not made, and the
function returns None.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from random import Random
from types import MappingProxyType
from typing import get_args

from explain import tables
from explain.evaluation.mutations import claims, slots
from explain.evaluation.mutations import forms as form
from explain.evaluation.mutations.insertions import INSERTED, inserted
from explain.facts.signature import Signature
from explain.training.references import load_references
from vigil.domain.alert import Audience

Mutation = Callable[[Signature, str, Random], str | None]
"""A signature, a good sentence for it and a source of chance → the wrong sentence, or None."""
TRIES = 2_000
"""Sentences looked at for one mutation before its kind is given up."""

MUTATIONS: MappingProxyType[str, Mutation] = MappingProxyType(
    {
        "direction_flipped": claims.direction_flipped,
        "negation_added": claims.negation_added,
        "negation_removed": claims.negation_removed,
        "end_claimed": claims.end_claimed,
        "end_removed": claims.end_removed,
        "slot_dropped": slots.dropped,
        "slot_doubled": slots.doubled,
        "slot_renamed": slots.renamed,
        "slot_swapped": slots.swapped,
        **{kind: inserted(kind) for kind in INSERTED},
        "other_event_named": claims.other_event_named,
        "event_unnamed": claims.event_unnamed,
        "markup_inserted": form.markup_inserted,
        "control_character": form.control_character,
        "wrong_audience": claims.wrong_audience,
        "other_language": form.other_language,
        "too_long": form.too_long,
        "context_claimed": claims.context_claimed,
        "duration_claimed": claims.duration_claimed,
    }
)
"""Kind of error → what makes it."""


def mutate(seed: int, count: int) -> list[tuple[str, Signature, str]]:
    """So many wrong sentences, as evenly over the kinds as can be: kind, signature, sentence.

    The same seed and the same good sentences always give the same list; no sentence stands in it
    twice for one kind.
    """
    chance = Random(seed)
    mutated: dict[tuple[str, str, str], tuple[str, Signature, str]] = {}
    exhausted: set[str] = set()
    for kind in cycle(MUTATIONS):
        if len(mutated) >= count or len(exhausted) == len(MUTATIONS):
            break
        if kind not in exhausted:
            for signature, text in _mutated(kind, chance):
                key = (kind, signature.key, text)
                if key not in mutated:
                    mutated[key] = (kind, signature, text)
                    break
            else:
                exhausted.add(kind)
    return list(mutated.values())


def _mutated(kind: str, chance: Random) -> Iterator[tuple[Signature, str]]:
    """Good sentences drawn by chance and made wrong in one way."""
    every = good_sentences()
    for _ in range(TRIES):
        signature, text = chance.choice(every)
        wrong = MUTATIONS[kind](signature, text, chance)
        if wrong is not None and wrong != text:
            yield signature, wrong


@cache
def good_sentences() -> tuple[tuple[Signature, str], ...]:
    """Every good sentence that there is: the references', then the tables'."""
    written = [(one.signature, one.text) for one in load_references()]
    return tuple(dict.fromkeys([*written, *_table_sentences()]))


def _table_sentences() -> Iterator[tuple[Signature, str]]:
    for who in get_args(Audience):
        for (kind, direction), block in tables.audience("en", who).blocks.items():
            for announcement, sentences in block.seen.items():
                for sentence in sentences:
                    used = tuple(sorted(sentence.slots))
                    yield (
                        Signature(
                            locale="en",
                            audience=who,
                            kind=kind,
                            direction=direction,
                            announcement=announcement,
                            slots=used,
                        ),
                        sentence.text,
                    )
