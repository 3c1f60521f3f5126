"""What CONTRIBUTING.md asks of production code's structure, and the tool that measures it."""

from __future__ import annotations

import re
from collections import Counter

from tests.support import structure
from tests.support.retired_words import ROOT, production_files

MOST_FILES = 12


def test_a_folder_has_at_most_twelve_files() -> None:
    paths = (path for path in production_files(ROOT) if path.name != "__init__.py")
    counts = Counter(path.parent.relative_to(ROOT).as_posix() for path in paths)
    assert {folder for folder, count in counts.items() if count > MOST_FILES} == set()


def test_every_folder_says_its_job() -> None:
    for path in production_files(ROOT):
        if path.name == "__init__.py":
            assert path.read_text().startswith('"""'), path.relative_to(ROOT)


def test_the_formatter_is_never_asked_to_leave_code_alone() -> None:
    assert structure.formatter_skips(ROOT) == 0


def test_functions_are_short() -> None:
    assert structure.long_functions(ROOT) == 0


def test_nothing_of_ours_is_imported_by_string() -> None:
    assert structure.modules_imported_by_string(ROOT) == 0


def test_the_walk_of_a_reading_is_measured() -> None:
    found = re.fullmatch(r"(\d+) calls deep, (\d+) functions", structure.reading_walk(ROOT))
    assert found is not None
    assert all(int(figure) > 3 for figure in found.groups())


def test_the_table_takes_its_place_in_a_document() -> None:
    figures = dict.fromkeys(structure.MEASURES, "1")
    made = structure.table({"before": figures, "after": figures})
    assert made.startswith("|  | before | after |\n| --- | --- | --- |\n| Python files")
    text = "a\n<!-- table: begin -->\nold\n<!-- table: end -->\nb\n"
    assert structure.with_table(text, made) == text.replace("old\n", made)
