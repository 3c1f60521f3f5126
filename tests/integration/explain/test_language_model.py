"""The real language model, where it is installed: it loads, answers, and is judged."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from explain.evaluation.texts import facts_of
from explain.facts.signature import signature_of
from explain.language_model.files import SMOLLM2
from explain.language_model.process import LanguageModelProcess
from explain.phrasebook.writing import Author, question_for
from explain.templates.drafts import choice_of, draft_text, make_sentence
from explain.verifier import RULES, verify_draft
from tests.support.wording import event

FOLDER = Path("~/.cache/vigil/models").expanduser()
pytestmark = [
    pytest.mark.skipif(
        find_spec("transformers") is None, reason="the extra `llm` is not installed"
    ),
    pytest.mark.skipif(
        not (FOLDER / SMOLLM2.file).exists(),
        reason=f"no language model in {FOLDER}: `vigil explain install-model`",
    ),
]


@pytest.mark.timeout(300)
def test_it_answers_the_same_each_time_and_the_verifier_has_the_last_word() -> None:
    facts = facts_of(event(), "patient")
    words = draft_text(facts, choice_of(event().episode_id))
    wanted = signature_of(facts, words.seen.slots)
    command = [sys.executable, "-m", "explain.language_model.child", "installed", str(FOLDER)]
    with closing(LanguageModelProcess(command, load_seconds=240)) as process:
        process.start()
        assert process.identity.startswith(SMOLLM2.identity)
        question = question_for(wanted, Author(process.identity, process.tuned))
        first, second = process.ask(question, 120), process.ask(question, 120)
    assert first == second
    assert first
    refused = verify_draft(
        replace(words, seen=make_sentence(first, words.seen.entry)), facts, words.seen.slots
    )
    assert set(refused) <= {rule.code for rule in RULES}
