"""The real language model, where it is installed: it loads, answers, and is judged."""

from __future__ import annotations

import sys
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from explain.facts import signature
from explain.language_model.files import SMOLLM2
from explain.language_model.process import ModelProcess
from explain.phrasebook import writing
from explain.phrasebook.writing import Author
from explain.templates.compose import facts_of
from explain.templates.drafts import choice_of, draft, with_sentence
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
    words = draft(facts, choice_of(event().event_id))
    told = signature.of(facts, words.seen.slots)
    command = [sys.executable, "-m", "explain.language_model.child", "installed", str(FOLDER)]
    with closing(ModelProcess(command, load_seconds=240)) as process:
        process.start()
        assert process.model.startswith(SMOLLM2.identity)
        question = writing.question(told, Author(process.model, process.tuned))
        first, second = process.ask(question, 120), process.ask(question, 120)
    assert first == second
    assert first
    refused = verify_draft(with_sentence(words, first), facts, words.seen.slots)
    assert set(refused) <= {rule.code for rule in RULES}
