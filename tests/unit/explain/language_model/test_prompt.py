"""A prompt is made of facts: the same for the same facts, without a number, time or name."""

from __future__ import annotations

import json
import re

from hypothesis import given, settings

from explain.evaluation.texts import facts_of
from explain.language_model.message import Message
from explain.language_model.prompt import chat_messages, prompt_digest
from explain.templates.compose import AUDIENCES
from explain.templates.drafts import choice_of, draft_text
from tests.support.wording import HOSTILE, cells, event, events
from vigil.domain.episode import Event


def asked(of: Event, audience: str = "patient") -> list[Message]:
    facts = facts_of(of, audience)  # type: ignore[arg-type]
    return chat_messages(facts, draft_text(facts, choice_of(of.episode_id)))


def test_it_asks_for_the_draft_s_slots() -> None:
    sentence = asked(event())
    assert [message["role"] for message in sentence] == [
        "system", "user", "assistant", "user", "assistant", "user",
    ]  # fmt: skip
    assert sentence[-1]["content"] == (
        "Seen: Your heart rate is high. It has begun and goes on."
        " Slots: {duration} and {heart_rate}. Write the sentence."
    )


def test_its_examples_are_of_other_kinds() -> None:
    for kind in ("heart_rate_high", "heart_rate_low", "blood_pressure_high"):
        for facts in cells(kind):
            words = draft_text(facts, 0)
            examples = [m["content"] for m in chat_messages(facts, words)[1:-1]]
            assert words.seen.text not in examples


def test_only_facts_change_it() -> None:
    other = event(patient_id="p2", evidence={**event().evidence, "values": {"heart_rate": 190}})
    assert prompt_digest(asked(event())) == prompt_digest(asked(other))
    assert prompt_digest(asked(event())) != prompt_digest(asked(event(phase="updated")))


@settings(max_examples=100, deadline=None)
@given(events())
def test_it_holds_no_number_and_nobody_s_text(any_event: Event) -> None:
    for audience in AUDIENCES:
        sentence = json.dumps(asked(any_event, audience), ensure_ascii=False).replace("{spo2}", "")
        assert not re.search(r"\d", sentence)
        own = [hostile for hostile in HOSTILE if hostile != "{heart_rate}"]
        assert not any(hostile in sentence for hostile in own)
