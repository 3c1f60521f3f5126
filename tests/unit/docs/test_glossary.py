"""docs/glossary.md: its rooms exist, and production code uses none of the words that it retires."""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.support.documents import DOCS, rows
from tests.support.retired_words import ROOT, Retired, glossary, report, retired_words

STILL: dict[str, int] = {
    "cli": 1,
    "cli/doctor": 12,
    "cli/history": 18,
    "cli/people": 2,
    "cli/running": 2,
    "cli/stream": 21,
    "cli/words": 13,
    "dashboard/administration": 4,
    "dashboard/auth": 4,
    "dashboard/board": 6,
    "dashboard/handover": 2,
    "dashboard/live": 5,
    "dashboard/patient": 17,
    "dashboard/phone": 11,
    "dashboard/phrase_review": 10,
    "dashboard/shell": 8,
    "dashboard/templates": 3,
    "dashboard/worker_state": 8,
    "detectors": 2,
    "detectors/admission": 4,
    "detectors/baseline": 1,
    "detectors/blood_pressure_over_days": 1,
    "detectors/configuration": 1,
    "detectors/context": 12,
    "detectors/early_warning": 1,
    "detectors/engine": 51,
    "detectors/episodes": 20,
    "detectors/limits": 1,
    "detectors/resting_heart_rate": 1,
    "detectors/river_plugin": 2,
    "detectors/sections": 1,
    "detectors/tuning": 13,
    "explain": 8,
    "explain/evaluation": 13,
    "explain/facts": 24,
    "explain/language_model": 9,
    "explain/languages": 1,
    "explain/phrasebook": 19,
    "explain/questions": 14,
    "explain/shift_summary": 5,
    "explain/tables": 1,
    "explain/templates": 14,
    "explain/training": 10,
    "explain/verifier": 11,
    "history": 18,
    "ingest/http": 12,
    "ingest/recordings": 1,
    "ingest/simulator": 2,
    "local": 13,
    "notify/planning": 3,
    "notify/sending": 7,
    "store/database": 10,
    "store/episodes": 9,
    "store/notifications": 4,
    "store/people": 5,
    "store/phrases": 4,
    "store/readings": 1,
    "store/workers": 1,
    "store/writing": 1,
    "vigil/composition": 15,
    "vigil/contracts": 7,
    "vigil/dead_letters": 21,
    "vigil/domain": 1,
    "vigil/kafka": 25,
    "vigil/liveness": 7,
    "vigil/service": 5,
    "vigil/streaming": 42,
    "vigil/values": 7,
    "vigil/web": 8,
}
"""Room → how many retired words it may still have. It only shrinks; empty, the rule is strict."""


def test_production_code_uses_no_retired_word() -> None:
    found = list(retired_words(ROOT, glossary()))
    sys.stdout.write(report(found))
    counts = Counter(each.room for each in found)
    more = {room: count for room, count in counts.items() if count > STILL.get(room, 0)}
    assert not more, [str(each) for each in found if each.room in more]


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
