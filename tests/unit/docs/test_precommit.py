"""Pre-commit runs what `make check`, and so CI, runs."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]


def test_pre_commit_and_make_check_run_the_same_tools() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())
    hooks = [hook for repo in config["repos"] for hook in repo["hooks"]]
    assert all(hook["language"] == "system" for hook in hooks)
    ours = {hook["entry"].replace(" --force-exclude", "") for hook in hooks}
    recipe = re.search(r"^check:.*?\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    make = {
        line.strip().lstrip("@").replace("$(BIN)", ".venv/bin").removesuffix(" .")
        for line in recipe[1].splitlines()
    }
    assert ours == make
    assert "make check" in (ROOT / ".ci/run").read_text()
