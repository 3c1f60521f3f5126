"""Which build of PyTorch is installed, from indexes of this test with small wheels in them."""

from __future__ import annotations

import platform
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

from local.parts import HOST, free_port
from tests.support.environments import make_environment
from tests.support.lockfiles import FOLDER

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is one build")
TAG = f"cp{sys.version_info[0]}{sys.version_info[1]}"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_args: object) -> None:
        """Print no line for each request."""


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """A package index over HTTP; its address."""
    with ThreadingHTTPServer((HOST, 0), partial(_Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def add_wheel(index: Path, version: str) -> tuple[str, str]:
    """Put a wheel of PyTorch without content into an index; its hash and name."""
    name = f"torch-{version}-{TAG}-{TAG}-manylinux_2_17_{platform.machine()}.whl"
    page = index / "torch"
    page.mkdir(parents=True)
    info = f"torch-{version}.dist-info"
    with ZipFile(page / name, "w") as wheel:
        wheel.writestr("torch.py", f"BUILD = {version!r}\n")
        wheel.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: {TAG}-{TAG}-linux\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    (page / "index.html").write_text(f'<a href="{name}">{name}</a>')
    return sha256((page / name).read_bytes()).hexdigest(), name


class Machine:
    """An environment, a lock, PyPI, and PyTorch's index for CPUs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.lock = folder / "requirements"
        self.lock.mkdir()
        shutil.copy(FOLDER / "install.py", self.lock)
        self.python = make_environment(folder / "venv", ["pip"])
        default, _ = add_wheel(folder / "pypi", "2.13.0")
        self.cpu, self.cpu_name = add_wheel(folder / "cpu", "2.13.0+cpu")
        self.write_lock([default, self.cpu], {self.cpu: self.cpu_name})

    def write_lock(self, hashes: list[str], cpu_builds: Mapping[str, str]) -> None:
        """Name the builds that may be installed."""
        lines = " \\\n".join(["torch==2.13.0", *(f"    --hash=sha256:{h}" for h in hashes)])
        (self.lock / "torch.txt").write_text(f"{lines}\n")
        rows = "".join(f"{digest}  {name}\n" for digest, name in cpu_builds.items())
        (self.lock / "torch-cpu.sha256").write_text(rows)

    def install(self, pypi: str, index: str) -> subprocess.CompletedProcess[str]:
        """Install PyTorch as ``make demo`` does."""
        code = "import sys, install; install._torch(sys.argv[1])"
        environment = {
            "PYTHONPATH": str(self.lock),
            "PIP_INDEX_URL": pypi,
            "PIP_CONFIG_FILE": "/dev/null",
        }
        return subprocess.run(
            (self.python, "-c", code, index),
            env=environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=240,
        )

    def build(self) -> str:
        """Which build is installed."""
        code = "import torch; print(torch.BUILD)"
        return subprocess.check_output((self.python, "-c", code), text=True).strip()


def test_the_build_for_cpus_is_preferred(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    with serve(tmp_path / "pypi") as pypi, serve(tmp_path / "cpu") as cpu:
        done = machine.install(pypi, cpu)
    assert done.returncode == 0, done.stderr
    assert machine.build() == "2.13.0+cpu"


@pytest.mark.parametrize("index", ["", "nobody listens"])
def test_the_default_build_is_taken_where_that_index_cannot_be_reached(
    tmp_path: Path, index: str
) -> None:
    machine = Machine(tmp_path)
    with serve(tmp_path / "pypi") as pypi:
        done = machine.install(pypi, index and f"http://{HOST}:{free_port()}")
    assert done.returncode == 0, done.stderr
    assert machine.build() == "2.13.0"


def test_an_index_without_a_build_whose_hash_is_locked_is_not_asked(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (tmp_path / "requirements" / "torch-cpu.sha256").write_text("")
    with serve(tmp_path / "pypi") as pypi, serve(tmp_path / "cpu") as cpu:
        done = machine.install(pypi, cpu)
    assert done.returncode == 0, done.stderr
    assert machine.build() == "2.13.0"


def test_a_build_with_another_hash_than_the_locked_is_refused(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    machine.write_lock(["0" * 64], {"0" * 64: machine.cpu_name})
    with serve(tmp_path / "pypi") as pypi, serve(tmp_path / "cpu") as cpu:
        done = machine.install(pypi, cpu)
    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
