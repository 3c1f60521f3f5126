"""Starts the Java processes of tests quickly: an archive of loaded classes, and one compiler.

Both are given in ``JDK_JAVA_OPTIONS``, which every ``java`` below this process reads. A start of
Apache Kafka then takes 3 s of processor time instead of 9.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from local import parts
from tests.support.processes import started
from vigil.service.errors import UnavailableError

CACHE = Path.home() / ".cache" / "vigil-tests"
VARIABLE = "JDK_JAVA_OPTIONS"
ONE_COMPILER = "-XX:TieredStopAtLevel=1"


def start_faster(kafka_home: Path) -> None:
    """From now on. Makes the archive where this machine has none for this Java and Kafka.

    Where another process is making it, nothing waits for it: Java starts without one till then.
    """
    given = os.environ.pop(VARIABLE, "")
    archive = CACHE / f"kafka-{_version(kafka_home)}.jsa"
    CACHE.mkdir(parents=True, exist_ok=True)
    with archive.with_suffix(".lock").open("w") as lock, suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not archive.exists():
            with suppress(RuntimeError, UnavailableError):  # not every Java can make one
                _make_archive(kafka_home, archive)
    options = (given, ONE_COMPILER, f"-XX:SharedArchiveFile={archive}")
    os.environ[VARIABLE] = " ".join(filter(None, options))


def _version(kafka_home: Path) -> str:
    """Of Java and of Kafka's files: an archive serves no others."""
    java = subprocess.run(["java", "-version"], capture_output=True, check=False).stderr
    jars = sorted((jar.name, jar.stat().st_mtime_ns) for jar in (kafka_home / "libs").glob("*.jar"))
    return sha256(java + repr((kafka_home.resolve(), jars)).encode()).hexdigest()[:12]


def _make_archive(kafka_home: Path, archive: Path) -> None:
    """Java writes it as the broker ends."""
    new = archive.with_suffix(".new")
    new.unlink(missing_ok=True)
    try:
        with tempfile.TemporaryDirectory() as folder:
            os.environ[VARIABLE] = ONE_COMPILER
            part = parts.kafka(kafka_home, Path(folder))
            os.environ[VARIABLE] = f"{ONE_COMPILER} -XX:ArchiveClassesAtExit={new}"
            with started(part):
                pass
        if new.exists():
            new.replace(archive)
    finally:
        del os.environ[VARIABLE]
