"""Builds the wheel whose detection is compiled (docs/compiled.md), from a copy of the checkout.

``python -m tests.support.compiled_wheel FOLDER`` writes it there. It fetches nothing: the tools are
those of the test environment. From a copy, because the build hook moves ``pyproject.toml`` aside
while it runs and leaves shared objects beside the sources.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.retired_words import PRODUCTION, ROOT

COPIED = (*PRODUCTION, "requirements", "pyproject.toml", "README.md", "LICENSE")
FLAGS = "-ffp-contract=off"
"""A product and a sum are rounded one by one, as Python does it, also where the processor could do
both at once."""


def build(folder: Path) -> Path:
    """Build the wheel into a folder; return its path.

    Raises:
        subprocess.CalledProcessError: the build failed; what it printed is in ``output``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as copy:
        for name in COPIED:
            _copy(ROOT / name, Path(copy) / name)
        command = (
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            str(folder.resolve()),
            ".",
        )
        flags = f"{os.environ.get('CFLAGS', '')} {FLAGS}".strip()
        environment = {**os.environ, "HATCH_BUILD_HOOK_ENABLE_MYPYC": "true", "CFLAGS": flags}
        subprocess.run(
            command, cwd=copy, env=environment, check=True, text=True, capture_output=True
        )
    return max(folder.glob("vigil-*-cp*.whl"), key=lambda wheel: wheel.stat().st_mtime)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        ignored = shutil.ignore_patterns("__pycache__", "*.so", "*.pyc")
        shutil.copytree(source, target, ignore=ignored)
    else:
        shutil.copy2(source, target)


def main() -> None:
    """Build where the command line says."""
    parser = argparse.ArgumentParser(description="Build the compiled wheel.")
    parser.add_argument("folder", type=Path)
    try:
        sys.stdout.write(f"{build(parser.parse_args().folder)}\n")
    except subprocess.CalledProcessError as error:
        sys.exit(f"{error.stdout}{error.stderr}\nThe compiled wheel was not built (see above).")


if __name__ == "__main__":
    main()
