"""Installs Vigil from the lock into the environment whose Python runs this.

``python requirements/install.py run|test|image [--llm] [--torch-index URL]``: what ``make demo``,
``make test`` and the image need. Everything that pip fetches is named in the lock with its hashes
(:mod:`lock` describes the files), build tools too; it needs pip and the standard library alone.

PyTorch is installed first and separately. On Linux, PyPI's build needs gigabytes of CUDA libraries,
and the default model runs on a CPU: so PyTorch's own index for CPU builds is asked too, if it
answers within seconds and the lock has the hash of its build for this Python and machine. Otherwise
pip takes its default build. Either is installed only if its hash is in the lock. CUDA's libraries
are installed only if the metadata of the build says that it needs them.
"""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys
import tempfile
from importlib import invalidate_caches, metadata
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request, urlopen

HERE = Path(__file__).resolve().parent
EXTRAS = {"run": ["run", "local"], "test": ["run", "local", "test"], "image": ["run"]}
"""What is installed for → the files of the lock, besides those of the language model."""
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 3.0
"""How long the index of CPU builds may take to answer; after that pip's default build is taken."""


def main() -> None:
    """Install what the command line asks for.

    Raises:
        SystemExit: pip failed; it has printed why.
    """
    parser = argparse.ArgumentParser(description="Install Vigil from the lock.")
    parser.add_argument("purpose", choices=EXTRAS)
    parser.add_argument("--llm", action="store_true", help="with the language model's packages")
    parser.add_argument(
        "--torch-index",
        default=TORCH_INDEX,
        help="index of PyTorch's CPU builds; empty: pip's default build, for GPUs",
    )
    given = parser.parse_args()
    files = list(EXTRAS[given.purpose])
    _locked("build")
    if given.llm:
        _torch(given.torch_index)
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


def _torch(index: str) -> None:
    """Install a CPU build where there is one, otherwise the build that pip chooses here.

    It is downloaded first and installed from there: given hashes, pip would prefer the build whose
    hash an index lists.
    """
    lines = (HERE / "torch.txt").read_text().splitlines()
    (pin,) = [line.rstrip(" \\") for line in lines if line.startswith("torch==")]
    if _version("torch") == pin.removeprefix("torch=="):
        return
    with tempfile.TemporaryDirectory() as folder:
        download = ("download", "--no-deps", f"--dest={folder}", pin)
        cpu = _has_locked_cpu_build(pin) and _answers(f"{index.rstrip('/')}/torch/")
        if not (cpu and _try_pip(*download, f"--extra-index-url={index}")):
            _pip(*download)
        chosen = ["--no-index", f"--find-links={folder}", "--requirement", str(HERE / "torch.txt")]
        _pip("install", "--require-hashes", "--no-deps", *chosen)


def _has_locked_cpu_build(pin: str) -> bool:
    """Whether the lock has the hash of a CPU build for this Python, system and machine."""
    if sys.platform != "linux":  # elsewhere PyPI's builds need no CUDA
        return False
    start = f"{pin.replace('==', '-')}+cpu-cp{sys.version_info[0]}{sys.version_info[1]}-"
    wheels = (HERE / "torch-cpu.sha256").read_text().split()[1::2]
    return any(w.startswith(start) and w.endswith(f"_{platform.machine()}.whl") for w in wheels)


def _answers(url: str) -> bool:
    """Whether an index answers in time."""
    if not url.startswith(("https://", "http://")):
        return False
    try:
        with urlopen(Request(url, method="HEAD"), timeout=PROBE_SECONDS):  # noqa: S310  (checked)
            return True
    except (URLError, OSError):
        return False


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
    if not _try_pip(*words):
        raise SystemExit("pip failed: see its message above.")


def _try_pip(*words: str) -> bool:
    command = [sys.executable, "-m", "pip", "--quiet", *words]
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    main()
