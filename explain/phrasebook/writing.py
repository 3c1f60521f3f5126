"""What a model is asked for a phrase, and the phrase that its answer makes: built ahead or live."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from explain.facts.signature import Signature, facts_for
from explain.language_model import prompt
from explain.language_model.prompt import Message
from explain.templates.drafts import draft
from vigil.domain import ids
from vigil.domain.phrase import Phrase


class Author(NamedTuple):
    """Which model writes."""

    identity: str
    """Name and digest; of a tuned one, its adapter's behind a ``+``."""
    tuned: bool
    """It has learnt :func:`explain.language_model.prompt.request`."""

    @property
    def model(self) -> str:
        """The base model."""
        return self.identity.partition("+")[0] if self.tuned else self.identity

    @property
    def adapter(self) -> str:
        """The adapter; empty: there is none."""
        return self.identity.partition("+")[2] if self.tuned else ""


def question(told: Signature, author: Author) -> list[Message]:
    """What asks for a sentence, in the form that the model has learnt, or any model understands."""
    if author.tuned:
        return [{"role": "user", "content": prompt.request(told)}]
    facts = facts_for(told)
    return prompt.messages(facts, draft(facts, 0))


def phrase(told: Signature, sentence: str, author: Author, now: datetime) -> Phrase:
    """A draft: what the model answered, and from what."""
    return Phrase(
        phrase_id=ids.phrase_id(told.key, sentence),
        signature=told.key,
        text=sentence,
        status="draft",
        author="model",
        revision=0,
        time=now,
        model=author.model,
        adapter=author.adapter,
        prompt_hash=prompt.digest(question(told, author)),
    )
