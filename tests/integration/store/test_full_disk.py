"""A database whose disk is full, really: a small file system of the test's own."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import dict_row

from store.workers.checkpoints import Checkpoints, GroupPartition, Saving
from store.writing.writer import write
from tests.support.messages import measurement, received, upload
from tests.support.processes import open_folder
from vigil.service.errors import UnavailableError
from vigil.service.settings import Settings

PLACE = GroupPartition("detectors", "vitals.readings", 0)


@pytest.fixture
def small_disk(postgres_url: str) -> Iterator[Path]:
    """A folder on a file system of 8 MB that the server may write to."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small file system")
    with psycopg.connect(postgres_url) as connection:
        row = connection.execute("SHOW data_directory").fetchone()
    assert row is not None
    owner = Path(row[0]).stat()
    with open_folder() as folder:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size=8m,uid={owner.st_uid},mode=700", "tmpfs", folder],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        if mounted.returncode:
            pytest.skip(f"mounting is not allowed here: {mounted.stderr.strip()}")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def cramped_url(postgres_url: str, database_url: str, small_disk: Path) -> Iterator[str]:
    """A database whose growing tables are on the small disk, which something else fills."""
    space = f"small_{database_url.rsplit('_', 1)[1]}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"CREATE TABLESPACE {space} LOCATION '{small_disk}'")
        for table in ("readings", "detector_states"):
            connection.execute(f"ALTER TABLE {table} SET TABLESPACE {space}")
    yield database_url
    with psycopg.connect(database_url, autocommit=True) as connection:
        for table in ("readings", "detector_states"):
            connection.execute(f"ALTER TABLE {table} SET TABLESPACE pg_default")
        connection.execute(f"DROP TABLESPACE {space}")


def free(disk: Path) -> int:
    return shutil.disk_usage(disk).free


def fill(disk: Path) -> Path:
    """Leave nothing free; the file that takes the room."""
    filler = disk / "filler"
    with filler.open("wb") as file:
        file.write(bytes(free(disk)))
    assert free(disk) == 0
    return filler


def test_what_a_full_disk_refused_is_written_once_there_is_room(
    cramped_url: str, small_disk: Path
) -> None:
    batch = [received(upload(*(measurement(second) for second in range(900))))]
    with psycopg.connect(cramped_url, row_factory=dict_row) as connection:
        filler = fill(small_disk)
        with pytest.raises(UnavailableError) as raised:
            write(connection, batch)
        assert raised.value.code == "unavailable.database_full"
        assert "Free space" in raised.value.how_to_fix
        connection.rollback()
        filler.unlink()
        written = write(connection, batch)
        assert (written.rejected, written.new["readings"]) == ([], 900)


def test_offset_and_states_stay_together_on_a_full_disk(cramped_url: str, small_disk: Path) -> None:
    store = Checkpoints(Settings(demo=True, database_url=cramped_url))
    claimed, _ = store.claim(PLACE, "log")
    states = {f"p{n}": os.urandom(1500) for n in range(300)}
    saving = Saving(PLACE, replace(claimed, next_offset=5), states)
    filler = fill(small_disk)
    with pytest.raises(UnavailableError) as raised:
        store.save([saving])
    assert raised.value.code == "unavailable.database_full"
    filler.unlink()
    store.save([saving])
    again, found = store.claim(PLACE, "log")
    assert (again.next_offset, found) == (5, states)
    store.close()
