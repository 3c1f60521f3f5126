"""Dead letters listed and sent again, by command, on a real broker."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from store.service import build
from tests.support.messages import alert, measurement, upload
from tests.support.running import eventually, running
from tests.support.streaming import read_all
from vigil.contracts import topics, wire
from vigil.dead_letters.redrive import read_dead_letters, restore_originals
from vigil.kafka.clients import Publisher
from vigil.service.errors import CODES, InputError, WireError
from vigil.service.settings import Settings

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
    return wire.build_dead_letter(message.topic, 0, offset, original)


def test_listed_redriven_and_redriven_again(settings: Settings) -> None:
    good = wire.to_message(upload(measurement(), measurement(1), patient="redriven"), "ingest")
    broken = wire.Outgoing(topics.READINGS.name, b"redriven", b"{secret", good.headers)
    url = settings.database()

    def stored() -> int:
        query = "SELECT count(*) FROM readings WHERE patient_id = 'redriven'"
        with psycopg.connect(url) as connection:
            row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    with running(build(settings), settings) as health:

        def seen() -> int:
            counters = health.snapshot().counters
            return counters.get("messages", 0) + counters.get("dead_letters", 0)

        send(settings, broken, dead(good, 7))
        eventually(lambda: seen() == 1)
        assert len(list(read_dead_letters(settings))) == 2
        listed = vigil("deadletter", "list")
        assert listed.exit_code == 0, listed.output
        assert "2 dead letters" in listed.output
        assert "vitals.readings/0/7" in listed.output
        assert "wire.broken_message" in listed.output
        assert "secret" not in listed.output
        assert "\x1b" not in listed.output
        assert listed.stdout.endswith(
            "    1 × wire.broken_message (store)\n    1 × wire.rejected (store)\n"
        )

        dead_letter = next(one for one in read_dead_letters(settings) if one.origin.endswith("/7"))
        for count in (2, 3):
            again = vigil("deadletter", "redrive", dead_letter.ident[:8])
            assert "sent 1 message again\n" in again.output
            eventually(lambda count=count: seen() == count)  # type: ignore[misc]
            assert stored() == 2
        redriven = [
            record for record in read_all(settings, topics.READINGS.name)
            if record.key == b"redriven" and record.value == good.value
        ]  # fmt: skip
        assert [list(record.headers) for record in redriven] == [good.headers] * 2

        all_of_them = vigil("deadletter", "redrive", "--all").output
        assert "left out: 1 that would be refused again\n" in all_of_them
        assert "sent 1 message again\n" in all_of_them
        eventually(lambda: seen() == 4)
        worse = next(one for one in read_dead_letters(settings) if one.ident != dead_letter.ident)
        doubted = vigil("deadletter", "redrive", worse.ident).output
        assert f"{worse.ident} would be refused again: A message on vitals" in doubted
        assert "would send 1 message again; nothing was sent: add --send\n" in doubted
        both = (worse.ident, dead_letter.ident)
        assert "would send 2 messages again" in vigil("deadletter", "redrive", *both).output
        assert "sent 2 messages again\n" in vigil("deadletter", "redrive", *both, "--send").output
        eventually(lambda: seen() == 6)
        refused_messages = list(read_dead_letters(settings))
        assert len(refused_messages) == 3  # it died once more …
        every = [one.ident for one in refused_messages]
        assert "sent 2 messages again\n" in vigil("deadletter", "redrive", *every, "--send").output
        eventually(lambda: seen() == 8)  # … and its two dead letters are one message
        assert stored() == 2


def listed(*words: str) -> list[str]:
    """The origins that `list` names."""
    result = vigil("deadletter", "list", *words)
    assert result.exit_code == 0, result.output
    return re.findall(r"Z  (\S+)  ", result.output)


def test_dead_letters_are_selected_by_their_fields(settings: Settings) -> None:
    before = len(listed())
    other = WireError("too large", code="wire.too_large")
    words = wire.to_message(alert(), "explain")
    send(
        settings,
        dead(wire.to_message(upload(measurement()), "ingest"), 100),
        dead(wire.to_message(upload(measurement(1)), "ingest"), 101, other),
        dead(words, 102, other),
    )
    assert len(listed()) == before + 3
    here, there = "vitals.readings/0/", "vitals.alerts/0/"
    assert listed("--reason", "wire.too") == [f"{here}101", f"{there}102"]
    assert listed("--topic", "vitals.alerts") == [f"{there}102"]
    assert listed("--reason", "wire.too_large", "--limit", "1") == [f"{there}102"]
    assert "2 dead letters, the newest 0 shown\n    2 × wire.too_large (store)" in vigil(
        "deadletter", "list", "--reason", "wire.too_large", "--limit", "0"
    ).output  # fmt: skip
    assert listed("--service", "nobody") == []
    assert len(listed("--service", "store", "--since", "2020-01-01")) == before + 3
    assert listed("--since", "2099-01-01T00:00:00Z") == []
    assert isinstance(vigil("deadletter", "list", "--since", "soon").exception, InputError)


def test_one_dead_letter_is_shown_whole(settings: Settings, tmp_path: Path) -> None:
    value = b'{"secret":"\x1b[31m\xff"}'
    headers = [("ce_type", b"org.vigil.upload.v1"), ("odd", b"\x1b")]
    send(settings, dead(wire.Outgoing(topics.READINGS.name, b"p\x07", value, headers), 200))
    dead_letter = next(one for one in read_dead_letters(settings) if one.origin.endswith("/200"))
    shown = vigil("deadletter", "show", dead_letter.ident[:12])
    assert shown.exit_code == 0, shown.output
    assert "What follows is a patient's data." in shown.stderr
    lines = dict(line.split(": ", 1) for line in shown.stdout.splitlines())
    assert lines["id"] == dead_letter.ident
    assert lines["origin"] == "vitals.readings/0/200"
    assert lines["service"] == "store"
    assert lines["reason"] == f"wire.rejected: {CODES['wire.rejected']}"
    assert lines["detail"] == "refused by an \\x1b[31molder Vigil"
    assert lines["time"].endswith("Z")
    assert lines["key"] == "p\\x07"
    assert lines["header ce_type"] == "org.vigil.upload.v1"
    assert lines["header odd"] == "\\x1b"
    assert lines[f"value, {len(value)} bytes"] == '{"secret":"\\x1b[31m\\xff"}'
    assert vigil("deadletter", "show", dead_letter.ident, "--raw").stdout_bytes == value
    assert vigil("deadletter", "show", dead_letter.ident, "--out", str(tmp_path / "v")).output == ""
    assert (tmp_path / "v").read_bytes() == value
    assert isinstance(vigil("deadletter", "show", "no-such-id").exception, InputError)


def test_a_truncated_dead_letter_is_not_sent_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "LARGEST_DEAD_LETTER", 10)
    send(settings, dead(wire.Outgoing(topics.READINGS.name, b"p", b"x" * 20, []), 300))
    dead_letter = next(one for one in read_dead_letters(settings) if one.origin.endswith("/300"))
    assert (
        "value, 10 bytes, of 20 that it had: "
        in vigil("deadletter", "show", dead_letter.ident).output
    )
    error = vigil("deadletter", "redrive", dead_letter.ident).exception
    assert isinstance(error, InputError)
    assert "only the first 10" in error.message
    monkeypatch.setattr(
        "vigil.dead_letters.redrive.send_again", lambda _, refused_messages: len(refused_messages)
    )
    output = vigil("deadletter", "redrive", "--all").output
    assert "left out: 1 that were kept only in part" in output


def test_a_dead_letter_that_cannot_be_redriven_is_reported(settings: Settings) -> None:
    for arguments, words in (
        (["no-such-id"], "no dead letter"),
        ([""], "no dead letter"),
    ):
        result = vigil("deadletter", "redrive", *arguments)
        assert isinstance(result.exception, InputError)
        assert words in str(result.exception)
    for arguments in ([], ["some-id", "--all"]):
        assert vigil("deadletter", "redrive", *arguments).exit_code == 2
    foreign = wire.Outgoing(topics.DEAD_LETTERS.name, None, b"by somebody else", [])
    send(settings, foreign)
    assert "(no origin)" in vigil("deadletter", "list").output
    with pytest.raises(InputError, match="no topic of ours"):
        restore_originals(one for one in read_dead_letters(settings) if not one.ident)


@pytest.mark.parametrize("name", ["vitals.directory", "vitals.status", "vitals.phrases",
                                  "vitals.deadletter"])  # fmt: skip
def test_nothing_is_redriven_to_where_only_vigil_writes(settings: Settings, name: str) -> None:
    """An old entry of the directory would open the door to a key that was revoked since."""
    send(settings, dead(wire.Outgoing(name, b"device:d1", b"{}", []), 600))
    before = len(read_all(settings, name))
    dead_letter = next(one for one in read_dead_letters(settings) if one.origin == f"{name}/0/600")
    refused = vigil("deadletter", "redrive", dead_letter.ident, "--send")
    assert isinstance(refused.exception, InputError)
    assert "only Vigil itself writes" in str(refused.exception)
    everything = vigil("deadletter", "redrive", "--all", "--send")
    assert "whose topic does not accept them again" in everything.output
    assert len(read_all(settings, name)) == before


def test_a_dead_letter_truncated_in_key_or_headers_is_not_sent_again(settings: Settings) -> None:
    headers = [(f"h{n}", b"") for n in range(2000)]
    send(settings, dead(wire.Outgoing(topics.READINGS.name, b"k" * 70_000, b"{}", headers), 700))
    dead_letter = next(one for one in read_dead_letters(settings) if one.origin.endswith("/700"))
    assert dead_letter.cut == "its key, of 70000 bytes and some of its 2000 headers, 8890 bytes"
    refused = vigil("deadletter", "redrive", dead_letter.ident, "--send").exception
    assert isinstance(refused, InputError)
    assert "not everything was kept" in refused.message


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
