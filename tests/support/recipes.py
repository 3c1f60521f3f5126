"""Follows the recipes of CONTRIBUTING.md in a copy of the tree.

A recipe is a section below "Recipes". Of its fenced blocks,

- one whose info string is a language and a path is the whole content of that file,
- ``diff PATH`` changes a file: the lines without ``+`` stand there once, and those without ``-``
  take their place,
- ``console`` holds commands, each after ``$``, that must succeed.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.retired_words import PRODUCTION, ROOT

PAGE = ROOT / "CONTRIBUTING.md"
COPIED = (*PRODUCTION, "tests", "docs", "pyproject.toml", "compose.yaml", "Makefile", "README.md")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "images", "data", "*.pyc")
COMMAND_SECONDS = 300

_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<path>\S+))?\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block."""

    language: str
    path: str
    """Empty: it is about no file."""
    text: str


def recipes() -> dict[str, list[Block]]:
    """Title → the blocks of each recipe, in order."""
    part = PAGE.read_text().split("\n## Recipes\n")[1].split("\n## ")[0]
    found = {}
    for section in part.split("\n### ")[1:]:
        title, _, body = section.partition("\n")
        found[title] = [
            Block(match["language"], match["path"] or "", match["text"])
            for match in _BLOCK.finditer(body)
        ]
    return found


def copy_tree(target: Path) -> None:
    """Copy what a recipe needs of this tree."""
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=LEFT_OUT)
        else:
            shutil.copy(source, target / name)


def run_steps(blocks: list[Block], tree: Path) -> str:
    """Write the files, make the changes and run the commands, in order.

    Returns:
        What the commands printed.

    Raises:
        AssertionError: a line to change is not there, or a command failed.
    """
    printed = []
    for block in blocks:
        path = tree / block.path
        if block.language == "console":
            printed += [run_command(command, tree) for command in commands(block.text)]
        elif block.language == "diff":
            path.write_text(changed(path.read_text(), block))
        elif block.path:
            assert not path.exists(), f"{block.path} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
    return "".join(printed)


def changed(text: str, block: Block) -> str:
    """A file's text after a diff."""
    lines = block.text.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if not line.startswith("+"))
    new = "".join(line[1:] for line in lines if not line.startswith("-"))
    assert text.count(old) == 1, f"{block.path} has {text.count(old)} times:\n{old}"
    return text.replace(old, new)


def commands(text: str) -> Iterator[str]:
    """The commands of a console block."""
    for line in text.splitlines():
        if line.startswith("$ "):
            yield line[2:]


def run_command(command: str, tree: Path) -> str:
    """Run one command in the tree, on the tree's own code."""
    words = shlex.split(command)
    words[0] = (
        str(Path(sys.executable).parent / words[0]) if words[0] != "python" else sys.executable
    )
    if words[1:3] == ["-m", "pytest"]:
        words += ["-p", "no:cacheprovider", "-p", "no:xdist", "-q"]
    done = subprocess.run(
        words,
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr
