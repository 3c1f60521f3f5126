"""docs/rebuild.md and what operations.md says of dead letters name the options that there are."""

from __future__ import annotations

import re

from typer.main import get_command

from cli.main import app
from tests.support.documents import DOCS, rows


def options(*words: str) -> set[str]:
    """The options of a command, as they are typed."""
    command = get_command(app)
    for word in words:
        command = command.commands[word]  # type: ignore[attr-defined]
    return {option for param in command.params for option in param.opts if option[:2] == "--"}


def test_every_option_of_rebuild_is_listed() -> None:
    documented = {
        name for row in rows("rebuild.md") for name in re.findall(r"`(--[a-z-]+)`", row[0])
    }
    assert documented == options("rebuild") - {"--help"}


def test_every_option_of_the_dead_letters_is_listed() -> None:
    text = (DOCS / "operations.md").read_text()
    for command in ("list", "show"):
        for option in options("deadletter", command) - {"--help"}:
            assert re.search(rf"{option}\b", text), (command, option)
