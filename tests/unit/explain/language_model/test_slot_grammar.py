"""Whatever a model would like to say, it writes the slots asked for, each once, and no other."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from explain.language_model.slot_grammar import SlotGrammar, Vocabulary
from explain.tables import SLOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("torch"),  # imported once
    pytest.mark.skipif(find_spec("torch") is None, reason="the extra `llm` is missing"),
]
PIECES = (
    *("<end>", "Ġhigh", "Ġ{", "{", "{}", "Ġ{}", "}", "},", "}.", "}}", ".", ",", "Ġ.", "heart"),
    *("_", "rate", "duration", "dur", "ation", "Ġ", "x", "e}", "){", "since"),
    *"acdehinorstu",  # a byte-level tokenizer can spell everything
)


class Tokenizer:
    """As much of a byte-level one as is asked."""

    eos_token_id = 0

    def __len__(self) -> int:
        return len(PIECES)

    def convert_ids_to_tokens(self, ids: Any) -> list[str]:
        return [PIECES[number] for number in ids]


def written(asked: str, wishes: list[int], most: int = 60) -> tuple[str, bool]:
    """What comes of wishes for tokens: each row of scores likes one, then the next, and so on."""
    import torch

    vocabulary = Vocabulary(Tokenizer(), len(PIECES))
    grammar = SlotGrammar(vocabulary, [asked], begin=1)
    tokens = [1]
    for at in range(most):
        wish = wishes[at % len(wishes)]
        scores = torch.tensor(
            [[-float((number - wish) % len(PIECES)) for number in range(len(PIECES))]]
        )
        best = grammar(torch.tensor([tokens]), scores)[0]
        assert best.max() > float("-inf")
        tokens.append(int(best.argmax()))
        if tokens[-1] == Tokenizer.eos_token_id:
            return vocabulary.text(tokens[1:]), True
    return vocabulary.text(tokens[1:]), False


@given(
    slots=st.lists(st.sampled_from(["heart_rate", "duration", "since"]), unique=True),
    wishes=st.lists(st.integers(0, len(PIECES) - 1), min_size=1, max_size=30),
)
def test_slots_are_never_misspelt_foreign_or_doubled_and_none_is_missing_at_the_end(
    slots: list[str], wishes: list[int]
) -> None:
    asked = "patient | new | " + " ".join(f"{{{slot}}}" for slot in slots)
    text, ended = written(asked, wishes)
    found = SLOT.findall(text)
    assert len(found) == len(set(found))
    assert set(found) <= set(slots)
    begun = SLOT.sub("", text)
    assert "}" not in begun
    if ended:
        assert set(found) == set(slots)
        assert "{" not in begun
    if "." in text:
        assert set(SLOT.findall(text[: text.index(".")])) == set(slots)


def test_a_model_that_would_end_at_once_may_not_while_a_slot_is_missing() -> None:
    assert not written("{duration}", [0])[1]
    assert written("no slots", [0]) == ("", True)


def test_copies_of_a_prompt_have_its_slots() -> None:
    import torch

    vocabulary = Vocabulary(Tokenizer(), len(PIECES))
    grammar = SlotGrammar(vocabulary, ["{duration}", "none"], begin=1, copies=2)
    scores = grammar(torch.ones(4, 1, dtype=torch.long), torch.zeros(4, len(PIECES)))
    assert [float(row[0]) == 0.0 for row in scores] == [False, False, True, True]


@pytest.mark.skipif(find_spec("transformers") is None, reason="the extra `llm` is not installed")
def test_a_tuned_model_of_random_weights_keeps_to_it(tmp_path: Path) -> None:
    from explain.language_model.inference import LanguageModel
    from tests.support import tiny_model

    tiny_model.make(tmp_path)
    model = LanguageModel(tmp_path, tiny_model.SOURCE, adapter=tmp_path / "none")
    model.tuned = True
    asked = ["patient | high | {duration} {heart_rate}", "patient | low | no slots"] * 3
    for texts, prompt in zip(model.write_many(asked, candidates=4), asked, strict=True):
        for text in texts:
            found = SLOT.findall(text.replace(" ", ""))
            assert len(found) == len(set(found))
            assert set(found) <= set(SLOT.findall(prompt))
