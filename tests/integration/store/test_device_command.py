"""``vigil device clock``: what it writes, and what it refuses."""

from __future__ import annotations

import re

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from store.database.connections import connect
from store.people.patients import Device, Patient, add_device, enrol, list_devices
from vigil.service.settings import Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("VIGIL_DATABASE_URL", database_url)
    monkeypatch.setenv("VIGIL_DEMO", "1")
    with connect(Settings()) as connection:
        enrol(connection, Patient("p1", "north"))
        add_device(connection, Device("watch-1", "watch", "p1"))


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["device", "clock", *words])


def correction() -> int:
    with connect(Settings()) as connection:
        return list_devices(connection)[0].clock_correction_seconds


@pytest.mark.parametrize(
    ("words", "seconds"),
    [
        (("--behind", "5h"), 18_000), (("--ahead", "16min"), -960), (("--behind", "1h30min"), 5400),
        (("--behind", "2d"), 172_800), (("--right",), 0),
    ],
)  # fmt: skip
def test_what_is_written_and_said(words: tuple[str, ...], seconds: int) -> None:
    done = run("watch-1", *words)
    assert (done.exit_code, correction()) == (0, seconds), done.output
    listed = CliRunner().invoke(app, ["device", "list"]).output
    assert (f"{seconds:+d} s" in listed) == bool(seconds)
    assert "before: +0 s" in done.output


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ((), "Name one"), (("--behind", "5h", "--right"), "Name one"),
        (("--behind", "5h", "--ahead", "1h"), "Name one"), (("--behind", "soon"), "no length"),
        (("--behind", ""), "no length"), (("--behind", "-5h"), "no length"),
        (("--behind", "0s"), "no length"), (("--behind", "4000d"), "ten years"),
    ],
)  # fmt: skip
def test_what_is_refused_changes_nothing_and_says_why(words: tuple[str, ...], why: str) -> None:
    done = run("watch-1", *words)
    shown = re.sub(r"[\s│]+", " ", f"{done.output} {done.exception}")
    assert done.exit_code != 0
    assert why in shown
    assert correction() == 0


def test_a_device_that_is_not_there_is_refused() -> None:
    done = run("watch-9", "--behind", "5h")
    assert done.exit_code != 0
    assert "no active device" in f"{done.output} {done.exception}"
