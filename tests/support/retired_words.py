"""Finds words that docs/glossary.md retires, in names and in messages of the code.

A *name* is one that the code defines: a module, a class, a function, a parameter, a variable or a
field. It is split into its parts (``last_heard_at`` and ``LastHeard`` are both *last, heard …*).
A *message* is a text that somebody is given while Vigil runs: what is logged, what an error says
and how to fix it, what a command prints, what stands in a page's template. Docstrings and comments
are prose and are not searched.

``python -m tests.support.retired_words`` prints what there is.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.support.documents import rows

ROOT = Path(__file__).parents[2]
PRODUCTION = (
    "vigil",
    "store",
    "ingest",
    "detectors",
    "explain",
    "notify",
    "dashboard",
    "history",
    "local",
    "cli",
)
"""Folders whose code runs at a ward."""

CHECKS = ("tests", "benchmarks")
"""Folders whose code checks and measures it. The name of a test is a sentence: it is prose."""

COLUMNS = 3
"""Of the glossary's two tables of retired words; the tables of terms have more."""
_LOGGING = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
_SHOWING = frozenset({"echo", "secho", "print", "trouble", "Trouble", "Exit"})
_MARKUP = re.compile(r"\{[%#].*?[%#]\}|\{\{.*?\}\}|<[^>]*>", re.DOTALL)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True, slots=True)
class Found:
    """A retired word where it was found."""

    room: str
    """The first two folders of the file, e.g. ``vigil/kafka``."""
    path: str
    line: int
    word: str
    text: str
    """The name or the message that holds it."""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: `{self.word}` in {self.text!r}"


@dataclass(frozen=True)
class Retired:
    """The words of the glossary's table, by where they may not stand."""

    names: frozenset[str]
    """Parts of names."""
    functions: frozenset[str]
    """Whole names of functions."""
    messages: frozenset[str]
    """Words and phrases in messages."""
    kept: frozenset[tuple[str, str]] = frozenset()
    """Whole names that something outside fixes, each with its room."""

    def in_name(self, name: str) -> str | None:
        """The first retired part of a name.

        A dead letter is the field's term, and so is whatever it is made of.
        """
        parts: list[str] = [part.lower() for part in _PARTS.findall(name)]
        for before, part in zip(["", *parts], parts, strict=False):
            if part in self.names and not (before == "dead" and part in {"letter", "letters"}):
                return part
        return None

    def in_message(self, text: str) -> str | None:
        """The first retired word or phrase of a message."""
        match = self._message.search(text)
        return match.group().lower() if match else None

    @cached_property
    def _message(self) -> re.Pattern[str]:
        words = "|".join(sorted(map(re.escape, self.messages), key=len, reverse=True))
        return re.compile(rf"\b(?:{words or '(?!)'})\b", re.IGNORECASE)


def glossary() -> Retired:
    """The retired words of ``docs/glossary.md``."""
    by_place: dict[str, set[str]] = {"names": set(), "functions": set(), "messages": set()}
    kept: set[tuple[str, str]] = set()
    for cells in rows("glossary.md"):
        coded = re.findall(r"`([^`]+)`", cells[0])
        if len(cells) != COLUMNS or not coded:  # of another table, or its head
            continue
        if cells[1].startswith("`"):
            kept |= {(cells[1].strip("`"), name) for name in coded}
            continue
        for place in cells[2].split(", "):
            by_place[place] |= set(coded)
    return Retired(
        **{place: frozenset(words) for place, words in by_place.items()}, kept=frozenset(kept)
    )


def production_files(root: Path) -> Iterator[Path]:
    """Every Python file of production code in a tree, in order."""
    return _files(root, PRODUCTION)


def _files(root: Path, folders: Sequence[str]) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((root / folder).rglob("*.py"))


def retired_words(
    root: Path, retired: Retired, folders: Sequence[str] = PRODUCTION
) -> Iterator[Found]:
    """Every retired word in the code of these folders of a tree, and in its templates."""
    templates = sorted((root / "dashboard").rglob("*.html"))
    for path in (*_files(root, folders), *templates):
        where = path.relative_to(root).as_posix()
        room = "/".join(where.split("/")[:-1][:2])
        search = _in_file if path.suffix == ".py" else _in_template
        for line, word, text in search(path, retired):
            if (room, text) not in retired.kept:
                yield Found(room, where, line, word, text)


def report(found: Sequence[Found]) -> str:
    """What was found, a line each, and how many in each room."""
    lines = [f"{each}\n" for each in found]
    counts = Counter(each.room for each in found)
    return "".join([*lines, *(f"{room}: {count}\n" for room, count in sorted(counts.items()))])


def _in_file(path: Path, retired: Retired) -> Iterator[tuple[int, str, str]]:
    word = retired.in_name(path.stem)
    if word is not None:
        yield 1, word, path.stem
    for node in ast.walk(ast.parse(path.read_text())):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            plain = node.name.lstrip("_")
            if plain in retired.functions:
                yield line, plain, node.name
        for name in defined(node):
            word = None if name.startswith("test_") else retired.in_name(name)
            if word is not None:
                yield line, word, name
        for at, text in _messages(node):
            word = retired.in_message(text)
            if word is not None:
                yield at, word, text


def _in_template(path: Path, retired: Retired) -> Iterator[tuple[int, str, str]]:
    text = _MARKUP.sub(lambda match: "\n" * match.group().count("\n"), path.read_text())
    for line, shown in enumerate(text.splitlines(), start=1):
        word = retired.in_message(shown)
        if word is not None:
            yield line, word, shown.strip()


def defined(node: ast.AST) -> Iterator[str]:
    """The names that a node, without its children, defines."""
    match node:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
            yield name
        case ast.ClassDef(name=name):
            yield name
        case ast.arg(arg=name):
            yield name
        case ast.Name(id=name, ctx=ast.Store()):
            yield name
        case ast.Attribute(attr=name, ctx=ast.Store()):
            yield name
        case ast.alias(asname=str(name)):
            yield name
        case ast.ExceptHandler(name=str(name)):
            yield name


def _messages(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The literal texts that a call, without the calls in it, logs, raises or prints."""
    if not isinstance(node, ast.Call):
        return
    called = node.func.attr if isinstance(node.func, ast.Attribute) else None
    called = node.func.id if isinstance(node.func, ast.Name) else called
    if called is None:
        return
    if called in _LOGGING or called in _SHOWING or called.endswith("Error"):
        parts: list[ast.expr] = [*node.args, *(keyword.value for keyword in node.keywords)]
    else:
        parts = [keyword.value for keyword in node.keywords if keyword.arg == "how_to_fix"]
    for part in parts:
        yield from _texts(part)


def _texts(part: ast.expr) -> Iterator[tuple[int, str]]:
    if isinstance(part, ast.Call):
        return  # asked for itself, if it is a message
    if isinstance(part, ast.Constant):
        if isinstance(part.value, str):
            yield part.lineno, part.value
        return
    for child in ast.iter_child_nodes(part):
        if isinstance(child, ast.expr):
            yield from _texts(child)


if __name__ == "__main__":
    sys.stdout.write(report(list(retired_words(ROOT, glossary(), (*PRODUCTION, *CHECKS)))))
