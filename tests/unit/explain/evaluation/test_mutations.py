"""Good sentences made wrong: the same from the same seed, of every kind, and wrong for certain."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from explain.evaluation.mutations import MUTATIONS, claims, good_sentences, mutate
from explain.facts.signature import Signature

HIGH = Signature("en", "patient", "heart_rate_high", "above", "opened", slots=("heart_rate",))
OVER = Signature("en", "patient", "heart_rate_high", "above", "closed")
SILENT = Signature("en", "patient", "no_data", "none", "opened")
RESTING = Signature("en", "patient", "resting_heart_rate_raised", "above", "opened", "active")
CHANCE = Random(1)  # noqa: S311


def test_the_same_seed_gives_the_same_and_all_kinds_alike() -> None:
    made = mutate(7, 520)
    assert made == mutate(7, 520)
    assert made != mutate(8, 520)
    assert Counter(kind for kind, _, _ in made) == dict.fromkeys(MUTATIONS, 20)
    assert len(set(made)) == 520


def test_no_mutation_is_a_good_sentence() -> None:
    fine = set(good_sentences())
    assert not [row for row in mutate(9, 1_000) if (row[1], row[2]) in fine]


@pytest.mark.parametrize(
    ("mutation", "signature", "text", "wrong"),
    [
        (claims.direction_flipped, HIGH, "Your heart rate is high.", "Your heart rate is low."),
        (claims.direction_flipped, OVER, "It came down.", "It came down."),
        (claims.negation_added, HIGH, "Your heart rate is high.", "Your heart rate is not high."),
        (claims.negation_removed, OVER, "It is no longer high.", "It is high."),
        (claims.end_removed, OVER, "It is no longer high.", "It is still high."),
    ],
)
def test_claims(mutation: object, signature: Signature, text: str, wrong: str) -> None:
    assert mutation(signature, text, CHANCE) == wrong  # type: ignore[operator]


def test_what_may_still_be_true_is_not_made() -> None:
    assert claims.direction_flipped(SILENT, "It is high.", CHANCE) is None
    assert claims.negation_added(HIGH, "It is not low.", CHANCE) is None
    assert claims.negation_removed(HIGH, "It is high and has not changed.", CHANCE) is None
    assert claims.end_claimed(OVER, "It is no longer high.", CHANCE) is None
    assert claims.end_removed(HIGH, "It is high.", CHANCE) is None
    assert claims.context_claimed(RESTING, "It is raised.", CHANCE) is None
    assert claims.event_unnamed(SILENT, "Your device is silent.", CHANCE) is None
    observed = Signature("en", "patient", "heart_rate_high", "above", "opened", slots=("duration",))
    assert claims.duration_claimed(observed, "It is high for {duration}.", CHANCE) is None
    assert claims.duration_claimed(SILENT, "Your device is silent.", CHANCE) is None
