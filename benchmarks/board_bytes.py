"""How many bytes an open ward board receives for a change.

``python -m benchmarks.board_bytes [--patients 500]`` fills an embedded PostgreSQL with a ward in
which a few patients alarm and each has a sparkline of six hours, reads the board as the web process
does while all workers run, and weighs its messages as JSON in UTF-8, without a websocket's frames.
For each change it weighs the same content in two forms: what changed since the browser's version,
and, as it was before there were versions, every row's key and digest, the head, and the changed
row whole.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from dashboard.board.rows import digest_text
from dashboard.live.stream import Message, PageContent, Stream
from dashboard.live.views import Views
from dashboard.shell.context import WebContext
from local import parts
from store.database.connections import Connection, async_pool, connect
from store.database.migrate import migrate
from store.episodes.feed import BoardFeed
from tests.support.processes import started
from tests.support.seed import Seed, busy_ward
from tests.support.statuses import received_statuses, status
from vigil.service.settings import Settings

WORKERS = ("ingest", "detectors", "explain", "notify", "store")
EACH = 20
"""Patients that a change is made to, one after the other."""

Change = Callable[[Seed, str], object]


def _value(seed: Seed, patient: str) -> None:
    seed.connection.execute(
        "UPDATE latest SET value = value + 1, received_at = now() WHERE patient_id = %s"
        " AND signal = 'heart_rate'",
        (patient,),
    )


def _leave(seed: Seed, patient: str) -> None:
    seed.connection.execute("UPDATE patients SET active = false WHERE patient_id = %s", (patient,))


CHANGES: dict[str, Change] = {
    "a new value": _value,
    "a new alert, at the top": lambda seed, patient: seed.episode(
        patient, "blood_pressure_high", priority="high"
    ),
    "a patient who leaves": _leave,
    "nothing": lambda _seed, _patient: None,
}


def listed(content: PageContent, had: dict[str, str], message: Message) -> Message:
    """The form of before: every row is named."""
    return {
        "stream": 1,
        "at": message["at"],
        "state": message["state"],
        "order": [[piece.key, digest_text(piece.digest)] for piece in content.fragments],
        "pieces": {
            piece.key: {"css": piece.css, "html": piece.html}
            for piece in content.fragments
            if had.get(piece.key) != piece.digest
        },
        "head": content.head,
        "turn": "",
    }


def weigh(message: Message) -> int:
    """Bytes of a message."""
    return len(msgspec.json.encode(message, enc_hook=str))


async def measure(settings: Settings, connection: Connection) -> None:
    """Make each change to some patients, and print what their messages weigh."""
    async with async_pool(settings) as pool:
        context = WebContext(settings=settings, pool=pool, feed=BoardFeed(settings))
        views = Views(context)
        read = views.reader({"page": "board"})
        content = await read()
        first = {piece.key: piece.digest for piece in content.fragments}
        version = views.versions.remember(content.fragments, content.head).version
        start: dict[str, Any] = {"stream": 1, "version": version}
        stream = Stream(context, read, versions=views.versions, start=start)
        patients = sorted(first)[:: max(1, len(first) // EACH)]
        now = [status(name, time=datetime.now(UTC)) for name in WORKERS]
        print("| change | before, bytes | now, median | now, largest |\n|---|---|---|---|")
        with received_statuses(context.monitor, *now):
            for what, change in CHANGES.items():
                await _next(stream, read)
                before, after = [], []
                for patient in patients:
                    had = {piece.key: piece.digest for piece in (await read()).fragments}
                    change(Seed(connection, datetime.now(UTC)), patient)
                    connection.commit()
                    context.feed.wake()
                    message, content = await _next(stream, read)
                    before.append(weigh(listed(content, had, message)))
                    after.append(weigh(message))
                print(
                    f"| {what} | {statistics.median(before):,.0f}"
                    f" | {statistics.median(after):,.0f} | {max(after):,} |"
                )
        print(f"\nRequest of a poll: {weigh({**start, 'view': 'x' * 19, 'page': 'board'})} bytes")


async def _next(stream: Stream, read: Callable[[], Any]) -> tuple[Message, PageContent]:
    return await stream.read_once(), await read()


@contextmanager
def ward(patients: int) -> Iterator[Settings]:
    """An embedded PostgreSQL with a ward; its settings."""
    with tempfile.TemporaryDirectory(prefix="vigil-benchmark-") as folder:
        Path(folder).chmod(0o755)
        with started(parts.postgres(Path(folder) / "data")) as part:
            migrate(part.address)
            settings = Settings(demo=True, database_url=part.address)
            with connect(settings) as connection:
                seed = Seed(connection, datetime.now(UTC))
                busy_ward(seed, patients, minutes=370)
                seed.commit()
            yield settings


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=500)
    given = parser.parse_args()
    with ward(given.patients) as settings, connect(settings) as connection:
        print(f"{given.patients} patients\n")
        asyncio.run(measure(settings, connection))


if __name__ == "__main__":
    main()
