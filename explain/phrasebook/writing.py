"""The question that asks a model for a phrase, and the phrase made of its answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from explain.facts.signature import Signature, facts_of_signature
from explain.language_model.message import Message
from explain.language_model.prompt import chat_messages, prompt_digest, tuned_request
from explain.templates.drafts import draft_text
from vigil.domain import ids
from vigil.domain.phrase import Phrase


@dataclass(frozen=True, slots=True)
class Author:
    """The model that writes."""

    identity: str
    """Name and digest; of a tuned one, its adapter's behind a ``+``."""
    tuned: bool
    """It has learnt :func:`explain.language_model.prompt.tuned_request`."""

    @property
    def model(self) -> str:
        """The base model."""
        return self.identity.partition("+")[0] if self.tuned else self.identity

    @property
    def adapter(self) -> str:
        """The adapter; empty: there is none."""
        return self.identity.partition("+")[2] if self.tuned else ""


def question_for(signature: Signature, author: Author) -> list[Message]:
    """The prompt for a sentence, in the form that the tuned model has learnt, or for any model."""
    if author.tuned:
        return [{"role": "user", "content": tuned_request(signature)}]
    facts = facts_of_signature(signature)
    return chat_messages(facts, draft_text(facts, 0))


def make_phrase(signature: Signature, sentence: str, author: Author, now: datetime) -> Phrase:
    """A draft of the model's answer, with its provenance."""
    return Phrase(
        phrase_id=ids.phrase_id(signature.key, sentence),
        signature=signature.key,
        text=sentence,
        status="draft",
        author="model",
        revision=0,
        time=now,
        model=author.model,
        adapter=author.adapter,
        prompt_hash=prompt_digest(question_for(signature, author)),
    )
