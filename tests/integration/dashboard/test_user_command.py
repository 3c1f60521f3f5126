"""``vigil user``: what it writes, and what it refuses."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from dashboard.auth.passwords import check_password
from store.database.connections import connect
from vigil.service.settings import Settings


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, database_url: str) -> None:
    monkeypatch.setenv("VIGIL_DATABASE_URL", database_url)
    monkeypatch.setenv("VIGIL_DEMO", "1")


def run(*words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(app, ["user", *words], input=stdin)


def test_add_list_disable() -> None:
    added = run(
        "add", "kim", "--role", "admin", "--display-name", "Kim Berg", "--password-stdin",
        stdin="correct horse battery\n",
    )  # fmt: skip
    assert added.exit_code == 0, added.output
    assert "correct" not in added.output
    with connect(Settings()) as connection:
        row = connection.execute("SELECT * FROM users").fetchone()
    assert row is not None
    assert check_password(row["password_hash"], "correct horse battery").right
    listed = run("list").output
    assert "kim" in listed
    assert "admin" in listed
    assert run("disable", "kim").exit_code == 0
    assert "disabled" in run("list").output
    again = run("add", "kim", "--password-stdin", stdin="another long sentence\n")
    assert "signed out everywhere" in again.output
    assert "disabled" not in run("list").output


def test_a_typed_password_is_asked_for_twice() -> None:
    wrong = run("add", "kim", stdin="correct horse battery\ncorrect horse cattery\n")
    assert wrong.exit_code != 0
    right = run("add", "kim", stdin="correct horse battery\ncorrect horse battery\n")
    assert right.exit_code == 0
    assert "horse" not in right.output


@pytest.mark.parametrize(
    ("words", "stdin", "error"),
    [
        (("add", "kim", "--password-stdin"), "short\n", "12 characters"),
        (("add", "Kim Berg", "--password-stdin"), "correct horse battery\n", "lower-case"),
        (("add", "kim", "--role", "boss"), "", "care_team"),
        (("disable", "nobody"), "", "no user"),
    ],
)
def test_what_is_refused_says_why(words: tuple[str, ...], stdin: str, error: str) -> None:
    refused = run(*words, stdin=stdin)
    assert refused.exit_code != 0
    assert error in refused.output
