"""The lock in ``requirements/`` and ``pyproject.toml`` agree, and everything is installed by it."""

from __future__ import annotations

import re
from importlib import metadata
from itertools import chain, product

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.support.lockfiles import (
    FOLDER,
    GROUPS,
    ROOT,
    Locked,
    asked,
    environment,
    here,
    locked,
    project,
)

FILES = ("build", "run", "local", "test", "llm", "torch", "cuda")
PYTHONS = ("3.11", "3.12", "3.13")
MACHINES = (("linux", "x86_64"), ("linux", "aarch64"), ("darwin", "arm64"))
EXACT_VERSIONS = (
    "babel", "dash", "kafka-python", "msgspec", "river", "textstat", "transformers",
)  # fmt: skip
"""Another minor version of these has other words, statistics, bytes or seams than those we test."""
RENEW = "pyproject.toml and requirements/ disagree: run `make lock`"


def of_group(group: str) -> list[Locked]:
    return list(chain.from_iterable(map(locked, GROUPS[group])))


@pytest.mark.parametrize("group", GROUPS)
def test_each_range_has_one_locked_version_in_it_on_every_machine(group: str) -> None:
    for python, machine in product(PYTHONS, MACHINES):
        there = environment(python, *machine)
        for wanted in asked(group):
            if wanted.marker is None or wanted.marker.evaluate(there):
                name = canonicalize_name(wanted.name)
                found = {p.version for p in of_group(group) if p.name == name and p.holds(there)}
                assert len(found) == 1, f"{name} on {python}, {machine}: {found}. {RENEW}"
                assert found.pop() in wanted.specifier, f"{wanted}. {RENEW}"


def test_a_package_has_one_version_whichever_files_are_installed() -> None:
    for python, machine in product(PYTHONS, MACHINES):
        there = environment(python, *machine)
        pins = {(p.name, p.version) for file in FILES for p in locked(file) if p.holds(there)}
        assert len(pins) == len({name for name, _ in pins}), f"{sorted(pins)}. {RENEW}"


@pytest.mark.parametrize("group", GROUPS)
def test_what_the_lock_takes_for_asked_for_is_asked_for(group: str) -> None:
    named = {canonicalize_name(wanted.name) for wanted in asked(group)}
    assert {p.name for p in of_group(group) if p.direct} <= named, RENEW


@pytest.mark.parametrize("group", GROUPS)
def test_what_a_package_here_needs_is_locked_too(group: str) -> None:
    """By the metadata of what is installed: a whole closure, as pip would walk it."""
    pins = {p.name: p.version for p in of_group(group) if p.holds(here())}
    seen: set[tuple[str, str]] = set()
    waiting = list(asked(group))
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        assert name in pins, f"{name} is not locked. {RENEW}"
        fresh = {(name, extra) for extra in ("", *wanted.extras)} - seen
        seen |= fresh
        if fresh and _installed(name) == pins[name]:
            waiting += _needs(name, {extra for _, extra in fresh})
    assert len(seen) >= len(list(asked(group)))


def _installed(name: str) -> Version | None:
    """The version that is here, without the label of a build (``2.13.0+cpu``)."""
    try:
        return Version(Version(metadata.version(name)).public)
    except metadata.PackageNotFoundError:
        return None


def _needs(name: str, extras: set[str]) -> list[Requirement]:
    needed = map(Requirement, metadata.requires(name) or [])
    return [
        one
        for one in needed
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)
    ]


@pytest.mark.parametrize("file", FILES)
def test_every_package_has_hashes_and_no_file_names_an_index(file: str) -> None:
    packages = locked(file)
    assert packages
    for package in packages:
        assert package.hashes, package.name
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in package.hashes)
    text = (FOLDER / f"{file}.txt").read_text()
    assert not re.search(r"://|^-|--(?!hash=)|\s@\s", text, re.MULTILINE)


def test_pytorch_is_taken_from_pypi_or_from_its_own_index_for_cpus() -> None:
    (torch,) = locked("torch")
    rows = [row.split() for row in (FOLDER / "torch-cpu.sha256").read_text().splitlines()]
    assert {f"sha256:{digest}" for digest, _ in rows} < set(torch.hashes)
    for python, machine in product(PYTHONS, ("x86_64", "aarch64")):
        tag = python.replace(".", "")
        start = f"torch-{torch.version}+cpu-cp{tag}-"
        assert [w for _, w in rows if w.startswith(start) and w.endswith(f"_{machine}.whl")]


@pytest.mark.parametrize("name", EXACT_VERSIONS)
def test_what_is_held_to_the_letter_takes_no_other_minor_version(name: str) -> None:
    (wanted,) = {
        w for group in ("run", "llm") for w in asked(group) if canonicalize_name(w.name) == name
    }
    versions = {p.version for file in ("run", "llm") for p in locked(file) if p.name == name}
    for version in versions:
        assert f"{version.major}.{version.minor + 1}.0" not in wanted.specifier


def test_what_builds_vigil_is_locked() -> None:
    locked_builders = {canonicalize_name(wanted.name): wanted for wanted in asked("build")}
    for builder in map(Requirement, project()["build-system"]["requires"]):
        assert locked_builders[canonicalize_name(builder.name)].specifier == builder.specifier


@pytest.mark.parametrize("file", ["Makefile", "Dockerfile", ".ci/run"])
def test_nothing_is_installed_but_by_the_lock(file: str) -> None:
    text = (ROOT / file).read_text()
    assert not re.search(r"pip3? +(?:\S+ +)*?(install|download)", text)
    assert "requirements/install.py" in text or "make test" in text


def test_an_upgrade_renews_the_lock_and_runs_everything() -> None:
    recipe = re.search(r"^upgrade:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    steps = [line.strip().lstrip("@") for line in recipe[1].splitlines()]
    assert steps == [
        "$(BIN)/python requirements/lock.py --upgrade", "$(MAKE) check", "$(MAKE) test",
    ]  # fmt: skip
