"""The lexicon's patterns are written so that ``re`` is quick; they find what the plain lists do."""

from __future__ import annotations

import re
import string
import sys

import pytest

from explain import tables
from explain.verifier.lexicon import _topics, compile_words, initial_characters


def test_a_first_letter_is_all_that_matches_it_when_case_is_ignored() -> None:
    characters = "".join(map(chr, range(sys.maxunicode + 1)))
    for initial in string.ascii_letters:
        matching = re.findall(initial, characters, re.IGNORECASE)
        assert sorted(initial_characters(initial)) == sorted(matching)


@pytest.mark.parametrize("word", ["as?", "a|b", "a(?:c|d)|b", "a+", r"\w+ed", "[ab]c", "a{2}"])
def test_a_word_that_may_begin_otherwise_is_found_as_it_is(word: str) -> None:
    plain = re.compile(rf"(?<![\w'’])(?:of|{word}|x)(?![\w])", re.IGNORECASE)
    found = compile_words([word, "of", "x"])
    for text in ("a", "A", "as", "AS", "b", "B", "ac", "bc", "ad", "aa", "AAA", "ended", "of x"):
        assert found.findall(text) == plain.findall(text), text


def test_topics_are_found_in_the_order_of_their_length() -> None:
    topics = tables.read_table("en/lexicon.toml")["topics"]
    words = [(word, topic) for topic in sorted(topics) for word in topics[topic]]
    words.sort(key=lambda entry: -len(entry[0]))
    plain = re.compile(
        r"(?<![\w'’])(?:" + "|".join(f"({word})" for word, _ in words) + r")(?![\w])", re.I
    )
    quick = _topics(topics, topics, {})
    for text, _ in words:
        for written in (text, text.upper(), f"your {text}, and the {text} rate pressure readings"):
            expected = [
                (m.span(), words[m.lastindex - 1][1])
                for m in plain.finditer(written)
                if m.lastindex
            ]
            found = [
                (m.span(), str(m.lastgroup).partition("__")[0]) for m in quick.finditer(written)
            ]
            assert found == expected, written
