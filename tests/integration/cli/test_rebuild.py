"""``vigil rebuild``, as it is typed, beside a system that has seen a recording."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic import SecretStr

from cli.services import build
from history.rebuild_sources import FromStore
from tests.support.recordings import LOOSE, START, recording, vigil
from tests.support.running import eventually, running
from tests.support.streaming import read_all
from tests.support.timeouts import TIMEOUT
from vigil.contracts import topics, wire
from vigil.domain.episode import Event
from vigil.domain.reading import Context, Measurement, Tick, Upload
from vigil.kafka.clients import Publisher
from vigil.service.errors import InputError
from vigil.service.settings import Settings

pytestmark = pytest.mark.kafka


@pytest.fixture(scope="module")
def seen(broker: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A broker, and a database to copy, after store and detectors have seen a recording, somebody's
    late readings, and then an hour and a half of a clock in which nothing came."""
    name = f"t_{secrets.token_hex(6)}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template")
    url = postgres_url.replace("/postgres", f"/{name}")
    settings = Settings(
        demo=True, kafka_bootstrap=broker, database_url=url, partitions=3, log_level="ERROR",
        startup_timeout_seconds=TIMEOUT,
    )  # fmt: skip
    with ExitStack() as stack:
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        typed(patched, settings)
        for service in ("store", "detectors"):
            stack.enter_context(running(build(service, settings), settings))
        path = recording(tmp_path_factory.mktemp("seen"), patients=3, days=3)
        replayed = vigil("replay", path)
        assert replayed.exit_code == 0, replayed.output
        assert vigil("patient", "add", "p-late", "--ward", "late").exit_code == 0
        send(settings, [wire.to_message(one, "test") for one in buffered()])
        eventually(lambda: count(settings, "readings") == 3 * 3 * 144 + 240)
        ticks = [Tick(START + timedelta(days=3, minutes=minute)) for minute in range(90)]
        send(
            settings, [wire.to_message(tick, "test", place) for tick in ticks for place in range(3)]
        )
        eventually(lambda: settled(settings))
    return settings


def buffered() -> list[Upload]:
    """Four hours of somebody whose device sends what is new first, and its buffer afterwards."""
    begin = START + timedelta(days=2, hours=20)

    def upload(minutes: range, received: int) -> Upload:
        rates = ((minute, 165.0 if 80 <= minute < 140 else 70.0) for minute in minutes)
        items = tuple(
            Measurement(f"late-{minute}", begin + timedelta(minutes=minute),
                        {"heart_rate": rate + minute % 3}, Context("rest"))
            for minute, rate in rates
        )  # fmt: skip
        return Upload("p-late", "band", begin + timedelta(minutes=received, seconds=5), items)

    uploads = [upload(range(minute, minute + 1), minute) for minute in range(60)]
    uploads += [upload(range(minute, minute + 1), minute) for minute in range(180, 239)]
    return [*uploads, upload(range(60, 180), 239), upload(range(239, 240), 240)]


def send(settings: Settings, messages: list[wire.Outgoing]) -> None:
    """Put messages on the topic, each where it says."""
    publisher = Publisher(settings, "test")
    try:
        publisher.publish(messages)
    finally:
        publisher.close()


@pytest.fixture
def system(
    seen: Settings, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """The same log, with a database of this test's own; the command finds them by itself."""
    name, template = f"t_{secrets.token_hex(6)}", seen.database().rpartition("/")[2]
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        url = postgres_url.replace("/postgres", f"/{name}")
        settings = seen.model_copy(update={"database_url": SecretStr(url)})
        typed(monkeypatch, settings)
        yield settings
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def typed(patched: pytest.MonkeyPatch, settings: Settings) -> None:
    """What `vigil` reads in a second terminal."""
    patched.setenv("VIGIL_DEMO", "1")
    patched.setenv("VIGIL_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    patched.setenv("VIGIL_DATABASE_URL", settings.database())


def count(settings: Settings, relation: str) -> int:
    return int(ask(settings, f"SELECT count(*) FROM {relation}")[0][0])


def settled(settings: Settings) -> bool:
    """Everything on the topics was judged, and what that told is stored."""
    announced = len(read_all(settings, topics.EVENTS.name))
    judged = ask(settings, "SELECT sum(next_offset) FROM checkpoints WHERE next_offset > 0")
    sent = len(read_all(settings, topics.READINGS.name))
    return judged[0][0] == sent and announced > 0 and count(settings, "events") == announced


def ask(settings: Settings, query: str, *values: Any) -> list[Any]:
    with psycopg.connect(settings.database()) as connection:
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []


def rebuilt(tmp_path: Path, *words: object) -> tuple[int, str, list[dict[str, Any]]]:
    """Exit status, what was printed, and the lines of ``--out``."""
    out = tmp_path / "out.jsonl"
    result = vigil("rebuild", *words, "--out", out)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return (
        result.exit_code,
        result.output,
        [json.loads(line) for line in out.read_text().splitlines()],
    )


def test_a_replayed_recording_is_rebuilt_without_a_difference_and_a_tampering_is_named(
    system: Settings, tmp_path: Path
) -> None:
    announced, missed = count(system, "events"), count(system, "events WHERE kind = 'no_data'")
    assert missed == 4
    assert count(system, "events WHERE retrospective AND patient_id = 'p-late'") >= 2
    for history, not_announced in (("store", 4), ("topic", 0)):
        status, output, lines = rebuilt(tmp_path, "--from", history)
        assert (status, len(lines)) == (0, 1), output
        assert "no difference" in output
        assert f"{3 * 3 * 144 + 240} readings of 4 patients" in output
        assert ("not compared: 4 steps no_data" in output) == bool(not_announced)
        assert (
            count(system, "shadow.events") + not_announced == announced == count(system, "events")
        )
        assert count(system, "shadow.episodes") + not_announced == count(system, "episodes")
    status, output, lines = rebuilt(tmp_path, "--silence", "--ward", "recordings")
    assert status == 0, output
    assert count(system, "shadow.events WHERE kind = 'no_data'") == 3
    before = len(read_all(system, topics.EVENTS.name))
    gone, raised, alone = tamper(system)
    for history in ("store", "topic"):
        status, output, lines = rebuilt(tmp_path, "--from", history)
        assert status == 1, output
        found = {line["live"]["episode_id"] if line["live"] else line["shadow"]["episode_id"]: line
                 for line in lines[1:]}  # fmt: skip
        assert {ident: line["verdict"] for ident, line in found.items()} == {
            gone: "only_shadow", raised: "changed", alone: "changed",
        }  # fmt: skip
        assert found[raised]["changes"] == ["step 0: priority low → medium"]
        assert found[alone]["changes"] == ["step 1 is only in the shadow"]
        for ident in (gone, raised, alone):
            assert ident in output
        assert "different: 0 only live, 1 only in the shadow, 2 changed" in output
    assert len(read_all(system, topics.EVENTS.name)) == before, "a rebuild publishes nothing"
    assert "shadow is removed" in vigil("rebuild", "--drop").output
    assert "shadow does not exist" in vigil("rebuild", "--drop").output
    assert ask(system, "SELECT to_regnamespace('shadow')")[0][0] is None


def test_a_rebuild_that_was_killed_goes_on_where_it_was(
    system: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[str] = []
    play = FromStore.play

    def until_the_second(self: FromStore, unit: str, *rest: Any) -> Iterator[list[Event]]:
        played.append(unit)
        for number, events in enumerate(play(self, unit, *rest)):
            if len(played) == 2 and number == 200:
                raise KeyboardInterrupt
            yield events

    monkeypatch.setattr(FromStore, "play", until_the_second)
    assert vigil("rebuild", "--ward", "recordings").exit_code == 130
    assert count(system, "shadow.units") == 1
    assert count(system, "shadow.events WHERE patient_id <> 'p0'") == 0
    assert rebuilt(tmp_path, "--ward", "recordings")[0] == 0
    assert played == ["p0", "p1", "p1", "p2"]
    assert rebuilt(tmp_path, "--ward", "recordings")[0] == 0
    assert played[4:] == ["p0", "p1", "p2"]


def tamper(system: Settings) -> tuple[str, str, str]:
    """An episode removed, a priority changed, a step removed; of three episodes."""
    rows = ask(
        system,
        "SELECT event_id FROM events WHERE sequence IN (0, 1) GROUP BY event_id"
        " HAVING count(*) = 2 AND bool_and(priority = 'medium') ORDER BY event_id LIMIT 3",
    )
    gone, raised, alone = (row[0] for row in rows)
    ask(system, "DELETE FROM events WHERE event_id = %s", gone)
    ask(system, "UPDATE events SET priority = 'low' WHERE event_id = %s AND sequence = 0", raised)
    ask(system, "DELETE FROM events WHERE event_id = %s AND sequence >= 1", alone)
    return gone, raised, alone


def test_another_configuration_is_told_apart_and_no_shadow_is_anyones_but_its_own(
    system: Settings, tmp_path: Path
) -> None:
    (tmp_path / "loose.toml").write_text(LOOSE)
    assert rebuilt(tmp_path, "--from", "topic")[0] == 0
    status, output, lines = rebuilt(
        tmp_path, "--config", tmp_path / "loose.toml", "--into", "shadow_loose"
    )
    assert status == 1, output
    assert "configuration (and detectors' version) of live:" in output
    assert lines[0]["live_made_by"].keys() != lines[0]["shadow_made_by"].keys()
    assert {line["verdict"] for line in lines[1:]} >= {"only_live"}
    assert count(system, "shadow.events") == count(system, "events")
    assert count(system, "shadow_loose.events") < count(system, "events")
    same = tmp_path / "same.toml"
    same.write_text("[silence]\ngone_seconds = 604801.0\n")  # a hash of its own, the same events
    status, output, lines = rebuilt(tmp_path, "--config", same)
    assert (status, len(lines)) == (0, 1), output
    assert "is itself counted as no difference" in output


def test_a_part_is_compared_and_begins_with_the_first_reading_unless_told_otherwise(
    system: Settings, tmp_path: Path
) -> None:
    status, output, lines = rebuilt(tmp_path, "--patient", "p1", "--since", "2026-10-03")
    assert status == 0, output
    assert "432 readings of 1 patients" in output
    assert "outside --since and --until" in output
    assert 0 < lines[0]["same"] < count(system, "episodes WHERE patient_id = 'p1'")
    until = rebuilt(tmp_path, "--ward", "recordings", "--until", "2026-10-02")
    assert until[0] == 0, until[1]
    assert "432 readings of 3 patients" in until[1]
    cold = rebuilt(
        tmp_path, "--ward", "recordings", "--since", "2026-10-03", "--warm-up-days", "0.25"
    )
    assert "playing began at 2026-10-02 18:00 UTC, not at the first reading" in cold[1]
    assert f"{3 * (144 + 36)} readings" in cold[1]
    ask(system, "DELETE FROM events WHERE patient_id = 'p2'")
    assert rebuilt(tmp_path, "--from", "topic", "--patient", "p1")[0] == 0
    assert rebuilt(tmp_path, "--from", "topic", "--ward", "recordings")[0] == 1


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("--since", "2026-10-02", "--until", "2026-10-01"), "not before"),
        (("--warm-up-days", "2"), "counted back"),
        (("--from", "topic", "--silence"), "own ticks"),
        (("--from", "topic", "--since", "2026-10-02", "--warm-up-days", "1"), "--from store"),
        (("--into", "public"), "is not the name of a shadow"),
        (("--patient", "nobody"), "no reading to rebuild"),
    ],
)
def test_what_cannot_be_rebuilt_is_refused(
    system: Settings, words: tuple[str, ...], what: str
) -> None:
    del system
    error = vigil("rebuild", *words).exception
    assert isinstance(error, InputError)
    assert what in f"{error.message} {error.how_to_fix}"
