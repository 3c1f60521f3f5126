"""CONTRIBUTING.md names what there is; `tests/integration/docs` follows its recipes."""

from __future__ import annotations

import re

import pytest

from tests.support.recipes import PAGE, Block, changed, recipes
from tests.support.retired_words import ROOT

RECIPES = recipes()


def test_the_recipes_are_these() -> None:
    assert set(RECIPES) == {
        "Add a kind of event",
        "Add a detector",
        "Add a recording format or an adapter",
        "Add a notification channel",
        "Add a page",
    }


def test_every_link_and_folder_is_there() -> None:
    text = PAGE.read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text):
        assert (ROOT / target).exists(), target
    for folder in re.findall(r"`((?:tests|explain|vigil|notify|dashboard|store)/[a-z_/]+)`", text):
        assert (ROOT / folder).is_dir(), folder


def test_a_diff_that_does_not_fit_is_refused() -> None:
    block = Block("diff", "a.py", " x = 1\n+y = 2\n")
    assert changed("x = 1\n", block) == "x = 1\ny = 2\n"
    with pytest.raises(AssertionError, match="2 times"):
        changed("x = 1\nx = 1\n", block)
