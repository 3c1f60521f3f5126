"""The faults that a running system can be given, by name; each is over when it returns."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import timedelta
from functools import partial
from pathlib import Path

from kafka.admin import NewTopic
from kafka.errors import TopicAlreadyExistsError
from msgspec.structs import replace

from tests.support.faulty import PROCESSES, Faulty
from tests.support.piece import Piece
from tests.support.proxy import Proxy
from tests.support.raw_records import NULL, nulls
from tests.support.schedule import Fault
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.domain.reading import Tick
from vigil.kafka.clients import Publisher, open_admin
from vigil.service.errors import UnavailableError, WireError
from vigil.values.clock import utc_now

CLOCKS_HOURS = (0.0, 3.0, -3.0, 48.0)
"""By how much the wall clocks of workers that join step."""
STORMY = ("detectors", "store", "detectors", "explain")


def kills(system: Faulty) -> list[Fault]:
    """``kill -9`` of each process that ``vigil up`` keeps; it is back when this returns."""
    return [Fault(f"kill {name}", partial(system.system.kill, name)) for name in PROCESSES]


def crashes(piece: Piece, name: str, unavailable_seconds: float) -> list[Fault]:
    """A crash of broker or database, and its start after a while; and a disk that hangs."""

    def crash() -> None:
        piece.kill()
        time.sleep(unavailable_seconds)
        piece.start()

    def bursts() -> None:
        for _ in range(3):
            piece.pause(unavailable_seconds / 4)
            time.sleep(unavailable_seconds / 8)

    return [Fault(f"{name} killed, away", crash), Fault(f"{name} hangs in bursts", bursts)]


def breaks(network: Proxy, name: str, seconds: float) -> list[Fault]:
    """A network that is cut, stalls, is slow, or resets what is connected."""

    def broken(how: Callable[[], None]) -> None:
        how()
        time.sleep(seconds)
        network.heal()

    return [
        Fault(f"network to {name} cut", partial(broken, network.cut)),
        Fault(f"network to {name} stalls", partial(broken, network.stall)),
        Fault(f"network to {name} slow", partial(broken, partial(network.slow, 0.05))),
        Fault(f"connections to {name} reset", network.drop),
    ]


def half_open(network: Proxy, name: str, seconds: float) -> Fault:
    """What is connected is lost and not told; it never is."""

    def act() -> None:
        network.half_open()
        time.sleep(seconds)
        network.heal()

    return Fault(f"network to {name} half open", act)


def storm(system: Faulty, draw: random.Random, joins: int) -> Fault:
    """Workers that join and leave one after another, in order or killed.

    The wall clock of all but the first of each four steps by hours or days. On Tansu none falls
    back: it keeps the timestamp of the producer, and an event that was detected after its record's
    timestamp gets that time instead (:mod:`vigil.contracts.clock_check`).
    """
    hours = CLOCKS_HOURS if system.broker.part.keeps_data else tuple(map(abs, CLOCKS_HOURS))
    order = [(STORMY[number % 4], hours[number % 4]) for number in range(joins)]
    ways = [draw.choice((signal.SIGTERM, signal.SIGKILL)) for _ in order]

    def act() -> None:
        joined = [system.join(service, 3600 * hours) for service, hours in order]
        for worker in joined:
            worker.wait_ready()
        for worker, by in zip(joined, ways, strict=True):
            time.sleep(draw.uniform(0.2, 1.5))
            system.leave(worker, by)

    described = ", ".join(f"{service} ({hours:+g} h)" for service, hours in order)
    return Fault(f"workers join and leave: {described}", act)


def poison(system: Faulty) -> Fault:
    """Messages that nobody can read, on each topic that a service reads."""

    def act() -> None:
        publisher = Publisher(system.settings, "poison", connect_timeout_seconds=TIMEOUT)
        with nulls():
            for topic in (topics.READINGS, topics.EVENTS, topics.ALERTS):
                publisher.publish(_poison(topic))
        publisher.close()

    return Fault("poison", act)


def future(system: Faulty) -> Fault:
    """Ticks of hours ahead, of years ahead and beyond any bound, in every partition."""

    def act() -> None:
        now = utc_now()
        ahead = [Tick(now + timedelta(hours=3)), Tick(now.replace(year=2200, day=1))]
        beyond = b'{"time":"9999-12-31T23:59:59.9999999Z"}'
        with closing(
            Publisher(system.settings, "future", connect_timeout_seconds=TIMEOUT)
        ) as publisher:
            for partition in range(system.settings.partitions):
                sent = [wire.to_message(tick, "future", partition) for tick in ahead]
                publisher.publish([*sent, replace(sent[0], value=beyond)])

    return Fault("ticks of the future", act)


def stuck_dead_letters(system: Faulty) -> Fault:
    """Unreadable messages whose dead letters would be larger than any message may be."""

    def act() -> None:
        publisher = Publisher(system.settings, "stuck", connect_timeout_seconds=TIMEOUT)
        headers = [(f"h{number}", b"") for number in range(120_000)]
        for topic in (topics.READINGS, topics.EVENTS, topics.ALERTS):
            publisher.publish([
                wire.Outgoing(topic.name, b"stuck", b"{}" + bytes(500_000), headers),
                wire.Outgoing(topic.name, b"k" * 2_000_000, b"x" * 1_500_000, []),
                wire.Outgoing(topic.name, b"stuck", b"{}", [("h" * 1_500_000, b"v" * 1_500_000)]),
            ])  # fmt: skip
        publisher.close()

    return Fault("messages whose dead letters are too large", act)


def older_database(system: Faulty, seconds: float) -> Fault:
    """The database is restored from a backup that was made so long before."""
    data, backup = system.disk / "postgres", system.disk / "backup"

    def act() -> None:
        system.database.kill()
        _copied(data, backup)
        system.database.start()
        time.sleep(seconds)
        system.database.kill()
        system.forgotten += system.doorbell.rung
        shutil.rmtree(data)
        backup.rename(data)
        system.database.start()

    return Fault(f"database restored from a backup of {seconds:.1f} s before", act)


def _copied(folder: Path, to: Path) -> None:
    """A copy with the owners that everything has: PostgreSQL opens no data but its own."""
    subprocess.run(["cp", "-a", folder, to], check=True)


def full_disk(system: Faulty, seconds: float) -> list[Fault]:
    """The disk of broker and database is full for so long; what ended of it is started again.

    Tansu's log is in memory and has no disk. Nothing where the disk is the machine's own.
    """

    def act() -> None:
        with open_admin(system.settings) as admin, suppress(TopicAlreadyExistsError):
            admin.create_topics([NewTopic("probe", 1, 1)])
        filler = system.disk / "filler"
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            with filler.open("ab") as file, suppress(OSError):
                file.write(bytes(shutil.disk_usage(system.disk).free))
            time.sleep(0.2)
        filler.unlink()
        system.database.start_again_if_ended()
        _until_it_takes(system)

    return [Fault("disk full", act)] if system.disk_of_its_own else []


def _until_it_takes(system: Faulty) -> None:
    """Return once the broker takes messages, twice: it ends a while after a write that failed."""
    deadline, taken = time.monotonic() + 3 * TIMEOUT, 0
    while taken < 2:
        system.broker.start_again_if_ended()
        try:
            with closing(
                Publisher(system.settings, "probe", connect_timeout_seconds=5)
            ) as publisher:
                publisher.publish([wire.Outgoing("probe", b"", b"", [])], timeout_seconds=2)
            taken += 1
        except (UnavailableError, WireError):
            assert time.monotonic() < deadline, "the broker takes nothing after its disk was full"
            taken = 0
        time.sleep(1.0)


def _poison(topic: topics.Topic) -> list[wire.Outgoing]:
    kind = wire.CE_TYPES
    promised = next(name for name, struct in kind.items() if struct is topic.carries[0])
    right = [("ce_type", promised.encode())]
    other = [("ce_type", b"org.vigil.unknown.v9")]
    values: list[tuple[bytes | None, wire.Headers]] = [
        (b"not JSON at all \xff\xfe", right),
        (b'{"patient_id": 7}', right),
        (b"[" * 50_000, right),
        (b'{"patient_id": "' + b"x" * 3_000_000 + b'"}', right),
        (b"{}", other),
        (b"{}", [("ce_type", NULL)]),
        (None, []),
    ]
    return [wire.Outgoing(topic.name, b"poison", value, headers) for value, headers in values]  # type: ignore[arg-type]
