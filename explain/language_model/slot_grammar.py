"""Keeps a model to the slots that it was asked for while it writes: each once, and no other.

Grammar-constrained decoding (Geng et al., EMNLP 2023), for a grammar this small done by hand: of
the tokens that may come next, those that would misspell a slot, name another, repeat one, or end
the sentence while one is missing, are struck out. What stands around the slots is the model's own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from explain.tables import SLOT

_OPEN = re.compile(r"\{([^{}]*)$")
_WRITTEN = re.compile(r"\{([^{}]*)\}")
ENDS = ".!?"


class Vocabulary:
    """A tokenizer's tokens by what they mean for slots. Made once a model."""

    def __init__(self, tokenizer: Any, size: int):
        names = tokenizer.convert_ids_to_tokens(range(min(size, len(tokenizer))))
        self.size = size
        self.end = tokenizer.eos_token_id
        self.pieces = [(name or "").replace("Ġ", " ") for name in names]
        self.ids = {piece: number for number, piece in enumerate(self.pieces)}
        braces = [number for number, piece in enumerate(self.pieces) if set(piece) & set("{}")]
        opening = {number for number in braces if self.pieces[number].strip() == "{"}
        self.closing = [number for number in braces if "{" not in self.pieces[number]]
        ending = [number for number, piece in enumerate(self.pieces) if set(piece) & set(ENDS)]
        self.struck_while_lacking = sorted({*braces, *ending, self.end} - opening)
        """Outside a slot, while one is still to come."""
        self.struck_when_whole = braces
        """Outside a slot, once all are there."""

    def text(self, tokens: Sequence[int]) -> str:
        """The text of the tokens, up to the end."""
        pieces = []
        for token in tokens:
            if token == self.end:
                break
            pieces.append(self.pieces[token])
        return "".join(pieces)

    def inside(self, begun: str, lacking: set[str]) -> list[int]:
        """The tokens that go on with a slot that is open, towards one that is lacking."""
        allowed: set[int] = set()
        for name in lacking:
            if not name.startswith(begun):
                continue
            rest = f"{name[len(begun) :]}}}"
            parts = (rest[: end + 1] for end in range(len(rest)))
            allowed.update(self.ids[part] for part in parts if part in self.ids)
            allowed.update(self._closed(rest, last=lacking == {name}))
        return sorted(allowed)

    def _closed(self, rest: str, *, last: bool) -> list[int]:
        """Tokens that close the slot and add punctuation; a full stop only after the last slot."""
        found = []
        for number in self.closing:
            piece = self.pieces[number]
            after = piece[len(rest) :]
            if piece.startswith(rest) and "}" not in after and (last or not set(after) & set(ENDS)):
                found.append(number)
        return found


class SlotGrammar:
    """What ``generate`` calls before each token (a logits processor of transformers).

    Args:
        asked: the prompts, in order; of each its slots are those that must be written.
        begin: where the answers begin in the rows.
        copies: rows a prompt.
    """

    def __init__(self, vocabulary: Vocabulary, asked: Sequence[str], begin: int, copies: int = 1):
        self._vocabulary, self._begin, self._copies = vocabulary, begin, copies
        self._wanted = [frozenset(SLOT.findall(prompt)) for prompt in asked]

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """The scores, with what may not come next struck out."""
        for row, tokens in enumerate(input_ids[:, self._begin :].tolist()):
            if self._vocabulary.end in tokens:
                continue
            text = self._vocabulary.text(tokens)
            lacking = self._wanted[row // self._copies] - set(_WRITTEN.findall(text))
            begun = _OPEN.search(text)
            if begun:
                kept = self._vocabulary.inside(begun[1], set(lacking))
                if not kept:  # no token leads on: the verifier will refuse it
                    continue
                values = scores[row, kept]
                scores[row] = float("-inf")
                scores[row, kept] = values
            elif lacking:
                scores[row, self._vocabulary.struck_while_lacking] = float("-inf")
            else:
                scores[row, self._vocabulary.struck_when_whole] = float("-inf")
        return scores
