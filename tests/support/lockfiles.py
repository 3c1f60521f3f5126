"""Reads ``pyproject.toml`` and the lock in ``requirements/``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
GROUPS = {
    "build": ("build",),
    "run": ("run",),
    "local": ("run", "local"),
    "test": ("run", "local", "test"),
    "llm": ("run", "llm", "torch", "cuda"),
}
"""What is asked for → the files that answer it."""
EXTRAS = {"run": (), "local": ("local",), "test": ("local", "dev"), "llm": ("llm",)}
"""What is asked for → the extras of ``pyproject.toml``."""
START = re.compile(r"^(?=[a-z0-9])", re.MULTILINE)


class Locked(NamedTuple):
    """One package of the lock."""

    name: str
    version: Version
    marker: Marker | None
    hashes: tuple[str, ...]
    direct: bool
    """Whether ``pyproject.toml`` itself asks for it, by uv's notes."""

    def holds(self, environment: dict[str, str]) -> bool:
        """Whether it is installed there."""
        return self.marker is None or self.marker.evaluate(environment)


@cache
def locked(file: str) -> tuple[Locked, ...]:
    """The packages of one file of the lock."""
    _, *blocks = START.split((FOLDER / f"{file}.txt").read_text())
    return tuple(map(_read, blocks))


def _read(block: str) -> Locked:
    first = Requirement(block.splitlines()[0].rstrip(" \\"))
    (pin,) = first.specifier
    assert pin.operator == "=="
    return Locked(
        canonicalize_name(first.name),
        Version(pin.version),
        first.marker,
        tuple(re.findall(r"--hash=(\S+)", block)),
        "vigil (pyproject.toml" in block,
    )


@cache
def project() -> dict[str, Any]:
    """``pyproject.toml``."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def asked(group: str) -> Iterator[Requirement]:
    """What ``pyproject.toml`` asks for in a group of :data:`GROUPS`."""
    described = project()
    if group == "build":
        yield from map(Requirement, described["dependency-groups"]["build"])
        return
    yield from map(Requirement, described["project"]["dependencies"])
    for extra in EXTRAS[group]:
        yield from map(Requirement, described["project"]["optional-dependencies"][extra])


def here() -> dict[str, str]:
    """This machine, as markers see it."""
    return {name: str(value) for name, value in default_environment().items()}


def environment(python: str, system: str, machine: str) -> dict[str, str]:
    """Another machine, as markers see it."""
    return {
        **here(),
        "python_version": python,
        "python_full_version": f"{python}.9",
        "sys_platform": system,
        "platform_system": {"linux": "Linux", "darwin": "Darwin"}[system],
        "platform_machine": machine,
    }
