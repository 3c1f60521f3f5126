"""``docs/explanation.md`` says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import explain
from explain.facts.slots import SLOTS
from explain.language_model.reasons import FAILURE_REASONS
from explain.verifier import RULES

PAGE = (Path(explain.__file__).parents[1] / "docs" / "explanation.md").read_text("utf-8")
ROW = re.compile(r"^\| `([a-z0-9_]+)` \| (.+?) \|", re.MULTILINE)


def section(title: str) -> str:
    return PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]


def test_the_rules_are_those_of_the_verifier_in_their_order() -> None:
    assert ROW.findall(section("Verifier")) == [(rule.code, rule.what) for rule in RULES]


def test_the_slots_are_those_of_the_table_in_their_order() -> None:
    assert [name for name, _ in ROW.findall(section("Slots"))] == list(SLOTS)


def test_every_reason_for_a_model_to_be_down_has_its_counter() -> None:
    for reason in FAILURE_REASONS:
        assert f"`model_{reason.removeprefix('model_')}`" in section("Language model")


def test_every_counter_on_the_page_is_counted() -> None:
    source = "".join(
        path.read_text("utf-8") for path in Path(explain.__file__).parent.rglob("*.py")
    )
    for counter in re.findall(r"`((?:rewordings|phrases|phrasebook)_[a-z_]+)`", PAGE):
        assert f'"{counter}"' in source, counter
