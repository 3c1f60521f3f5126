"""A whole Vigil whose broker, database, network and workers can be broken, and what it then holds.

The broker and the database are the test's own; ``vigil up`` reaches each through a proxy of the
test's. (A broker tells its clients where to come to: it tells them the proxy.) The test itself asks
the database past the proxy.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import httpx
import psycopg

from local import parts
from local.parts import HOST, free_port
from tests.conftest import KAFKA_HOME
from tests.support import oracle
from tests.support.doorbell import Doorbell
from tests.support.oracle import Moment, Outcome, Step
from tests.support.piece import Piece, standing
from tests.support.processes import end, open_folder
from tests.support.proxy import Proxy
from tests.support.running import eventually
from tests.support.topic_log import TopicLog, reading_log
from tests.support.whole import BACKGROUND_OUTPUT, Whole, whole
from vigil.contracts import topics
from vigil.domain.reading import Upload
from vigil.service.settings import Settings

WEB = "ingest dashboard"
PROCESSES = ("detectors", "store", "explain", "notify", WEB)
TIMEOUT_SECONDS = 180.0
"""How long a system may take to be done with everything once nothing is broken any more."""
READY_SECONDS = 180.0
"""How long a worker may take to start while others do, on a busy machine."""
DISK_MB = 1_500
"""Room for broker and database of a fault run, many times over."""
ROOT = Path(__file__).parents[2]


class Extra(NamedTuple):
    """A worker beside those that ``vigil up`` keeps."""

    process: subprocess.Popen[bytes]
    health_port: int

    def wait_ready(self) -> None:
        """Return once it is in its group and can work."""
        eventually(self._ready, READY_SECONDS)

    def _ready(self) -> bool:
        try:
            answer = httpx.get(f"http://{HOST}:{self.health_port}/health/ready", timeout=2)
        except httpx.TransportError as error:
            raise AssertionError(repr(error)) from error
        assert answer.status_code == 200, answer.text
        return True


class Faulty:
    """The system, and what it must come to hold; :func:`faulty` makes one."""

    def __init__(
        self, system: Whole, settings: Settings, broker: Piece, database: Piece,
        networks: tuple[Proxy, Proxy], doorbell: Doorbell, disk: Path,
    ):  # fmt: skip
        self.system = system
        self.settings = settings
        self.broker = broker
        self.database = database
        self.to_broker, self.to_database = networks
        self.doorbell = doorbell
        self.disk = disk
        """Where broker and database keep their data."""
        self.disk_of_its_own = disk.is_mount()
        """Whether that is a small file system which a test may fill."""
        self.forgotten = 0
        """Pages that went out and that the database, older again, knows nothing of."""
        self.expected = Outcome({}, {}, {})
        self.accepted: dict[Moment, dict[str, float]] = {}
        """Readings that the door took; what follows from them only the log can tell."""
        self._extra: list[Extra] = []
        self._clocks_wrong = False

    def expect(self, uploads: list[Upload]) -> None:
        """These uploads are about to be sent, in this order."""
        new = oracle.without_faults(uploads, self.settings)
        self.expected.readings.update(new.readings)
        self.expected.events.update(new.events)
        self.expected.alerts.update(new.alerts)

    def join(self, service: str, clock_seconds: float = 0) -> Extra:
        """One more worker of a service; its wall clock steps by so much (``wrong_clock.py``)."""
        self._clocks_wrong |= service == "notify" and clock_seconds != 0
        port = free_port()
        given = {"VIGIL_HEALTH_PORT": str(port), "PYTHONPATH": str(ROOT)}
        program = (sys.executable, "-m", "tests.support.wrong_clock", str(clock_seconds))
        process = self.system.start("run", service, given=given, program=program)
        worker = Extra(process, port)
        self._extra.append(worker)
        return worker

    def leave(self, worker: Extra, by: signal.Signals) -> None:
        """A worker goes: in order (SIGTERM) or not (SIGKILL)."""
        end(worker.process, by=by)
        self._extra.remove(worker)

    def heal(self) -> None:
        """Let the networks pass, and end every extra worker."""
        self.to_broker.heal()
        self.to_database.heal()
        while self._extra:
            self.leave(self._extra[-1], signal.SIGTERM)

    def settle_and_check(self) -> None:
        """Return once everything sent is handled: stored, nobody lags, and all is as it must be.

        Fails with what is missing if that takes too long.
        """
        readings, events, alerts = self.expected.counts()
        wanted = (readings + len(self.accepted), events, alerts)
        oracle.wait_until_stored(self._url(), wanted, TIMEOUT_SECONDS)
        with reading_log(self.settings, *oracle.READ_TOPICS, topics.DEAD_LETTERS.name) as log:
            oracle.wait_for_no_lag(self.settings, log.ends(), TIMEOUT_SECONDS)
            database = oracle.stored(self._url())
            log.read()
        self._check(database, log)

    def _check(self, database: Outcome, log: TopicLog) -> None:
        """Everything is there once, with the content that it has without faults."""
        by_log = oracle.of_log(log, self.settings)
        assert_same(self.expected.readings | self.accepted, database.readings)
        assert_same(by_log.readings, database.readings)
        events = oracle.on_topic(log, topics.EVENTS.name)
        alerts = oracle.on_topic(log, topics.ALERTS.name)
        for expected in (by_log, oracle.with_silence(self.expected, by_log)):
            assert_same(expected.events, database.events)
            assert_same(expected.alerts, database.alerts)
            assert_same(expected.events, events)
            assert_same(expected.alerts, alerts)
        self._check_dead_letters(log)
        self._check_pages(log)
        self._check_logs({patient for patient, _, _ in database.readings})

    def _check_logs(self, patients: Iterable[str]) -> None:
        """No log of the database's or of Vigil's names a patient."""
        logs = [*self.system.folder.rglob("*.log"), self.system.folder / BACKGROUND_OUTPUT]
        assert self.database.log in logs
        found = oracle.named(patients, logs)
        assert not found, f"patients named in logs: {found}"

    def _check_dead_letters(self, log: TopicLog) -> None:
        names = (topics.READINGS.name, topics.EVENTS.name, topics.ALERTS.name, topics.ACTIONS.name)
        assert_same(oracle.expected_dead_letters(log, names), oracle.dead_letters(log))

    def _check_pages(self, log: TopicLog) -> None:
        """Each page was planned once; one sent again was claimed by a worker that died."""
        query = "SELECT alert_id, sequence, attempts FROM deliveries WHERE channel = 'on_call'"
        with psycopg.connect(self._url()) as connection:
            rows = connection.execute(query).fetchall()
        planned: list[Step] = [(alert_id, sequence) for alert_id, sequence, _ in rows]
        assert len(planned) == len(set(planned))
        oracle.check_pages(set(planned), log, clocks_right=not self._clocks_wrong)
        assert self.doorbell.rung <= sum(attempts for *_, attempts in rows) + self.forgotten

    def _url(self) -> str:
        return self.database.part.address


def assert_same(expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> None:
    """Fail with the first few of what differs."""
    found_differences = oracle.differences(expected, found)
    short = {
        what: (len(keys), sorted(map(str, keys))[:5]) for what, keys in found_differences.items()
    }
    assert not found_differences, f"{len(expected)} expected, {len(found)} found: {short}"


@contextmanager
def faulty(kind: str, *, proxied: bool = True) -> Iterator[Faulty]:
    """A system on a broker of this kind (``tansu``, ``kafka``), up; taken down at the end.

    Args:
        proxied: False: its network cannot be broken, and passes no proxy in the test's process.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(open_folder())
        doorbell = stack.enter_context(Doorbell())
        to_broker = stack.enter_context(Proxy(free_port()))
        disk = stack.enter_context(_disk(folder / "disk"))
        front = to_broker.port if proxied else to_broker.to_port
        broker = stack.enter_context(standing(_broker(kind, disk, to_broker.to_port, front)))
        log = folder / "postgres.log"
        database = stack.enter_context(standing(parts.postgres(disk / "postgres"), log))
        port = urlsplit(database.part.address).port or 0
        to_database = stack.enter_context(Proxy(port))
        to = to_database.port if proxied else port
        behind = database.part.address.replace(f":{port}/", f":{to}/")
        settings = Settings(
            demo=True, kafka_bootstrap=f"{HOST}:{front}", partitions=3,
            database_url=database.part.address, session_timeout_ms=3000, log_level="ERROR",
        )  # fmt: skip
        given = {
            "VIGIL_DEMO": "1", "VIGIL_KAFKA_BOOTSTRAP": settings.kafka_bootstrap,
            "VIGIL_DATABASE_URL": behind, "VIGIL_PARTITIONS": "3",
            "VIGIL_SESSION_TIMEOUT_MS": "3000", "VIGIL_TICK_SECONDS": "3",
            "VIGIL_ONCALL_URLS": doorbell.url,
        }  # fmt: skip
        system = stack.enter_context(whole(folder, None, given=given))
        made = Faulty(system, settings, broker, database, (to_broker, to_database), doorbell, disk)
        stack.callback(made.heal)  # so that everything can end in order
        yield made


@contextmanager
def _disk(folder: Path) -> Iterator[Path]:
    """A folder; where the system lets us, a small file system of its own, which can be filled."""
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=755", "tmpfs", str(folder)]
    asked = subprocess.run(mount, capture_output=True, check=False) if os.geteuid() == 0 else None
    mounted = asked is not None and asked.returncode == 0
    try:
        yield folder
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", folder], check=True)


def _broker(kind: str, folder: Path, port: int, advertised: int) -> parts.Part:
    if kind == "tansu":
        return parts.tansu(port, advertised)
    assert KAFKA_HOME
    return parts.kafka(Path(KAFKA_HOME), folder / "kafka", port, advertised)
