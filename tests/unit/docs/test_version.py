"""The version is in one place, and whatever repeats it says the same."""

from __future__ import annotations

import json
import re
import tomllib

from packaging.version import Version

from tests.support.documents import DOCS
from vigil import __version__

ROOT = DOCS.parent


def test_the_package_takes_it_from_the_code() -> None:
    made = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "version" not in made["project"]
    assert made["project"]["dynamic"] == ["version"]
    assert made["tool"]["hatch"]["version"] == {"path": "vigil/__init__.py"}


def test_it_is_a_version() -> None:
    assert str(Version(__version__)) == __version__


def test_what_repeats_it_says_the_same() -> None:
    assert json.loads((DOCS / "asyncapi.json").read_text())["info"]["version"] == __version__
    image = re.search(r"VIGIL_VERSION:-([^}]+)}", (ROOT / "compose.yaml").read_text())
    assert image is not None
    assert image[1] == __version__


def test_a_released_version_heads_the_changelog() -> None:
    heads = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert heads[0] == "Unreleased" or heads[0] == __version__
