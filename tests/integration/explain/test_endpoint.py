"""An endpoint in place of a model: asked through the real model process, and never believed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psutil
import pytest

from explain.evaluation.texts import facts_of
from explain.language_model.endpoint import Endpoint
from explain.language_model.process import (
    LanguageModelProcess,
    LanguageModelUnavailable,
    process_for_settings,
)
from explain.language_model.prompt import chat_messages
from explain.language_model.reasons import EndpointError
from explain.templates.drafts import choice_of, draft_text
from tests.support import endpoint as served
from tests.support.wording import event
from vigil.service.errors import SettingsError
from vigil.service.settings import Settings

KEY = "sk-invented-0815"
QUESTION = [{"role": "user", "content": "Say it."}]


@contextmanager
def asking(url: str, key: str | None = KEY) -> Iterator[LanguageModelProcess]:
    settings = Settings(llm_endpoint=url, llm_endpoint_model="some-model", llm_endpoint_key=key)
    with closing(process_for_settings(settings)) as process:
        yield process


def reason(url: str, seconds: float = 20) -> str:
    with asking(url) as process, pytest.raises(LanguageModelUnavailable) as down:
        process.ask(QUESTION, seconds)
    return down.value.reason


def test_it_is_asked_as_openai_s_and_answers() -> None:
    with served.serving("good") as server, asking(server.url) as process:
        assert process.ask(QUESTION, 20) == served.GOOD
        assert process.identity == f"some-model@127.0.0.1:{server.server_port}"
        assert not process.tuned
        ((path, headers, body),) = server.asked
    assert path == "/v1/chat/completions"
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert body["model"] == "some-model"
    assert body["messages"] == QUESTION
    assert body["temperature"] == 0


def test_without_a_key_none_is_sent() -> None:
    with served.serving("good") as server, asking(server.url, key=None) as process:
        process.ask(QUESTION, 20)
        assert "Authorization" not in server.asked[0][1]


def test_the_key_stands_on_no_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_DATABASE_URL", "postgresql://vigil:secret@db/vigil")
    with served.serving("good") as server, asking(server.url) as process:
        process.start()
        child = psutil.Process(process.pid)
        assert KEY not in " ".join(child.cmdline())
        ours = {name for name in child.environ() if name.startswith("VIGIL_")}
        assert ours == {"VIGIL_LLM_ENDPOINT_KEY"}
    assert "VIGIL_LLM_ENDPOINT_KEY" not in os.environ


def test_no_value_and_no_identity_is_sent() -> None:
    facts = facts_of(event(), "patient")
    sentence = chat_messages(facts, draft_text(facts, choice_of(event().episode_id)))
    with served.serving("good") as server, asking(server.url) as process:
        process.ask(sentence, 20)
        sent = str(server.asked[0][2]["messages"])
    assert "{heart_rate}" in sent
    assert event().patient_id not in sent
    assert not any(char.isdigit() for char in sent)


@pytest.mark.parametrize(
    ("script", "expected"),
    [("refuses", "endpoint_refused"), ("unknown_model", "endpoint_refused"),
     ("redirects", "endpoint_refused"), ("fails", "endpoint_failed"),
     ("hangs_up", "endpoint_nonsense"), ("huge", "endpoint_nonsense"),
     *[(script, "endpoint_nonsense") for script in served.BODIES]],
)  # fmt: skip
def test_what_is_no_answer_has_its_reason(script: str, expected: str) -> None:
    with served.serving(script) as server:
        assert reason(server.url) == expected


@pytest.mark.parametrize("script", ["slow", "drips"])
def test_a_slow_endpoint_is_reported_before_the_deadline_ends_the_process(script: str) -> None:
    with served.serving(script) as server, asking(server.url) as process:
        process.start()
        with pytest.raises(LanguageModelUnavailable) as down:
            process.ask(QUESTION, 3)
    assert down.value.reason == "endpoint_slow"


def test_an_endpoint_that_is_not_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert reason(f"http://127.0.0.1:{port}/v1") == "endpoint_down"
    assert reason("http://endpoint.invalid/v1") == "endpoint_down"


def test_after_a_failure_another_question_is_asked_anew() -> None:
    with served.serving("fails") as server, asking(server.url) as process:
        with pytest.raises(LanguageModelUnavailable):
            process.ask(QUESTION, 20)
        server.script = "good"
        assert process.ask(QUESTION, 20) == served.GOOD


def test_reach_says_whether_anything_answers() -> None:
    with served.serving("good") as server:
        Endpoint(server.url, "m").reach()
    with served.serving("refuses") as server, pytest.raises(EndpointError) as caught:
        Endpoint(server.url, "m").reach()
    assert caught.value.reason == "endpoint_refused"


@pytest.mark.parametrize(
    ("given", "field"),
    [({"llm_endpoint": "ftp://host/v1", "llm_endpoint_model": "m"}, "VIGIL_LLM_ENDPOINT"),
     ({"llm_endpoint": "http://user:pw@host/v1", "llm_endpoint_model": "m"}, "VIGIL_LLM_ENDPOINT"),
     ({"llm_endpoint": "http://host/v1"}, "VIGIL_LLM_ENDPOINT_MODEL"),
     ({"llm_endpoint_model": "m"}, "VIGIL_LLM_ENDPOINT_MODEL"),
     ({"llm_endpoint": "http://host/v1", "llm_endpoint_model": "m", "llm_model": "/models/x"},
      "VIGIL_LLM_ENDPOINT")],
)  # fmt: skip
def test_settings_that_do_not_go_together(given: dict[str, str], field: str) -> None:
    with pytest.raises(SettingsError) as caught:
        Settings(**given)
    assert caught.value.field == field


def test_the_command_names_what_the_settings_name(tmp_path: Path) -> None:
    assert process_for_settings(Settings(model_dir=tmp_path))._command[-2:] == [
        "installed",
        str(tmp_path),
    ]
    assert process_for_settings(Settings(llm_model=tmp_path))._command[-2:] == [
        "other",
        str(tmp_path),
    ]
