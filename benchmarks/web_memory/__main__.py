"""The memory of the web process while the boards of a ward are open for hours.

``python -m benchmarks.web_memory [--patients 500] [--hours 2] [--browsers 20] [--trace]`` fills an
embedded PostgreSQL with a ward and starts the real web process beside it (devices' door and board,
uvicorn, Dash's websockets). Browsers open the board and a patient's page, receive its messages on
a websocket, ask again when a lease ends, and load the page anew in turn, one every ten minutes.

Compressed is time alone: every minute of the ward, one new heart rate of each patient, is one
commit as soon as all boards have the one before; the process's clock is moved with it, and
sparklines are read every 5 seconds instead of 30. Each message therefore has a minute's values of
every patient, instead of the few of half a second, and a lease of two minutes spans more of the
ward's time. An episode is opened and another one closed every ten minutes. No broker answers: its
clients retry all the time.

Printed every ten minutes of the ward: resident memory, Python's objects and allocated blocks after
a collection; in the end, the types that grew most since the 30th minute. ``--trace`` adds the lines
whose memory grew (``tracemalloc``).
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

from benchmarks.web_memory.browsers import PASSWORD, Browser, Site
from benchmarks.web_memory.process import SHOWN, ask, web_process
from local import parts
from store.database.connections import Connection, notify_board
from store.database.connections import connect as connect_database
from store.database.migrate import migrate
from tests.support.processes import started
from tests.support.seed import Seed, busy_ward
from vigil.service.settings import Settings

RELOAD_MINUTES, EVERY_MINUTES, WARM_MINUTES = 10, 10, 30
SHOWN_SECONDS = 15.0
_MINUTE = """
    INSERT INTO readings
        (patient_id, time, reading_key, device_id, received_at, heart_rate, activity)
    SELECT patient_id, %(time)s, hashtextextended(patient_id, %(number)s), 'seed-device', %(time)s,
           60 + (hashtextextended(patient_id, %(number)s) & 31), 'rest' FROM patients;
    UPDATE latest SET time = %(time)s, received_at = %(time)s,
           value = 60 + (hashtextextended(patient_id, %(number)s) & 31)
    WHERE signal = 'heart_rate'
"""


@dataclass
class Day:
    """The ward's minutes, written and awaited one by one."""

    connection: Connection
    process: subprocess.Popen[str]
    site: Site
    browsers: list[Browser]
    patients: list[str]
    begin: datetime
    samples: list[dict[str, Any]] = field(default_factory=list)

    async def run(self, minutes: int) -> None:
        """Every minute."""
        tasks = [asyncio.create_task(browser.run()) for browser in self.browsers]
        resident = psutil.Process(self.process.pid)
        try:
            for minute in range(1, minutes + 1):
                self._write(minute)
                await self._shown()
                for task in tasks:
                    if task.done():
                        task.result()  # a browser that failed is a fault of the benchmark
                if minute % RELOAD_MINUTES == 0:
                    turn = minute // RELOAD_MINUTES % len(self.browsers)
                    tasks[turn].cancel()  # whoever sits there loads the page anew
                    tasks[turn] = asyncio.create_task(self.browsers[turn].run())
                if minute % EVERY_MINUTES == 0:
                    self._sample(minute, resident)
        finally:
            for task in tasks:
                task.cancel()
            await self.site.client.aclose()

    async def _shown(self) -> None:
        """Until each board has the minute; a page that is just being loaded shows it anyway."""
        waiting = [one for one in self.browsers if not one.patient]
        try:
            async with asyncio.timeout(SHOWN_SECONDS):
                for browser in waiting:
                    await browser.seen.wait()
        except TimeoutError:
            self.site.failures["minute that a board did not receive in time"] += 1
        for browser in self.browsers:
            browser.seen.clear()

    def _write(self, minute: int) -> None:
        moment = self.begin + timedelta(minutes=minute)
        ahead = (moment - datetime.now(UTC)).total_seconds() + 2
        ask(self.process, f"clock {ahead}")
        for statement in _MINUTE.split(";"):
            self.connection.execute(statement.encode(), {"time": moment, "number": minute})
        if minute % 10 == 0:
            kind, seed = "heart_rate_high", Seed(self.connection, moment)
            turn = minute // 10
            seed.episode(self.patients[turn % len(self.patients)], kind, priority="high")
            before = self.patients[(turn - 1) % len(self.patients)]
            if turn > 1:
                seed.episode(
                    before,
                    kind,
                    phase="closed",
                    sequence=1,
                    onset=timedelta(minutes=32),
                    ended=timedelta(),
                )
        notify_board(self.connection, "benchmark")
        self.connection.commit()

    def _sample(self, minute: int, resident: psutil.Process) -> None:
        counted = ask(
            self.process, f"count {'keep' if minute == WARM_MINUTES else 'compare'}", answer=True
        )
        rss = resident.memory_info().rss / 1e6
        self.samples.append({**counted, "minute": minute, "rss": rss})
        print(
            f"| {minute} | {rss:,.1f} | {sum(counted['types'].values()):,}"
            f" | {counted['blocks']:,} | {self.site.messages:,} | {self.site.pages:,} |",
            flush=True,
        )


def report(day: Day) -> None:
    """What grew since the process was warm."""
    first = next((one for one in day.samples if one["minute"] >= WARM_MINUTES), day.samples[0])
    last = day.samples[-1]
    types = Counter(last["types"])
    types.subtract(first["types"])
    print("\nTypes that grew most:", ", ".join(f"{n} {c:+,}" for n, c in types.most_common(SHOWN)))
    print("Lost connections and failed requests:", dict(day.site.failures) or "none")
    print(f"Received by browsers: {day.site.received_bytes / 1e6:,.0f} MB")
    for line in last["grown"]:
        print(" ", line)


async def measure(day: Day, hours: float) -> None:
    """The table."""
    await day.site.sign_in()
    print(
        "| minute | resident, MB | objects | blocks | messages | pages |\n|---|---|---|---|---|---|"
    )
    await day.run(int(hours * 60))
    report(day)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=500)
    parser.add_argument("--hours", type=float, default=2)
    parser.add_argument("--browsers", type=int, default=20)
    parser.add_argument("--trace", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="vigil-benchmark-") as folder:
        Path(folder).chmod(0o755)
        with started(parts.postgres(Path(folder) / "data")) as part:
            migrate(part.address)
            settings = Settings(
                demo=True,
                database_url=part.address,
                http_port=parts.free_port(),
                kafka_bootstrap=f"{parts.HOST}:{parts.free_port()}",
            )
            run(settings, given)


def run(settings: Settings, given: argparse.Namespace) -> None:
    """Fill the database, start the web process, and measure it."""
    begin = datetime.now(UTC)
    patients = [f"p{number + 1:03d}" for number in range(given.patients)]
    site = Site(f"http://{parts.HOST}:{settings.http_port}")
    browsers = [
        Browser(site, number, patients[number] if number % 5 == 4 else "")
        for number in range(given.browsers)
    ]
    with connect_database(settings) as connection:
        seed = Seed(connection, begin)
        seed.user("kim", PASSWORD, "care_team", "Kim Berg")
        busy_ward(seed, given.patients, minutes=370)
        connection.execute("ANALYZE")
        connection.commit()
        with web_process(settings, given.trace) as process:
            day = Day(
                connection=connection,
                process=process,
                site=site,
                browsers=browsers,
                patients=patients,
                begin=begin,
            )
            asyncio.run(measure(day, given.hours))


if __name__ == "__main__":
    main()
