"""docs/glossary.md: its rooms exist, and the code uses none of the words that it retires."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from tests.support.documents import DOCS, rows
from tests.support.retired_words import (
    CHECKS,
    PRODUCTION,
    ROOT,
    Retired,
    glossary,
    report,
    retired_words,
)


def test_the_code_uses_no_retired_word() -> None:
    found = list(retired_words(ROOT, glossary(), (*PRODUCTION, *CHECKS)))
    sys.stdout.write(report(found))
    assert not found, [str(each) for each in found]


PROSE = re.compile(r"\b(?:told|tells?|heard|hears?)\b")
QUOTED = re.compile(r"no one can tell|few to tell how long|`[^`]*`")
"""What a text for patients reads, and code."""


def test_the_documents_announce_report_and_receive() -> None:
    """Nothing is told or heard in docs/ either, but where the words are what it is about."""
    about_words = {DOCS / "glossary.md"}
    found = [
        f"{path.name}:{number}: {line[max(0, match.start() - 40) : match.end() + 20]}"
        for path in sorted(DOCS.glob("**/*.md"))
        if path not in about_words
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for match in PROSE.finditer(QUOTED.sub(" ", line))
    ]
    assert found == []


def test_every_room_of_a_term_exists() -> None:
    terms = [cells for cells in rows("glossary.md") if len(cells) == 4 and cells[0] != "term"]
    assert len(terms) > 50
    for term, meaning, source, rooms in terms:
        assert meaning, term
        assert source, term
        for room in re.findall(r"`([^`]+)`", rooms):
            assert (DOCS.parent / room).is_dir(), f"{term}: {room}"


def test_no_term_is_retired() -> None:
    retired = glossary()
    assert {"told", "lane"} <= retired.names
    assert "of" in retired.functions
    assert "for the eye only" in retired.messages
    for cells in rows("glossary.md"):
        if len(cells) == 4:
            assert retired.in_message(cells[0]) is None, cells[0]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def tell_signals(): ...", ["tell"]),
        ("def _of(): ...", ["of"]),
        ("def rows_of(): ...", []),
        ("def test_a_rise_is_heard(): ...", []),  # a sentence
        ("class LastHeard: ...", ["heard"]),
        ("dead_letters = DeadLetter()", []),
        ("letters = 1", ["letters"]),
        ("def take(*, mend: str): ...", ["mend"]),
        ("self.lane: int = 1", ["lane"]),
        ("connect(follow_redirects=True)", []),  # another's name
        ("log.info('told', why='the broker is away')", ["away"]),
        ("raise InputError('x', how_to_fix=f'Mend {name}.')", ["mend"]),
        ("'''A docstring that says: mend.'''", []),
    ],
)
def test_what_is_found(code: str, words: list[str], tmp_path: Path) -> None:
    retired = Retired(
        names=frozenset({"tell", "heard", "letters", "mend", "lane", "follow"}),
        functions=frozenset({"of"}),
        messages=frozenset({"away", "mend"}),
    )
    (tmp_path / "vigil").mkdir()
    (tmp_path / "vigil/example.py").write_text(code)
    assert [found.word for found in retired_words(tmp_path, retired)] == words


def test_templates_are_read_without_their_markup(tmp_path: Path) -> None:
    retired = Retired(names=frozenset(), functions=frozenset(), messages=frozenset({"heard"}))
    (tmp_path / "dashboard").mkdir()
    page = '<p\n class="heard">{% if heard %}\nNot heard of{{ heard }}.</p>'
    (tmp_path / "dashboard/page.html").write_text(page)
    (found,) = retired_words(tmp_path, retired)
    assert (found.line, found.text) == (3, "Not heard of.")


def test_what_is_kept_is_kept_in_its_room_alone(tmp_path: Path) -> None:
    retired = Retired(
        names=frozenset({"letter"}),
        functions=frozenset(),
        messages=frozenset(),
        kept=frozenset({("vigil/values", "letter")}),
    )
    for room in ("values", "kafka"):
        (tmp_path / "vigil" / room).mkdir(parents=True)
        (tmp_path / "vigil" / room / "example.py").write_text("letter = 1")
    assert [found.room for found in retired_words(tmp_path, retired)] == ["vigil/kafka"]
