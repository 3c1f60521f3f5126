"""A real file system of a test's own, small enough to be filled."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.support.processes import open_folder


@contextmanager
def small_disk(size: int) -> Iterator[Path]:
    """A folder on a file system of so many bytes; skips the test where none can be mounted."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with open_folder() as folder:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", str(folder)]
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


def resize(disk: Path, size: int) -> None:
    """Give a small disk another size."""
    subprocess.run(["mount", "-o", f"remount,size={size}", str(disk)], check=True)


def fill(disk: Path) -> Path:
    """Leave nothing free; the file that takes the room."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while free := shutil.disk_usage(disk).free:
            file.write(bytes(min(free, 1 << 20)))
    return filler
