"""Dead letters listed and sent again, by command, on a real broker."""

from __future__ import annotations

import psycopg
import pytest
from typer.testing import CliRunner, Result

from store.service import build
from tests.support.messages import measurement, upload
from tests.support.running import eventually, running
from tests.support.streaming import read_all
from vigil import deadletters, topics, wire
from vigil.broker import Publisher
from vigil.cli.main import app
from vigil.errors import InputError, WireError
from vigil.settings import Settings

pytestmark = pytest.mark.kafka
REASON = WireError("refused by an \x1b[31molder Vigil", code="wire.rejected")


@pytest.fixture(autouse=True)
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `vigil` reads in a second terminal."""
    monkeypatch.setenv("VIGIL_DEMO", "1")
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("VIGIL_DATABASE_URL", settings.database())


def vigil(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def send(settings: Settings, *messages: wire.Outgoing) -> None:
    publisher = Publisher(settings, "test")
    try:
        publisher.publish(messages)
    finally:
        publisher.close()


def dead(message: wire.Outgoing, offset: int, reason: WireError = REASON) -> wire.Outgoing:
    """The dead letter of a message, as the stream's loop writes it."""
    original = wire.DeadOriginal(message.key, message.value, message.headers, "store", reason)
    return wire.deadletter(message.topic, 0, offset, original)


def test_listed_redriven_and_redriven_again(settings: Settings) -> None:
    good = wire.outgoing(upload(measurement(), measurement(1), patient="mended"), "ingest")
    broken = wire.Outgoing(topics.READINGS.name, b"mended", b"{secret", good.headers)
    url = settings.database()

    def stored() -> int:
        query = "SELECT count(*) FROM readings WHERE patient_id = 'mended'"
        with psycopg.connect(url) as connection:
            row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    with running(build(settings), settings) as health:

        def seen() -> int:
            counters = health.report()["counters"]
            assert isinstance(counters, dict)
            return int(counters.get("messages", 0) + counters.get("dead_letters", 0))

        send(settings, broken, dead(good, 7))
        eventually(lambda: len(list(deadletters.read(settings))) == 2, 20)
        listed = vigil("deadletter", "list")
        assert listed.exit_code == 0, listed.output
        assert "2 dead letters" in listed.output
        assert "vitals.readings/0/7" in listed.output
        assert "wire.broken_message" in listed.output
        assert "secret" not in listed.output
        assert "\x1b" not in listed.output
        assert "secret" in vigil("deadletter", "list", "--show").output

        letter = next(one for one in deadletters.read(settings) if one.origin.endswith("/7"))
        for _ in range(2):
            before = seen()
            again = vigil("deadletter", "redrive", letter.ident[:8])
            assert "sent 1 message again\n" in again.output
            eventually(lambda past=before: seen() > past, 20)  # type: ignore[misc]
            assert stored() == 2
        redriven = [
            record for record in read_all(settings, topics.READINGS.name)
            if record.key == b"mended" and record.value == good.value
        ]  # fmt: skip
        assert [list(record.headers) for record in redriven] == [good.headers] * 2

        before = seen()
        assert "sent 2 messages again\n" in vigil("deadletter", "redrive", "--all").output
        eventually(lambda: seen() >= before + 2, 20)
        eventually(lambda: len(list(deadletters.read(settings))) == 3)  # it died once more …
        assert "sent 2 messages again\n" in vigil("deadletter", "redrive", "--all").output
        assert stored() == 2  # … and its two letters are one message


def test_what_cannot_be_redriven_is_said(settings: Settings) -> None:
    for arguments, words in (
        (["no-such-id"], "no dead letter"),
        ([""], "no dead letter"),
    ):
        result = vigil("deadletter", "redrive", *arguments)
        assert isinstance(result.exception, InputError)
        assert words in str(result.exception)
    for arguments in ([], ["some-id", "--all"]):
        assert vigil("deadletter", "redrive", *arguments).exit_code == 2
    foreign = wire.Outgoing(topics.DEADLETTER.name, None, b"by somebody else", [])
    send(settings, foreign)
    assert "(no origin)" in vigil("deadletter", "list").output
    with pytest.raises(InputError, match="no topic of ours"):
        deadletters.originals(deadletters.read(settings))


def test_people_and_devices_by_command() -> None:
    assert "nobody is enrolled" in vigil("patient", "list").output
    added = vigil("patient", "add", "p1", "--ward", "cardiology", "--name", "Ada [red]Lovelace")
    assert added.output == "p1 is enrolled\n"
    assert "nothing to change" in vigil("patient", "add", "p1", "--ward", "cardiology").output
    assert "Ada [red]Lovelace" in vigil("patient", "list").output
    device = vigil("device", "add", "d1", "--patient", "p1", "--label", "watch")
    assert device.stdout.startswith("vk_")
    assert device.stdout.strip() not in vigil("device", "list").output
    assert "watch" in vigil("device", "list").output
    assert vigil("device", "revoke", "d1").exit_code == 0
    assert "revoked" in vigil("device", "list").output
    assert vigil("patient", "remove", "p1").exit_code == 0
    assert "removed" in vigil("patient", "list").output
    assert isinstance(vigil("patient", "remove", "p1").exception, InputError)
    assert isinstance(vigil("device", "add", "d2", "--patient", "p1").exception, InputError)
