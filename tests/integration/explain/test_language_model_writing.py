"""What a local model writes: the same each time, several at once, and no code of a folder's own."""

from __future__ import annotations

import json
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from explain.facts.signature import LASTING, Signature
from explain.language_model.process import LanguageModelUnavailable, process_for_settings
from explain.language_model.prompt import tuned_request
from tests.support import tiny_model
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings

if TYPE_CHECKING:
    from explain.language_model.inference import LanguageModel

pytestmark = [
    pytest.mark.xdist_group("torch"),  # imported once
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("torch", "transformers")),
        reason="the extra `llm` is not installed",
    ),
]
ASKED = [
    tuned_request(Signature("en", "patient", "heart_rate_high", "above", announcement, slots=slots))
    for announcement in LASTING
    for slots in ((), ("duration", "heart_rate"))
]
TALK = [{"role": "system", "content": "Be short."}, {"role": "user", "content": "heart rate"}]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_model.make(folder)
    return folder


@pytest.fixture(scope="module")
def model(models: Path) -> LanguageModel:
    from explain.language_model.inference import LanguageModel

    return LanguageModel(models, tiny_model.SOURCE, adapter=models / "none")


def test_many_are_answered_as_each_would_be_alone(model: LanguageModel) -> None:
    together = model.write_many(ASKED, batch=3)
    assert together == [[model.write(asked)] for asked in ASKED]


def test_candidates_differ_begin_with_the_likeliest_and_are_the_seed_s(
    model: LanguageModel,
) -> None:
    found = model.write_many(ASKED, candidates=4, seed=3)
    assert found == model.write_many(ASKED, candidates=4, seed=3)
    assert found != model.write_many(ASKED, candidates=4, seed=4)
    for texts, asked in zip(found, ASKED, strict=True):
        assert texts[0] == model.write(asked)
        assert len(set(texts)) == len(texts) <= 4
    assert model.write_many([], candidates=3) == []


def test_one_answer_is_drawn_by_its_seed(model: LanguageModel) -> None:
    drawn = {seed: model.write(ASKED[0], seed=seed) for seed in range(4)}
    assert all(model.write(ASKED[0], seed=seed) == text for seed, text in drawn.items())
    assert len(set(drawn.values())) > 1


def test_a_conversation_without_a_chat_template_is_read_as_lines(model: LanguageModel) -> None:
    assert model.write(TALK) == model.write("Be short.\nheart rate")


def test_another_folder_is_served_by_the_real_child(models: Path) -> None:
    (folder,) = models.iterdir()
    with closing(process_for_settings(Settings(llm_model=folder))) as process:
        first = process.ask(TALK, 60)
        assert process.identity.startswith(f"{folder.name}@sha256:")
        assert not process.tuned
        assert process.ask(TALK, 60) == first


def test_a_folder_without_safetensors_is_no_model(models: Path, tmp_path: Path) -> None:
    """Weights in Python's pickle format could run anything when they are read."""
    from explain.language_model.inference import LanguageModel

    (folder,) = models.iterdir()
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04N.")
    with pytest.raises(UnavailableError, match=r"safetensors are needed"):
        LanguageModel.other(tmp_path)
    with closing(process_for_settings(Settings(llm_model=tmp_path))) as process:
        with pytest.raises(LanguageModelUnavailable) as down:
            process.start()
        assert down.value.reason == "model_missing"


def test_code_in_a_folder_is_not_run(models: Path, tmp_path: Path) -> None:
    (folder,) = models.iterdir()
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "own", "auto_map": {"AutoConfig": "own.Own"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    ran = tmp_path / "ran"
    (tmp_path / "own.py").write_text(f"open({str(ran)!r}, 'w')")
    with closing(process_for_settings(Settings(llm_model=tmp_path))) as process:
        with pytest.raises(LanguageModelUnavailable) as down:
            process.start()
        assert down.value.reason == "load_failed"
    assert not ran.exists()
