"""Virtual environments that hold named packages and what those need, linked from this one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


def make_environment(folder: Path, requirements: Iterable[str]) -> Path:
    """Make a virtual environment with the closure of some requirements; return its Python.

    Nothing is fetched: the packages are links to those that are installed here.
    """
    subprocess.run((sys.executable, "-m", "venv", "--without-pip", folder), check=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for name in closure(requirements):
        distribution = metadata.distribution(name)
        tops = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            source, target = Path(str(distribution.locate_file(top))), site / top
            if source.exists() and not target.exists():
                target.symlink_to(source)
    return folder / "bin" / "python"


def closure(requirements: Iterable[str]) -> set[str]:
    """The packages that these requirements need, by the metadata of what is installed here."""
    seen: set[tuple[str, str]] = set()
    waiting = [Requirement(text) for text in requirements]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        fresh = {(name, extra) for extra in ("", *wanted.extras)} - seen
        seen |= fresh
        for needed in map(Requirement, metadata.requires(name) or []):
            if any(
                needed.marker is None or needed.marker.evaluate({"extra": extra})
                for _, extra in fresh
            ):
                waiting.append(needed)
    return {name for name, _ in seen}


def build_wheel(source: Path, folder: Path) -> Path:
    """Build the project's wheel from a copy of its files, without fetching anything."""
    copy = folder / "source"
    command = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(command, cwd=source, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        if not name.startswith(("tests/", "docs/", "benchmarks/")) and (source / name).exists():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source / name, copy / name)
    run_pip("wheel", "--no-build-isolation", "--no-deps", f"--wheel-dir={folder}", str(copy))
    (wheel,) = folder.glob("*.whl")
    return wheel


def install_wheel(python: Path, wheel: Path) -> None:
    """Install a wheel alone into another environment."""
    run_pip(f"--python={python}", "install", "--no-deps", "--no-index", str(wheel))


def run_pip(*words: str) -> None:
    """Run pip of this environment."""
    subprocess.run((sys.executable, "-m", "pip", "--quiet", *words), check=True)
