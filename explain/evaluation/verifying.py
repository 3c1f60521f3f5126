"""Measures the verifier: good sentences that it refuses, wrong ones that it passes.

Two trials: mutations of our references, each wrong in one named way, and sentences that were
written by hand by somebody who had not read the rules (:mod:`explain.evaluation.held_out`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from explain.facts.signature import Signature
from explain.phrasebook.book import judge_sentence


@dataclass(frozen=True, slots=True)
class Trial:
    """Sentences judged, and those that were judged wrongly."""

    name: str
    good: int
    refused: list[tuple[str, str, str]]
    """Good sentences that were refused: signature, sentence, codes."""
    wrong: dict[str, int]
    """Kind of error → sentences with it."""
    missed: list[tuple[str, str, str]]
    """Wrong sentences that passed: kind of error, signature, sentence."""

    def missed_of(self, kind: str) -> int:
        """How many sentences with a kind of error passed."""
        return sum(kind == each for each, _, _ in self.missed)


def run_trial(
    name: str,
    good: Iterable[tuple[Signature, str]],
    wrong: Iterable[tuple[str, Signature, str]],
) -> Trial:
    """Judge every sentence."""
    refused, missed = list[tuple[str, str, str]](), list[tuple[str, str, str]]()
    counted, kinds = 0, Counter[str]()
    for signature, text in good:
        counted += 1
        codes = judge_sentence(signature, text)
        if codes:
            refused.append((signature.key, text, " ".join(codes)))
    for kind, signature, text in wrong:
        kinds[kind] += 1
        if not judge_sentence(signature, text):
            missed.append((kind, signature.key, text))
    return Trial(
        name=name, good=counted, refused=refused, wrong=dict(sorted(kinds.items())), missed=missed
    )
