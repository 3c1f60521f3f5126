"""The compiled wheel: built once, and its events and states are those of the Python beside it."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import msgspec
import pytest

from detectors.build import PURE, describe
from tests.support import compiled_wheel, digests, handed_over
from tests.support.generated_wards import WARDS
from tests.support.retired_words import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.xdist_group("compiled"),
    pytest.mark.skipif(describe() != PURE, reason="runs on the compiled wheel already"),
]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled wheel's files."""
    folder = tmp_path_factory.mktemp("compiled")
    wheel = compiled_wheel.build(folder / "dist")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "files")
    return folder / "files"


def _run(unpacked: Path, *command: str) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{unpacked}{os.pathsep}{ROOT}"}
    found = subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=unpacked,
        check=True,
        text=True,
        capture_output=True,
    )
    return found.stdout


def test_the_wheel_says_that_it_is_compiled(unpacked: Path) -> None:
    code = "from detectors.build import describe; print(describe())"
    assert _run(unpacked, "-c", code).strip() == "compiled"


def test_events_and_states_are_those_of_python(unpacked: Path) -> None:
    code = (
        "import msgspec; from tests.support.digests import WARDS, digest;"
        "print(msgspec.json.encode({name: digest(name) for name in WARDS}).decode())"
    )
    found = msgspec.json.decode(_run(unpacked, "-c", code), type=dict[str, digests.Digest])
    assert found == {name: digests.digest(name) for name in WARDS}


@pytest.mark.parametrize("name", ["minutes", "charted"])
def test_a_patient_goes_on_in_the_other_build(name: str, unpacked: Path, tmp_path: Path) -> None:
    begun = handed_over.begin(name)
    half = tmp_path / "half"
    half.write_bytes(begun)
    found = _run(unpacked, "-m", "tests.support.handed_over", name, str(half))
    assert found.split() == handed_over.finish(name, begun)


def test_no_compiled_module_defines_a_struct() -> None:
    """In a compiled module a struct of msgspec loses its options, and nothing says so."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    hook = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["hooks"]["mypyc"]
    for name in hook["include"]:
        nodes = ast.walk(ast.parse((ROOT / name).read_text()))
        classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
        bases = [ast.unparse(base) for node in classes for base in node.bases]
        assert "Struct" not in bases, name
