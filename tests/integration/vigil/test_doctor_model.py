"""What ``vigil doctor`` says of the language model, its adapter, and an endpoint in its place."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

import pytest

from cli.doctor import language_model
from cli.doctor.finding import Finding
from explain.language_model import adapter as model_adapter
from explain.language_model import files as model_files
from tests.support import endpoint as served
from tests.support import tiny_model
from vigil.service.settings import Settings

KEY = "sk-invented-0815"
needs_extra = pytest.mark.skipif(
    any(find_spec(name) is None for name in language_model.EXTRA),
    reason="the extra `llm` is not installed",
)


def found(settings: Settings) -> dict[str, Finding]:
    return {finding.part: finding for finding in language_model.language_model(settings)}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of models with a file that counts as the pinned one."""
    source = replace(model_files.SMOLLM2, sha256=sha256(b"GGUF").hexdigest())
    (tmp_path / source.file).write_bytes(b"GGUF")
    monkeypatch.setattr(model_files, "SMOLLM2", source)
    monkeypatch.setattr(model_files.check_gguf, "__defaults__", (source,))
    return tmp_path


@pytest.fixture
def adapter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """An adapter for a base of this digest, in the shipped one's place."""

    def make(base_sha256: str) -> Path:
        folder = tmp_path / "adapter"
        folder.mkdir()
        for name in (model_adapter.WEIGHTS, model_adapter.CONFIG):
            (folder / name).write_bytes(b"{}")
        files = {path.name: model_files.sha256_of_file(path) for path in folder.iterdir()}
        papers = {"name": "words", "base_sha256": base_sha256, "files": files}
        (folder / model_adapter.MANIFEST).write_text(json.dumps(papers))
        monkeypatch.setattr(model_adapter, "SHIPPED", folder)
        return folder

    return make


@needs_extra
def test_model_and_adapter_are_whole(installed: Path, adapter: Callable[[str], Path]) -> None:
    adapter(model_files.SMOLLM2.sha256)
    reported = found(Settings(model_dir=installed))
    assert {part: finding.state for part, finding in reported.items()} == {
        "language model": "ok", "adapter": "ok",
    }  # fmt: skip
    assert "VIGIL_LLM is off" in reported["language model"].what
    assert reported["adapter"].what.startswith("words@sha256:")


@needs_extra
def test_an_adapter_that_is_changed_or_for_another_base(
    installed: Path, adapter: Callable[[str], Path]
) -> None:
    folder = adapter("0" * 64)
    reported = found(Settings(model_dir=installed))
    assert reported["adapter"].state == "note"
    assert "another base model" in reported["adapter"].what
    shutil.rmtree(folder)
    folder = adapter(model_files.SMOLLM2.sha256)
    (folder / model_adapter.WEIGHTS).write_bytes(b"[]")
    reported = found(Settings(model_dir=installed, llm=True))
    assert reported["adapter"].state == "wrong"
    assert "not the file that its manifest names" in reported["adapter"].what
    assert reported["adapter"].how_to_fix


@needs_extra
def test_a_model_that_is_whole_but_does_not_load(
    installed: Path, adapter: Callable[[str], Path]
) -> None:
    """The child pins the real file, which this is not."""
    adapter(model_files.SMOLLM2.sha256)
    reported = found(Settings(model_dir=installed, llm=True))
    assert reported["model process"].state == "wrong"
    assert "model_missing" in reported["model process"].what


@needs_extra
def test_another_model_s_folder(tmp_path: Path) -> None:
    reported = found(Settings(llm_model=tmp_path, llm=True))
    assert reported["language model"].state == "wrong"
    assert "config.json and *.safetensors are needed" in reported["language model"].what
    folder = tiny_model.make(tmp_path)
    reported = found(Settings(llm_model=folder, llm=True))
    assert reported["language model"].state == "ok"
    assert reported["model process"].what.startswith("loads: tiny-")


def test_an_endpoint_that_answers_and_one_that_does_not() -> None:
    with served.serving("good") as server:
        settings = Settings(
            llm_endpoint=server.url, llm_endpoint_model="m", llm_endpoint_key=KEY, llm=True
        )
        assert found(settings)["language model"].state == "ok"
        server.script = "refuses"
        reported = found(settings)["language model"]
    assert reported.state == "wrong"
    assert "status 401" in reported.what
    assert KEY not in reported.what
    reported = found(settings)["language model"]
    assert "cannot be reached" in reported.what
