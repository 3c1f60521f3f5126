"""``vigil explain``: words for a file of events, and clear words for a bad file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from explain.templates.compose import compose
from history.offline_replay import shipped_phrasebook
from tests.support.wording import event
from vigil.domain.alert import Alert
from vigil.domain.encoding import encode
from vigil.service.errors import InputError
from vigil.service.settings import Settings

import msgspec  # isort: skip

RUN = CliRunner()


def line(**changes: Any) -> str:
    return json.dumps({"type": "event", **json.loads(encode(event())), **changes})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "events.jsonl"
    path.write_text(f'{line()}\n\n{{"type":"alert"}}\n{line(phase="updated", sequence=1)}\n')
    return path


def test_events_are_said_in_words(file: Path) -> None:
    for arguments in (["explain", str(file)], ["explain", "words", str(file)]):
        result = RUN.invoke(app, arguments)
        assert result.exit_code == 0
        assert result.stdout.count("care_team (en): Heart rate high") == 2
        assert "Your heart rate has been high for about 40 minutes" in result.stdout
        assert "→ Please call your care team today." in result.stdout


def test_one_audience(file: Path) -> None:
    result = RUN.invoke(app, ["explain", "--audience", "patient", str(file)])
    assert "care_team (en)" not in result.stdout
    assert "patient (en)" in result.stdout
    assert RUN.invoke(app, ["explain", str(file), "--audience", "bob"]).exit_code == 2


def test_alerts_as_on_the_topic(file: Path) -> None:
    result = RUN.invoke(app, ["explain", "--json", "-"], input=file.read_bytes())
    first = json.loads(result.stdout.splitlines()[0])
    assert first.pop("type") == "alert"
    assert msgspec.convert(first, Alert) == compose(event(), shipped_phrasebook(Settings()))


def test_without_a_file_it_helps() -> None:
    result = RUN.invoke(app, ["explain"])
    assert "install-model" in result.output
    assert "EVENTS.jsonl" in result.output


@pytest.mark.parametrize(
    ("content", "code", "message"),
    [
        ("{", "input.broken_json", "line 1 is not JSON"),
        (line() + "\n\xff", "input.broken_json", "line 2"),
        ('\n{"type":"event","kind":3}', "input.wrong_type", "kind: "),
        ('{"type":"event"}', "input.missing_field", "patient_id: "),
        (line(onset="2026-11-21T06:02:00"), "input.wrong_type", "onset: "),
        (line(phase="over"), "input.wrong_type", "phase: "),
        (line(context={"activity": "asleeep"}), "input.wrong_type", "context.activity: "),
        ("[1]", "input.wrong_type", "line 1"),
        ('{"type":"alert"}', "input.missing_field", "has no event"),
        ("", "input.missing_field", "has no event"),
    ],
)
def test_a_bad_file_names_line_field_and_mend(
    tmp_path: Path, content: str, code: str, message: str
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_bytes(content.encode("latin-1"))
    result = RUN.invoke(app, ["explain", str(path)])
    assert isinstance(result.exception, InputError)
    assert result.exception.code == code
    assert message in str(result.exception)
    assert result.exception.how_to_fix


def test_a_file_that_is_not_there() -> None:
    result = RUN.invoke(app, ["explain", "/nowhere.jsonl"])
    assert isinstance(result.exception, InputError)
    assert "cannot be read" in str(result.exception)
