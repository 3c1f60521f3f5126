"""``docs/ingest.md`` is held to the code."""

from __future__ import annotations

from pathlib import Path

from ingest.http import openapi
from ingest.simulator import SCENARIOS


def test_the_document_for_people_names_each_status_and_scenario() -> None:
    text = (Path(__file__).parents[4] / "docs" / "ingest.md").read_text()
    for status in openapi.RESPONSES:
        assert f"| {status} |" in text
    for name, scenario in SCENARIOS.items():
        assert f"| `{name}` | {f'`{scenario.kind}`' if scenario.kind else 'nothing'}" in text
