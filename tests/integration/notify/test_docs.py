"""`docs/notification.md` is held to the code, and the commands to what they promise."""

from __future__ import annotations

import re
import typing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from notify import texts
from notify.channels.contract import LEASE_SECONDS
from notify.planning.policy import EXPIRES_AFTER
from notify.sending import backoff
from store.database.connections import connect
from store.notifications import deliveries
from tests.support.notify_examples import NOW, planned
from vigil.service.settings import Settings
from vigil.web.web_push import private_key

DOC = (Path(__file__).parents[3] / "docs" / "notification.md").read_text()


def test_the_document_names_every_state_and_figure() -> None:
    for state in ("pending", *typing.get_args(deliveries.Result)):
        assert f"| `{state}` |" in DOC
    for priority, span in EXPIRES_AFTER.items():
        assert f"{priority} {span.total_seconds() / 3600:.0f} h" in DOC
    assert f"claimed for {LEASE_SECONDS:.0f} s" in DOC
    assert f"after {backoff.FIRST_SECONDS:.0f} s" in DOC
    assert f"every {backoff.LONGEST_SECONDS / 60:.0f} min" in DOC
    assert f"{backoff.SPREAD:.0%}".replace("%", " %") in DOC
    assert texts.LOCK_SCREEN["en"].body in DOC


def test_the_document_names_every_metric() -> None:
    root = Path(__file__).parents[3] / "notify"
    source = "".join(path.read_text() for path in root.rglob("*.py"))
    named = re.findall(r'\.(?:count|gauge)\(\s*f?"([a-z_{}]+)"', source)
    assert named
    for name in named:
        if "{" not in name:
            assert f"`{name}`" in DOC, name
    for state in ("retry", *typing.get_args(deliveries.Result)):
        assert f"`deliveries_{state}`" in DOC


def test_a_new_key_works_as_it_is_printed() -> None:
    printed = CliRunner().invoke(app, ["notify", "keys"])
    assert printed.exit_code == 0
    name, _, value = printed.stdout.strip().splitlines()[0].partition("=")
    assert name == "VIGIL_VAPID_PRIVATE_KEY"
    assert private_key(Settings(vapid_private_key=value)) == value


def test_the_log_prints_what_was_sent(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VIGIL_DEMO", "1")
    monkeypatch.setenv("VIGIL_DATABASE_URL", database_url)
    monkeypatch.setenv("COLUMNS", "200")
    with connect(Settings(), autocommit=True) as connection:
        deliveries.plan(connection, [planned()], NOW)
    printed = CliRunner().invoke(app, ["notify", "log"]).stdout
    assert "on_call" in printed
    assert "medium opened" in printed
    assert "pending" in printed
    assert "on_call" not in CliRunner().invoke(app, ["notify", "log", "--event", "x"]).stdout
