"""TimescaleDB for tests, without Docker: the npm build of PostgreSQL and TimescaleDB in WASM.

It is one PostgreSQL session in memory, behind a socket that serves one connection at a time: what
a session keeps (prepared statements, search path) outlives a connection. :func:`emptied` puts it
back as it was.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

HERE = Path(__file__).parent
FILES = ("package.json", "start.mjs")
AGGREGATES = ("readings_1m", "readings_15m", "readings_1h", "readings_1d")
CACHE = Path.home() / ".cache" / "vigil-tests"


def installed() -> Path:
    """A folder with the packages in it, outside the repository; skips where there is no npm."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("TimescaleDB in WASM needs node and npm, and they are not here")
    contents = b"".join((HERE / name).read_bytes() for name in FILES)
    folder = CACHE / f"timescale-{sha256(contents).hexdigest()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "ready").exists():
            for name in FILES:
                shutil.copy(HERE / name, folder)
            install = ["npm", "install", "--no-audit", "--no-fund", "--legacy-peer-deps"]
            done = subprocess.run(install, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"npm cannot install TimescaleDB in WASM: {done.stderr[-300:]}")
            (folder / "ready").touch()
    return folder


@contextmanager
def serving() -> Iterator[str]:
    """A server of TimescaleDB for the length of the block; its URL."""
    process = subprocess.Popen(
        ["node", "start.mjs"], cwd=installed(), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        yield f"postgresql://postgres:postgres@127.0.0.1:{port}/postgres?sslmode=disable"
    finally:
        process.stdin.close()
        process.stdout.close()
        process.wait(30)


def emptied(url: str) -> None:
    """Drop everything but the extension, and what the session remembers."""
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection:
        connection.execute("DISCARD ALL")
        connection.execute("SET search_path TO public")
        for name in AGGREGATES:
            connection.execute(f"DROP MATERIALIZED VIEW IF EXISTS {name}")
        connection.execute("DROP TABLE IF EXISTS readings")  # a hypertable is dropped alone
        ours = connection.execute(
            "SELECT string_agg(quote_ident(tablename), ', ') FROM pg_tables"
            " WHERE schemaname = 'public'"
        ).fetchone()
        assert ours is not None
        if ours[0]:
            connection.execute(f"DROP TABLE {ours[0]} CASCADE")
        functions = connection.execute(
            "SELECT string_agg(p.oid::regprocedure::text, ', ') FROM pg_proc p"
            " WHERE pronamespace = 'public'::regnamespace AND NOT EXISTS"
            " (SELECT FROM pg_depend d WHERE d.objid = p.oid AND d.deptype = 'e')"
        ).fetchone()
        assert functions is not None
        if functions[0]:
            connection.execute(f"DROP FUNCTION {functions[0]} CASCADE")
