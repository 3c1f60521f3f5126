"""The recipes of CONTRIBUTING.md, followed in a copy of the tree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.recipes import copy_tree, recipes, run_steps

RECIPES = recipes()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    copy_tree(tmp_path)
    return tmp_path


def written(tree: Path, kind: str) -> list[dict[str, object]]:
    """The lines of a type that the replay of a recipe wrote."""
    lines = [json.loads(line) for line in (tree / "out.jsonl").read_text().splitlines()]
    return [line for line in lines if line["type"] == kind]


@pytest.mark.timeout(300)
def test_a_kind(tree: Path) -> None:
    printed = run_steps(RECIPES["Add a kind of event"], tree)
    (event,) = written(tree, "event")
    assert (event["kind"], event["phase"]) == ("oxygen_saturation_low", "opened")
    assert event["priority"] == "high"
    assert "Your oxygen level is low, at 87 percent." in printed


@pytest.mark.timeout(300)
def test_a_detector(tree: Path) -> None:
    run_steps(RECIPES["Add a detector"], tree)
    events = written(tree, "event")
    assert [(event["kind"], event["phase"]) for event in events] == [
        ("heart_rate_unusual", "opened")
    ]
    evidence = events[0]["evidence"]
    assert isinstance(evidence, dict)
    assert (evidence["rule"], evidence["limit"]) == ("heart_rate_rise", 104.0)


@pytest.mark.timeout(300)
def test_a_recording_format(tree: Path) -> None:
    printed = run_steps(RECIPES["Add a recording format or an adapter"], tree)
    assert "line 3: " in printed
    assert "2 readings" in printed
    assert "taken 2" in printed


@pytest.mark.timeout(600)
@pytest.mark.parametrize("title", ["Add a notification channel", "Add a page"])
def test_what_needs_a_database(title: str, tree: Path) -> None:
    assert " passed" in run_steps(RECIPES[title], tree)
