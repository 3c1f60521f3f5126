"""How a command in a second terminal finds the Vigil that runs in the first.

While it runs, ``vigil up`` or ``vigil demo`` keeps ``.vigil/running.env`` in its working folder,
readable by its owner alone, with the addresses of its broker, database and web process. Other
commands in the same folder read from it the settings that their own environment lacks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

import psutil

from vigil.service.settings import Settings

FILE = Path(".vigil") / "running.env"
ADDRESSES = ("VIGIL_KAFKA_BOOTSTRAP", "VIGIL_DATABASE_URL")


@contextmanager
def published_addresses(settings: Settings) -> Iterator[None]:
    """Keep the file with the addresses while the block runs."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.unlink(missing_ok=True)
    FILE.touch(mode=0o600)
    lines = {
        "VIGIL_RUNNING_PID": str(os.getpid()),
        "VIGIL_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
        "VIGIL_DATABASE_URL": settings.database_url.get_secret_value(),
        "VIGIL_PUBLIC_URL": settings.public_url,
        "VIGIL_HTTP_PORT": str(settings.http_port),
        "VIGIL_DEMO": str(settings.demo),
    }
    if "deadletter_dir" in settings.model_fields_set:
        lines["VIGIL_DEADLETTER_DIR"] = str(settings.deadletter_dir.expanduser().resolve())
    FILE.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    try:
        yield
    finally:
        FILE.unlink(missing_ok=True)


def adopt_addresses(environment: MutableMapping[str, str]) -> bool:
    """Fill the environment with the addresses of a running Vigil.

    An environment that already names a broker or a database is left unchanged, and so is one where
    the process that wrote the file no longer exists.

    Returns:
        True where there was a running Vigil.
    """
    if any(name in environment for name in ADDRESSES) or not FILE.exists():
        return False
    found = dict(line.split("=", 1) for line in FILE.read_text().splitlines() if "=" in line)
    pid = found.pop("VIGIL_RUNNING_PID", "")
    if not pid.isdigit() or not psutil.pid_exists(int(pid)):
        return False
    for name, value in found.items():
        environment.setdefault(name, value)
    return True
