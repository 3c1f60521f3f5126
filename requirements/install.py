"""Installs Vigil from the lock into the environment whose Python runs this.

``python requirements/install.py run|test|image [--llm]``: what ``make demo``, ``make test`` and the
image need. Everything that pip fetches is named in the lock with its hashes (:mod:`lock` describes
the files), build tools too; it needs pip and the standard library alone.

PyTorch comes first and by itself: which build of the version pip finds depends on the machine and
its index. One for GPUs says in its metadata that it needs CUDA's libraries, and only then are they
installed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
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
        _locked("torch", alone=True)
        if _is_for_gpus("torch"):
            _locked("cuda", alone=True)
        files.append("llm")
    _locked(*files)
    source = [str(HERE.parent)] if given.purpose == "image" else ["--editable", str(HERE.parent)]
    _pip("--no-deps", *source)


def _locked(*files: str, alone: bool = False) -> None:
    """Install files of the lock; ``alone`` without what they depend on, which is in other files."""
    named = [word for name in files for word in ("--requirement", str(HERE / f"{name}.txt"))]
    _pip("--require-hashes", *(["--no-deps"] if alone else []), *named)


def _is_for_gpus(package: str) -> bool:
    invalidate_caches()
    needed = metadata.requires(package) or []
    return any(line.startswith(("cuda-", "nvidia-")) for line in needed)


def _pip(*words: str) -> None:
    """``pip install``; builds use what is installed, so that they fetch nothing."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", *words]
    if subprocess.run(command, check=False).returncode:
        raise SystemExit("pip failed: its message stands above.")


if __name__ == "__main__":
    main()
