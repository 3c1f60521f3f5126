"""The adapter that comes with Vigil: whole, for the pinned base, small, and with its papers."""

from __future__ import annotations

import json

import msgspec

from explain.language_model.adapter import CONFIG, MANIFEST, SHIPPED, WEIGHTS, check_adapter
from explain.language_model.files import SMOLLM2
from explain.training.card import NAME, README, Manifest, render_card

PAPERS = msgspec.json.decode((SHIPPED / MANIFEST).read_bytes(), type=Manifest)


def test_it_is_whole_and_for_the_pinned_base() -> None:
    found = check_adapter(SHIPPED, SMOLLM2.sha256)
    assert found is not None
    assert found.name == NAME


def test_it_is_a_few_megabytes() -> None:
    assert (SHIPPED / WEIGHTS).stat().st_size < 6_000_000


def test_its_card_is_what_its_papers_say() -> None:
    assert (SHIPPED / README).read_text() == render_card(PAPERS)
    assert PAPERS.measured.keys() == {"validation", "test"}


def test_its_configuration_names_no_path() -> None:
    config = json.loads((SHIPPED / CONFIG).read_text())
    assert config["base_model_name_or_path"] == SMOLLM2.name
    assert not [value for value in config.values() if isinstance(value, str) and "/" in value]
