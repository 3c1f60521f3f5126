"""A running system among messages that nobody of ours wrote, and what it must have made of them.

Good readings stand between the others on the same partitions. Afterwards everything about the
good ones is as without the others, nobody has ended or waits, and of each other message it can be
said what became of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import psutil
import psycopg

from tests.support import oracle
from tests.support.faulty import PROCESSES, TIMEOUT_SECONDS, Faulty, assert_same
from tests.support.fuzzing import Fuzzer
from tests.support.oracle import READERS, Outcome
from tests.support.raw_records import nulls
from tests.support.running import eventually
from tests.support.schedule import print_line
from tests.support.streaming import read_all
from tests.support.timeouts import TIMEOUT
from tests.support.topic_log import TopicLog, reading_log
from vigil.contracts import topics, wire
from vigil.domain.reading import Upload
from vigil.kafka.clients import Publisher
from vigil.service.errors import WireError
from vigil.service.health import is_ready
from vigil.service.settings import Settings

CHUNK = 5_000
"""Messages sent at once."""
FAILED = "failed on this message"
"""In the detail of a letter whose message made a worker's own code fail: there may be none."""
GROWTH_MB = 200
"""By how much a process may grow after the first fifth: buffers, and forty people's states."""


class DeadLetter(NamedTuple):
    """A dead letter, as far as it is looked at."""

    reason: str
    detail: str


def between(
    system: Faulty, uploads: Sequence[Upload], fuzzer: Fuzzer, count: int
) -> dict[str, int]:
    """Send so many messages of a fuzzer with the uploads evenly between them.

    Returns:
        What each process used of memory after a fifth of it, in bytes.
    """
    system.expect(list(uploads))
    publisher = Publisher(system.settings, "fuzz", connect_timeout_seconds=TIMEOUT)
    fuzz, good, used = fuzzer.messages(count), iter(uploads), {}
    rounds = max(1, count // CHUNK)
    each = -(-len(uploads) // rounds)
    try:
        with nulls():
            for number in range(rounds):
                chunk = [sent.message for sent in islice(fuzz, CHUNK)]
                mine = [wire.to_message(upload, "test") for upload in islice(good, each)]
                publisher.publish(_mixed(chunk, mine), timeout_seconds=120)
                if number == rounds // 5:
                    used = memory(system)
    finally:
        publisher.close()
    return used


def _mixed(one: list[wire.Outgoing], other: list[wire.Outgoing]) -> Iterator[wire.Outgoing]:
    """Both in order, the second spread evenly over the first."""
    step = max(1, len(one) // max(1, len(other)))
    rest = iter(other)
    for number, message in enumerate(one):
        yield message
        if number % step == 0:
            yield from islice(rest, 1)
    yield from rest


def memory(system: Faulty) -> dict[str, int]:
    """What each process of the system uses now, in bytes."""
    found = {name: system.system.pid_of(name) for name in PROCESSES}
    return {name: psutil.Process(pid).memory_info().rss for name, pid in found.items() if pid}


def settle(system: Faulty, log: TopicLog, people: set[str]) -> None:
    """Return once everything is handled: good readings stored, told and paged, and nobody lags."""
    url, wanted = system.database.part.address, system.expected.counts()
    oracle.wait_until_stored(url, wanted, 4 * TIMEOUT_SECONDS, people)
    log.read()
    oracle.wait_for_no_lag(system.settings, log.ends(), 4 * TIMEOUT_SECONDS)


def outcome_of(outcome: Outcome, people: set[str]) -> Outcome:
    """What of an outcome is about these people."""
    return Outcome(
        {key: values for key, values in outcome.readings.items() if key[0] in people},
        {key: event for key, event in outcome.events.items() if event.patient_id in people},
        {key: alert for key, alert in outcome.alerts.items() if alert.patient_id in people},
    )


def check_the_good(system: Faulty, log: TopicLog, people: set[str]) -> None:
    """Everything about these people is there once, as it is where nothing else is on the topics."""
    database = outcome_of(oracle.stored(system.database.part.address), people)
    log.read()
    by_log = oracle.of_log(log, system.settings, people)
    expected = oracle.with_silence(system.expected, by_log)
    assert_same(expected.readings, database.readings)
    assert_same(expected.events, database.events)
    assert_same(expected.alerts, database.alerts)
    assert_same(expected.events, _steps_on(log, topics.EVENTS.name, people))
    assert_same(expected.alerts, _steps_on(log, topics.ALERTS.name, people))
    alerts = ((a, at) for a, at in oracle.published_alerts(log) if a.patient_id in people)
    assert paged(system, people) == oracle.pages(alerts)


def _steps_on(log: TopicLog, topic: str, people: set[str]) -> dict[oracle.Step, Any]:
    """The events or alerts of these people on a topic."""
    messages: Iterator[Any] = (message for _, message in log.messages(topic))
    return {oracle.step_of(m): m for m in messages if m.patient_id in people}


def paged(system: Faulty, people: set[str]) -> set[tuple[str, int]]:
    """Which alerts of these people on-call staff were to be paged about; each once."""
    query = """
        SELECT alert_id, sequence FROM deliveries
        WHERE channel = 'on_call' AND patient_id = ANY(%s)
    """
    with psycopg.connect(system.database.part.address) as connection:
        rows = connection.execute(query, (sorted(people),)).fetchall()
    assert len(rows) == len(set(rows))
    return set(rows)


def dead_letters(settings: Settings) -> dict[tuple[str, str], DeadLetter]:
    """Service and origin → its letter. What a stranger wrote to the topic is not among them."""
    found: dict[tuple[str, str], DeadLetter] = {}
    with reading_log(settings, topics.DEAD_LETTERS.name) as log:
        for placed in log.records_of(topics.DEAD_LETTERS.name):
            header = placed.record.header
            origin, service = header("vigil_origin"), header("ce_source").rpartition("/")[2]
            if origin and service in READERS:
                dead_letter = DeadLetter(header("vigil_reason"), header("vigil_detail"))
                assert found.setdefault((service, origin), dead_letter) == dead_letter
    return found


def check_the_others(
    system: Faulty, log: TopicLog, people: Iterable[str]
) -> Counter[tuple[str, str, str]]:
    """What became of every message that was not good: service, topic and reason → how many.

    A message that cannot be decoded has its letter with the reason; one that can be has none but
    that the service refused it by name.
    """
    kept, reported = dead_letters(system.settings), Counter[tuple[str, str, str]]()
    log.read()
    good = {person.encode() for person in people}
    for topic in oracle.READ_TOPICS:
        for placed in log.records_of(topic):
            if placed.record.key in good:
                continue
            decoded = placed.decode()
            expected = decoded.code if isinstance(decoded, WireError) else ""
            for service in (s for s, read in READERS.items() if topic in read):
                dead_letter = kept.pop((service, placed.origin), None)
                _check_dead_letter(service, placed.origin, expected, dead_letter)
                reported[service, topic, dead_letter.reason if dead_letter else "taken"] += 1
    assert not kept, f"letters of nothing: {[*kept.items()][:3]}"
    return reported


def _check_dead_letter(
    service: str, origin: str, expected: str, dead_letter: DeadLetter | None
) -> None:
    where = f"{service} at {origin}: {dead_letter}"
    if expected:
        assert dead_letter is not None, f"{where}, expected {expected}"
        assert dead_letter.reason == expected, f"{where}, expected {expected}"
    elif dead_letter is not None:
        assert dead_letter.reason == "wire.rejected", where
        assert FAILED not in dead_letter.detail, where


def check_processes(
    system: Faulty, pids: Mapping[str, int | None], used: Mapping[str, int]
) -> None:
    """Nobody ended, everybody is ready, and nobody's memory grew with what they could not use."""
    assert pids == {name: system.system.pid_of(name) for name in PROCESSES}
    now = memory(system)
    grown = {name: (now[name] - before) / 1e6 for name, before in used.items()}
    print_line(f"memory grew, MB: { {name: round(by) for name, by in grown.items()} }")
    assert all(by < GROWTH_MB for by in grown.values()), grown
    eventually(lambda: _all_ready(system.settings), TIMEOUT_SECONDS)


def _all_ready(settings: Settings) -> bool:
    """By the newest word of each worker's on ``vitals.status``."""
    newest: dict[str, Any] = {}
    for record in read_all(settings, topics.STATUS.name):
        try:
            status: Any = wire.decode(topics.STATUS.name, record.value, record.headers)
        except WireError:
            continue
        if status.service in READERS and not status.instance.startswith("fuzz"):
            newest[status.service] = status
    troubles = {n: s.trouble for n, s in newest.items() if not is_ready(s.trouble)}
    assert newest.keys() == READERS.keys()
    assert not troubles, troubles
    return True
