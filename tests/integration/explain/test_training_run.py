"""From sentences to an adapter that loads, and an adapter that is not whole, with a real child."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import pytest

from explain.facts.signature import Signature
from explain.language_model.process import LanguageModelProcess, LanguageModelUnavailable
from explain.language_model.prompt import tuned_request
from explain.training.fitting.options import Options
from explain.training.references import Reference
from explain.training.split import Split
from tests.integration.explain.test_training_fit import Silent
from tests.support import tiny_model
from vigil.service.errors import InputError

pytestmark = [
    pytest.mark.xdist_group("torch"),  # imported once
    pytest.mark.skipif(
        any(find_spec(name) is None for name in ("torch", "transformers", "peft")),
        reason="the extra `llm` is not installed",
    ),
]
OPTIONS = Options(epochs=2, batch=2, rate=0.05, rank=2, seed=11)
HIGH = Signature("en", "patient", "heart_rate_high", "above", "opened", slots=("heart_rate",))
LOW = Signature("en", "patient", "heart_rate_low", "below", "opened")
SENTENCES = tuple(
    Reference(HIGH, "now", text)
    for text in ("Your heart rate is high .", "Your heart rate is now high .", "Heart rate high .")
)
DIVIDED = Split(
    SENTENCES,
    (Reference(HIGH, "inset", "Your heart rate has been high ."),),
    (Reference(LOW, "you", "Your heart rate is low ."),),
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    tiny_model.make(folder)
    return folder


@pytest.fixture(scope="module")
def fitted(models: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from explain.training import run

    out = tmp_path_factory.mktemp("fitted") / "adapter"
    place = run.RunPaths(models, out, tiny_model.SOURCE, threads=1)
    run.train(place, OPTIONS, Silent(), divided=DIVIDED)
    return out


@pytest.fixture
def adapter(fitted: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fitted, tmp_path / "adapter"))


def child(models: Path, adapter: Path, limit_mib: int = 0) -> LanguageModelProcess:
    script = str(Path(tiny_model.__file__))
    return LanguageModelProcess([sys.executable, script, str(models), str(adapter), str(limit_mib)])


@pytest.fixture
def started(models: Path, adapter: Path) -> Iterator[LanguageModelProcess]:
    with closing(child(models, adapter)) as process:
        process.start()
        yield process


def down(models: Path, adapter: Path, limit_mib: int = 0) -> LanguageModelUnavailable:
    with closing(child(models, adapter, limit_mib)) as process:
        with pytest.raises(LanguageModelUnavailable) as caught:
            process.start()
        return caught.value


def test_the_papers_say_what_it_was_made_of(fitted: Path) -> None:
    papers = json.loads((fitted / "adapter.json").read_text())
    assert papers["options"]["seed"] == 11
    assert papers["base_sha256"] == tiny_model.SOURCE.sha256
    assert papers["sentences"]["train"]["sentences"] == 3
    assert papers["measured"]["test"]["signatures"] == 1
    assert papers["training"]["checks"]
    card = (fitted / "README.md").read_text()
    for reported in (papers["files"]["adapter_model.safetensors"], tiny_model.SOURCE.sha256):
        assert reported in card
    assert "seed 11" in card
    assert "<" not in card
    assert sorted(path.name for path in fitted.iterdir()) == [
        "README.md", "adapter.json", "adapter_config.json", "adapter_model.safetensors",
    ]  # fmt: skip


def test_no_file_holds_a_path_of_this_machine(fitted: Path, models: Path) -> None:
    for file in fitted.iterdir():
        content = file.read_bytes()
        for place in (models, fitted, Path.home(), Path.cwd()):
            assert str(place).encode() not in content, file.name
    config = json.loads((fitted / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "tiny"


def test_merged_at_load_it_is_what_peft_makes_of_it(fitted: Path, models: Path) -> None:
    import torch
    from peft import PeftModel
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM

    from explain.language_model.adapter import merge_adapter

    (base,) = models.iterdir()
    ours, theirs = (AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32) for _ in "12")
    before = {name: value.clone() for name, value in ours.state_dict().items()}
    merge_adapter(ours, fitted)
    with warnings.catch_warnings(action="ignore", category=FutureWarning):  # peft's
        theirs = PeftModel.from_pretrained(theirs, fitted).merge_and_unload()
    wanted = theirs.state_dict()
    for name, value in ours.state_dict().items():
        assert torch.allclose(value, wanted[name], atol=1e-6), name
    assert any(not torch.equal(value, before[name]) for name, value in wanted.items())
    assert {value.dtype for value in load_file(fitted / "adapter_model.safetensors").values()} == {
        torch.float16
    }


def test_the_same_run_gives_the_same_adapter(fitted: Path, models: Path, tmp_path: Path) -> None:
    from explain.training import run

    place = run.RunPaths(models, tmp_path / "again", tiny_model.SOURCE, threads=1)
    run.train(place, OPTIONS, Silent(), divided=DIVIDED)
    name = "adapter_model.safetensors"
    assert (tmp_path / "again" / name).read_bytes() == (fitted / name).read_bytes()


def test_a_checkpoint_of_other_sentences_is_not_gone_on_from(models: Path, tmp_path: Path) -> None:
    from explain.training import run
    from explain.training.fitting.fit import Stopped

    place = run.RunPaths(models, tmp_path, tiny_model.SOURCE, threads=1)
    with pytest.raises(Stopped):
        run.train(place, OPTIONS, Silent(), divided=DIVIDED, stop=lambda: True)
    fewer = Split(SENTENCES[:2], DIVIDED.validation, DIVIDED.test)
    with pytest.raises(InputError, match="other sentences"):
        run.train(place, OPTIONS, Silent(), divided=fewer, resume=True)
    assert run.train(place, OPTIONS, Silent(), divided=DIVIDED, resume=True).measured


def test_the_child_says_base_and_adapter_and_that_it_is_tuned(
    started: LanguageModelProcess, adapter: Path
) -> None:
    digest = json.loads((adapter / "adapter.json").read_text())["files"]
    weights = digest["adapter_model.safetensors"][:16]
    assert started.identity == f"{tiny_model.SOURCE.identity}+vigil-words@sha256:{weights}"
    assert started.tuned
    question = [{"role": "user", "content": tuned_request(HIGH)}]
    assert started.ask(question, 60) == started.ask(question, 60)


def test_without_an_adapter_it_is_untuned(models: Path, tmp_path: Path) -> None:
    with closing(child(models, tmp_path / "none")) as process:
        process.start()
        assert process.identity == tiny_model.SOURCE.identity
        assert not process.tuned


@pytest.mark.parametrize("file", ["adapter_model.safetensors", "adapter_config.json"])
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_an_adapter_that_is_not_whole_is_refused(
    models: Path, adapter: Path, file: str, harm: str
) -> None:
    path = adapter / file
    content = path.read_bytes()
    path.unlink()
    if harm == "changed":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert down(models, adapter).reason == "adapter_refused"


@pytest.mark.parametrize("papers", [b"{}", b"no JSON", None])
def test_papers_that_cannot_be_read_or_name_another_base(
    models: Path, adapter: Path, papers: bytes | None
) -> None:
    path = adapter / "adapter.json"
    other = path.read_bytes().replace(tiny_model.SOURCE.sha256.encode(), b"0" * 64)
    path.write_bytes(other if papers is None else papers)
    assert down(models, adapter).reason == "adapter_refused"


def test_a_model_for_which_there_is_no_memory(models: Path, adapter: Path) -> None:
    """A limit such as a container sets: torch alone does not fit into 200 MiB."""
    assert down(models, adapter, limit_mib=200).reason in {"no_memory", "extra_missing"}
