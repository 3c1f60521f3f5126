"""Installs Vigil from the lock into the environment whose Python runs this.

``python requirements/install.py run|test|image [--llm]``: what ``make demo``, ``make test`` and the
image need. Everything that pip fetches is named in the lock with its hashes (:mod:`lock` describes
the files), build tools too; it needs pip and the standard library alone.

PyTorch comes first and by itself. Which of its builds pip prefers depends on the machine and its
index, so pip chooses as it would without a lock, and what it chose is installed if its hash is in
the lock. A build for GPUs says in its metadata that it needs CUDA's libraries; only then are they
installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib import invalidate_caches, metadata
from pathlib import Path

HERE = Path(__file__).resolve().parent
EXTRAS = {"run": ["run"], "test": ["run", "test"], "image": ["run"]}
"""What is installed for → the files of the lock, besides those of the language model."""


def main() -> None:
    """Install what the command line asks for.

    Raises:
        SystemExit: pip failed; its message stands above.
    """
    parser = argparse.ArgumentParser(description="Install Vigil from the lock.")
    parser.add_argument("purpose", choices=EXTRAS)
    parser.add_argument("--llm", action="store_true", help="with the language model's packages")
    given = parser.parse_args()
    files = list(EXTRAS[given.purpose])
    _locked("build")
    if given.llm:
        _torch()
        if _is_for_gpus("torch"):
            _locked("cuda", alone=True)
        files.append("llm")
    _locked(*files)
    source = [str(HERE.parent)] if given.purpose == "image" else ["--editable", str(HERE.parent)]
    _pip("install", "--no-build-isolation", "--no-deps", *source)


def _locked(*files: str, alone: bool = False) -> None:
    """Install files of the lock; ``alone`` without what they depend on, which is in other files.

    A package that must be built is built with what is installed, so that this fetches nothing.
    """
    named = [word for name in files for word in ("--requirement", str(HERE / f"{name}.txt"))]
    hashed = ["install", "--no-build-isolation", "--require-hashes"]
    _pip(*hashed, *(["--no-deps"] if alone else []), *named)


def _torch() -> None:
    """The build that pip chooses here: given hashes, it would prefer those that an index tells."""
    lines = (HERE / "torch.txt").read_text().splitlines()
    (pin,) = [line.rstrip(" \\") for line in lines if line.startswith("torch==")]
    if _version("torch") == pin.removeprefix("torch=="):
        return
    with tempfile.TemporaryDirectory() as folder:
        _pip("download", "--no-deps", f"--dest={folder}", pin)
        chosen = ["--no-index", f"--find-links={folder}", "--requirement", str(HERE / "torch.txt")]
        _pip("install", "--require-hashes", "--no-deps", *chosen)


def _version(package: str) -> str | None:
    """What is installed of it, without the name of the build (``2.13.0+cpu``)."""
    try:
        return metadata.version(package).partition("+")[0]
    except metadata.PackageNotFoundError:
        return None


def _is_for_gpus(package: str) -> bool:
    invalidate_caches()
    needed = metadata.requires(package) or []
    return any(line.startswith(("cuda-", "nvidia-")) for line in needed)


def _pip(*words: str) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", *words]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit("pip failed: its message stands above.")


if __name__ == "__main__":
    main()
