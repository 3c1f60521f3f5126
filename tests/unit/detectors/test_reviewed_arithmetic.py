"""Events are made by arithmetic that is the same on every Python (docs/determinism.md)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.retired_words import ROOT

ROOMS = ("detectors", "history", "ingest", "vigil")
REVIEWED = {
    "math": {"cos", "exp", "floor", "inf", "isfinite", "pi", "sqrt"},
    "random": {"Random"},
    "statistics": {"NormalDist", "median", "stdev"},
}
"""Names whose results do not change with the Python. Not so ``fmean`` with weights, ``covariance``
and what builds on it (``sumprod`` from 3.12), and ``NormalDist.cdf`` (``erfc`` from 3.14)."""
WHOLE_NUMBERS = {
    "sum((_alone(masks, day, bit) for day, mask in masks.items() for bit in _bits(mask)))",
    "sum((alarm.retrospective for alarm in self._alarms.values()))",
    "sum((counts(alarm) for alarm in trial.run.ledger.alarms()))",
    "sum((day.readings for day in days))",
    "sum((day.readings for day in self.days))",
    "sum((max(0, m.end - m.at) for m in self._marks.values()))",
    "sum((points for _, _, points in known.values()))",
    "sum((survey(path).rows for path in self._paths))",
    "sum((w.by_calendar for w in watched))",
    "sum(counts)",
    "sum(map(_readings, batch))",
    "sum(map(counts, others))",
    "sum(map(counts, scope.base))",
    "sum(self._count.values())",
    "sum(self.counts)",
    "sum(sizes)",
}
"""Sums that a person has looked at: of whole numbers, though their form does not show it."""


def floats(source: str) -> Iterator[str]:
    """The builtin sums in a source that may be of floats."""
    nodes = list(ast.walk(ast.parse(source)))
    called = {id(node.func) for node in nodes if isinstance(node, ast.Call)}
    for node in nodes:
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"sum", "builtins.sum"}:
            if ast.unparse(node) not in WHOLE_NUMBERS and not _counts(node.args[0]):
                yield ast.unparse(node)
        elif isinstance(node, ast.Name) and node.id == "sum" and id(node) not in called:
            yield "sum, handed on as a function"


def _counts(values: ast.expr) -> bool:
    """Whether what is summed is evidently a count: lengths, bits, or how often something holds."""
    if isinstance(values, ast.Call):
        return ast.unparse(values.func) == "map" and ast.unparse(values.args[0]) == "len"
    return isinstance(values, (ast.GeneratorExp, ast.ListComp)) and _is_count(values.elt)


def _is_count(one: ast.expr) -> bool:
    if isinstance(one, ast.BinOp) and not isinstance(one.op, (ast.Div, ast.Pow)):
        return _is_count(one.left) and _is_count(one.right)
    if isinstance(one, ast.Call):
        return ast.unparse(one.func).rpartition(".")[2] in {"len", "int", "bit_count"}
    negated = isinstance(one, ast.UnaryOp) and isinstance(one.op, ast.Not)
    return negated or isinstance(one, ast.Compare)


def names(source: str) -> Iterator[tuple[str, str]]:
    """Module and name of each import from the modules that are reviewed; ``*`` of a whole one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module in REVIEWED:
            yield from ((node.module, each.name) for each in node.names)
        elif isinstance(node, ast.Import):
            yield from ((each.name, "*") for each in node.names if each.name in REVIEWED)


def paths() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def test_floats_are_summed_by_our_own_rule() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), each)
        for path in paths()
        for each in floats(path.read_text())
    }
    assert found == set(), "use vigil.values.sums.total"


def test_only_reviewed_functions_are_used() -> None:
    found = {
        (path.relative_to(ROOT).as_posix(), *each)
        for path in paths()
        for each in names(path.read_text())
        if each[1] not in REVIEWED[each[0]]
    }
    assert found == set()


def test_no_review_outlives_its_sum() -> None:
    used = {
        ast.unparse(node)
        for path in paths()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    }
    assert used >= WHOLE_NUMBERS


@pytest.mark.parametrize(
    "source",
    ["sum(shares)", "sum(x * x for x in y)", "sum(len(x) / len(z) for x in y)", "map(sum, rows)"],
)
def test_a_sum_of_floats_is_found(source: str) -> None:
    assert list(floats(source))


@pytest.mark.parametrize(
    "source",
    [
        "sum(x > 1 for x in y)",
        "sum(not x for x in y)",
        "sum(map(len, y))",
        "sum(len(x) + len(z or b'') for x, z in y)",
        "total(y)",
        "a.sum(axis=0)",
    ],
)
def test_counts_and_sums_of_our_own_are_not(source: str) -> None:
    assert not list(floats(source))
