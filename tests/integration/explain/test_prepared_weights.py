"""The unpacked copy of the model: made once, checked each time, made again when it is not whole."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from explain.language_model import inference
from explain.language_model.files import Source
from vigil.service.errors import UnavailableError

CONTENT = b"GGUF, or so"
SOURCE = Source("tiny", "vigil-tiny-model==1.0", "tiny/tiny.gguf", sha256(CONTENT).hexdigest())


@pytest.fixture
def copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Where copies were made; unpacking itself, which needs torch, is test_model's."""
    (tmp_path / SOURCE.file).write_bytes(CONTENT)
    found: list[Path] = []

    def convert(gguf: Path, target: Path) -> None:
        found.append(gguf)
        target.mkdir()
        (target / "model.safetensors").write_bytes(b"weights")
        (target / "tokenizer.json").write_bytes(b"words")

    monkeypatch.setattr(inference, "_convert", convert)
    return found


def test_it_is_made_once(copies: list[Path], tmp_path: Path) -> None:
    assert inference.prepare_weights(tmp_path, SOURCE) == inference.prepare_weights(
        tmp_path, SOURCE
    )
    assert len(copies) == 1
    assert len(list(tmp_path.iterdir())) == 2  # the GGUF and its copy


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", inference.MANIFEST])
@pytest.mark.parametrize("harm", ["gone", "changed"])
def test_a_copy_that_is_not_whole_is_made_again(
    copies: list[Path], tmp_path: Path, name: str, harm: str
) -> None:
    file = inference.prepare_weights(tmp_path, SOURCE) / name
    file.unlink()
    if harm == "changed":
        file.write_bytes(b"{}")
    ready = inference.prepare_weights(tmp_path, SOURCE)
    assert len(copies) == 2
    assert (ready / "model.safetensors").read_bytes() == b"weights"
    assert len(list(tmp_path.iterdir())) == 2


def test_it_is_never_made_from_another_file(copies: list[Path], tmp_path: Path) -> None:
    (tmp_path / SOURCE.file).write_bytes(b"something else")
    with pytest.raises(UnavailableError, match="not the file that Vigil pins"):
        inference.prepare_weights(tmp_path, SOURCE)
    (tmp_path / SOURCE.file).unlink()
    with pytest.raises(UnavailableError, match="There is no language model"):
        inference.prepare_weights(tmp_path, SOURCE)
    assert copies == []
