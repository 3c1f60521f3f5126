"""The table of metrics, and what the code counts."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from vigil.service.metrics import FAMILIES, METRICS, Metrics

ROOT = Path(__file__).parents[4]
STAGES = ("vigil", "ingest", "detectors", "explain", "store", "notify")


def test_each_process_has_its_own() -> None:
    one, other = Metrics("store"), Metrics("store")
    one.count("messages", 2)
    assert (one.counters(), other.counters()) == ({"messages": 2}, {})


def test_a_declared_reason_is_at_zero() -> None:
    metrics = Metrics("explain")
    metrics.declare(["model_crashed"])
    text = metrics.text(ready=True, seconds_since_beat=0.0)
    assert 'vigil_model_crashed_total{service="explain"} 0.0' in text.splitlines()
    assert "_created" not in text, "one series a counter"
    assert metrics.counters() == {}


def test_an_unknown_name_is_refused() -> None:
    metrics = Metrics("store")
    for name in ("messagez", "lag_messages", "model_ready"):
        with pytest.raises(ValueError, match="is not a known counter"):
            metrics.count(name)
    with pytest.raises(ValueError, match="is not a known gauge"):
        metrics.gauge("messages", 1)


def used() -> Iterator[tuple[str, ast.expr]]:
    """Each call of a health's ``count`` and ``gauge``, with the name that it is called with."""
    for stage in STAGES:
        for path in (ROOT / stage).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                    called = ast.unparse(node.func)
                    if called.endswith(("health.count", "health.gauge")):
                        yield node.func.attr, node.args[0]


def test_what_the_code_counts_is_in_the_table() -> None:
    kinds = {"count": "counter", "gauge": "gauge"}
    names = {}
    for method, name in used():
        if isinstance(name, ast.Constant):
            known = METRICS[str(name.value)]
            names[known.name] = known.kind
            assert known.kind == kinds[method], known.name
        elif isinstance(name, ast.JoinedStr) and isinstance(name.values[0], ast.Constant):
            prefix = str(name.values[0].value)
            assert prefix in FAMILIES or any(one.startswith(prefix) for one in METRICS), prefix
    assert {"messages", "readings", "model_ready"} <= names.keys()


def test_what_is_in_the_table_is_counted_somewhere() -> None:
    code = "".join(
        path.read_text()
        for stage in STAGES
        for path in (ROOT / stage).rglob("*.py")
        if path.name != "metrics.py"
    )
    computed = ("_stored", "deliveries_")  # of a table's name, of an outcome
    for name in METRICS:
        assert (
            f'"{name}"' in code
            or any(part in name for part in computed)
            or name
            in {
                "ready",
                "seconds_since_beat",
            }
        ), name
