"""Measures the structure of a tree's production code, for docs/adr.

``python -m tests.support.structure before=FOLDER after=.`` prints a Markdown table with a column a
tree; ``--into docs/adr/0020-rooms.md`` puts it between that file's two ``table`` comments as well.
A tree of before is made by ``git archive COMMIT | tar -x -C FOLDER``.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import grimp

from tests.support.retired_words import PRODUCTION, ROOT, glossary, production_files, retired_words

LAYERS = (
    ("cli",),
    ("local",),
    ("history",),
    ("notify", "dashboard"),
    ("ingest", "detectors", "explain"),
    ("store",),
    ("vigil",),
)
"""The folders from above to below, as in pyproject.toml's first contract."""
LONGEST_FUNCTION = 40
RUNG = {name: rung for rung, names in enumerate(LAYERS) for name in names}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Measure = Callable[[Path], object]


def functions(tree: Path) -> Iterator[Function]:
    """Every function of production code, nested ones and methods too."""
    for path in production_files(tree):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                yield node


def fullest_code_folder(tree: Path) -> str:
    """The folder with the most Python files, ``__init__.py`` not counted."""
    return _fullest(tree, (p for p in production_files(tree) if p.name != "__init__.py"))


def fullest_data_folder(tree: Path) -> str:
    """The folder with the most files of any other kind."""
    paths = (path for folder in PRODUCTION for path in (tree / folder).rglob("*"))
    return _fullest(tree, (p for p in paths if p.is_file() and p.suffix not in {".py", ".pyc"}))


def _fullest(tree: Path, paths: Iterable[Path]) -> str:
    counts = Counter(path.parent.relative_to(tree).as_posix() for path in paths)
    ((folder, count),) = counts.most_common(1)
    return f"{count} (`{folder}/`)"


def folder_arrows(tree: Path) -> set[tuple[str, str]]:
    """(importer, imported) among the top folders; imports by string count as imports."""
    present = [name for name in PRODUCTION if (tree / name / "__init__.py").exists()]
    graph = grimp.build_graph(*present, cache_dir=None)
    arrows = set()
    for importer in graph.modules:
        for imported in graph.find_modules_directly_imported_by(importer):
            arrows.add((importer.split(".")[0], imported.split(".")[0]))
    for path in production_files(tree):
        own = path.relative_to(tree).parts[0]
        arrows |= {(own, folder) for folder in imports_by_string(path)}
    return {(one, other) for one, other in arrows if one != other}


def imports_by_string(path: Path) -> Iterator[str]:
    """Top folders of ours that a file imports by a module's name in a string."""
    text = path.read_text()
    if "import_module(" not in text:
        return
    folders = "|".join(PRODUCTION)
    yield from re.findall(rf'"({folders})(?:\.[a-z_.]+)?(?::\w+)?"', text)


def upward_arrows(tree: Path) -> str:
    """Arrows from a lower folder to a higher one, or to one beside it, of all."""
    arrows = folder_arrows(tree)
    upward = sorted(f"{one}→{other}" for one, other in arrows if RUNG[other] <= RUNG[one])
    listed = f" ({', '.join(upward)})" if upward else ""
    return f"{len(upward)} of {len(arrows)}{listed}"


def modules_imported_by_string(tree: Path) -> int:
    """Files that import modules of ours by string."""
    return sum(1 for path in production_files(tree) if any(imports_by_string(path)))


def formatter_skips(tree: Path) -> int:
    """``fmt: skip`` and ``fmt: off`` in production."""
    return sum(
        len(re.findall(r"# fmt: (?:skip|off)", path.read_text())) for path in production_files(tree)
    )


def long_functions(tree: Path) -> int:
    """Functions of more than 40 lines, from ``def`` to the last."""
    return sum(
        1
        for node in functions(tree)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > LONGEST_FUNCTION
    )


def one_word_functions(tree: Path) -> int:
    """Functions whose name has one word; ``__init__`` and the like do not count."""
    names = (node.name.strip("_") for node in functions(tree) if not node.name.startswith("__"))
    return sum(1 for name in names if "_" not in name)


def silent_functions(tree: Path) -> int:
    """Functions named by one of the words that the glossary retires as a function's whole name."""
    silent = glossary().functions
    return sum(1 for node in functions(tree) if node.name.lstrip("_") in silent)


def patient_pairs(tree: Path) -> int:
    """Functions of detection that are handed a patient's id and their memory as two parameters."""
    found = 0
    for path in sorted((tree / "detectors").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                names = {each.arg for each in (*node.args.args, *node.args.kwonlyargs)}
                found += {"patient_id", "patient"} <= names
    return found


def words_found(tree: Path) -> int:
    """Retired words in names and messages."""
    return sum(1 for _ in retired_words(tree, glossary()))


def named_tuples(tree: Path) -> int:
    """Classes that are a ``NamedTuple``."""
    return sum(len(re.findall(r"\(NamedTuple\):", p.read_text())) for p in production_files(tree))


def lines(tree: Path) -> str:
    """Lines of production code, and its files."""
    texts = [path.read_text() for path in production_files(tree)]
    return f"{sum(text.count(chr(10)) for text in texts):,} in {len(texts)} files"


def reading_walk(tree: Path) -> str:
    """How a settled patient's next reading goes through the engine: its deepest chain of calls."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests/support/reading_walk.py")],
        cwd=tree,
        env={"PYTHONPATH": str(tree), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    found = json.loads(done.stdout)
    return f"{found['deepest']} calls deep, {found['functions']} functions"


MEASURES: dict[str, Measure] = {
    "Python files in the fullest folder": fullest_code_folder,
    "other files in the fullest folder": fullest_data_folder,
    "arrows between top folders that run up": upward_arrows,
    "files that import ours by string": modules_imported_by_string,
    "longest walk of a reading through detection": reading_walk,
    "functions handed `patient_id` and `patient` as a pair": patient_pairs,
    "`fmt: skip` in production": formatter_skips,
    "functions over 40 lines": long_functions,
    "one-word function names": one_word_functions,
    "of these, names that say nothing (`of`, `told` …)": silent_functions,
    "retired words in names and messages": words_found,
    "`NamedTuple` classes": named_tuples,
    "lines of production code": lines,
}


def measured(tree: Path) -> dict[str, str]:
    """Measure → figure, of one tree."""
    return {name: str(measure(tree)) for name, measure in MEASURES.items()}


def table(columns: dict[str, dict[str, str]]) -> str:
    """A Markdown table: a row a measure, a column a tree."""
    head = ["", *columns]
    rows = [[name, *(column[name] for column in columns.values())] for name in MEASURES]
    rule = ["---"] * len(head)
    return "".join(f"| {' | '.join(row)} |\n" for row in [head, rule, *rows])


def measured_apart(tree: Path) -> dict[str, str]:
    """:func:`measured` in a process of its own, whose imports are that tree's."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.structure", "--one", str(tree.resolve())],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    figures: dict[str, str] = json.loads(done.stdout)
    return figures


def with_table(text: str, made: str) -> str:
    """A document's text with the table between its two comments."""
    begin, end = "<!-- table: begin -->\n", "<!-- table: end -->\n"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{made}{end}{after}"


def main() -> None:
    """Measure the trees of the command line."""
    parser = argparse.ArgumentParser(description="Measure the structure of production code.")
    parser.add_argument("trees", nargs="*", metavar="NAME=FOLDER", default=[f"now={ROOT}"])
    parser.add_argument("--into", type=Path, help="the document whose table is replaced")
    parser.add_argument("--one", type=Path, help="print one tree's figures as JSON")
    given = parser.parse_args()
    if given.one:
        sys.path.insert(0, str(given.one))
        sys.stdout.write(json.dumps(measured(given.one)))
        return
    named = [text.rpartition("=") for text in given.trees]
    made = table({name or folder: measured_apart(Path(folder)) for name, _, folder in named})
    sys.stdout.write(made)
    if given.into:
        given.into.write_text(with_table(given.into.read_text(), made))


if __name__ == "__main__":
    main()
