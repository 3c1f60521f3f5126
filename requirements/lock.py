"""Writes the lock: every package that the Makefile installs, by version and hash.

``python requirements/lock.py [--upgrade]`` resolves the ranges of ``pyproject.toml`` with uv, once
for every system and for Python 3.11 and later. What is locked and still fits stays as it is,
unless ``--upgrade`` is given. The files name no index: pip asks the one that it is set up with, and
the hashes decide what is taken.

========== =====================================================================================
build.txt  pip, and what builds other packages: installed first, so that no build fetches its own
run.txt    Vigil without extras
local.txt  what the extra ``local`` adds: broker, database and supervisor for one machine
test.txt   what the extra ``dev`` adds
llm.txt    what the extra ``llm`` adds, but for PyTorch
torch.txt  PyTorch alone: PyPI's builds, and those for CPUs alone from PyTorch's own index
cuda.txt   what PyPI's builds of PyTorch for Linux need, and those for CPUs do not
========== =====================================================================================

The hashes of PyTorch's own builds are kept by hand in ``torch-cpu.sha256``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from shutil import which

HERE = Path(__file__).resolve().parent
KEPT = ("build", "run", "local", "test", "llm", "cuda")
"""The files whose versions stay; PyTorch's is written anew, since its range is one version."""
ONLY_FOR_GPUS = ("cuda-", "nvidia-", "triton")
"""How the names of what only a GPU needs begin."""
HEADER = "# Written by `make lock` from pyproject.toml; do not edit. See requirements/lock.py.\n"
START = re.compile(r"^(?=[a-z0-9])", re.MULTILINE)
Packages = Mapping[str, str]
"""The line ``name==version ; marker`` of a package → all its lines: hashes, and who asks for it."""


def main(*, upgrade: bool) -> None:
    """Resolve everything together, then take each file's part of it.

    Raises:
        SystemExit: uv is missing or found no versions that fit, or hashes of PyTorch are missing.
    """
    before = "".join(path.read_text() for path in map(_file, KEPT) if path.exists())
    everything = ("pyproject.toml", "--extra=local", "--extra=dev", "--extra=llm", "--group=build")
    agreed = "".join(_resolve(everything, before, upgrade=upgrade).values())
    build = _resolve(("--group=build",), agreed)
    run = _resolve(("pyproject.toml",), agreed)
    local = _resolve(("pyproject.toml", "--extra=local"), agreed)
    test = _resolve(("pyproject.toml", "--extra=local", "--extra=dev"), agreed)
    llm = _resolve(("pyproject.toml", "--extra=llm"), agreed)
    torch = {line: text for line, text in llm.items() if _name(line) == "torch"}
    cuda = {line: text for line, text in llm.items() if line.startswith(ONLY_FOR_GPUS)}
    _write("build", build.values())
    _write("run", run.values())
    _write("local", (text for line, text in local.items() if line not in run))
    _write("test", (text for line, text in test.items() if line not in local))
    _write("llm", (text for line, text in llm.items() if line not in {*run, *torch, *cuda}))
    _write("torch", (_with_cpu_builds(line, text) for line, text in torch.items()))
    _write("cuda", cuda.values())


def _file(name: str) -> Path:
    return HERE / f"{name}.txt"


def _write(name: str, packages: Iterable[str]) -> None:
    _file(name).write_text(HEADER + "".join(packages))


def _name(line: str) -> str:
    return line.partition("==")[0]


def _resolve(asked: Iterable[str], before: str, *, upgrade: bool = False) -> Packages:
    """What uv finds for these sources, with the versions of ``before`` where they fit."""
    uv = which("uv", path=str(Path(sys.executable).parent)) or which("uv")
    if uv is None:
        raise SystemExit("uv is missing. It comes with the extra dev: make lock installs it.")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "lock.txt"
        out.write_text(before)
        command = [uv, "pip", "compile", *asked, "--quiet", "--no-config", "--universal"]
        command += ["--python-version=3.11", "--generate-hashes", "--no-header"]
        command += [f"--output-file={out}", *(["--upgrade"] if upgrade else [])]
        if subprocess.run(command, cwd=HERE.parent, check=False).returncode:
            raise SystemExit("Nothing was written: see uv's message above.")
        found = START.split(out.read_text())
    return {text.splitlines()[0].rstrip(" \\"): text for text in found if text}


def _with_cpu_builds(line: str, text: str) -> str:
    """PyTorch's lines, and the hashes of the same version's builds for CPUs alone."""
    version = line.partition("==")[2].split()[0]
    pairs = [row.split() for row in (HERE / "torch-cpu.sha256").read_text().splitlines() if row]
    digests = [digest for digest, wheel in pairs if wheel.startswith(f"torch-{version}+cpu-")]
    if not digests:
        raise SystemExit(
            f"requirements/torch-cpu.sha256 has no wheel of torch {version}+cpu. Put the SHA-256 of"
            " each there, as PyTorch's index for CPUs gives them, and say `make lock` again."
        )
    hashes = "".join(f"    --hash=sha256:{digest} \\\n" for digest in digests)
    first, rest = text.split("\n", 1)
    return f"{first}\n{hashes}{rest}"


if __name__ == "__main__":
    main(upgrade="--upgrade" in sys.argv[1:])
