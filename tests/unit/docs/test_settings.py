"""docs/settings.md has a row for each setting, with its default and its range."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import pytest
from annotated_types import Ge, Gt, Le

from tests.support.documents import rows
from vigil.service.settings import Settings

ROWS = {row[0].strip("`"): row for row in rows("settings.md") if row[0].startswith("`VIGIL_")}
FIELDS = sorted(Settings.model_fields)


def test_each_setting_has_a_row_and_each_row_a_setting() -> None:
    assert set(ROWS) == {f"VIGIL_{name.upper()}" for name in FIELDS}


def written(default: Any) -> str:
    """A default as the document spells it."""
    if default is None or default == ():
        return "–"
    if hasattr(default, "get_secret_value"):
        default = default.get_secret_value()
    if isinstance(default, tuple):
        default = " ".join(default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def number(value: float) -> str:
    """Without a point where there is nothing behind it."""
    return f"{value:g}" if value < 100_000 else str(int(value))


@pytest.mark.parametrize("name", FIELDS)
def test_the_row_names_default_and_range(name: str) -> None:
    field = Settings.model_fields[name]
    _, default, takes, meaning = ROWS[f"VIGIL_{name.upper()}"]
    assert default == written(field.default)
    assert takes
    assert len(meaning) >= 10
    bounds: dict[type, float] = {}
    for mark in field.metadata:
        for kind, attribute in ((Ge, "ge"), (Gt, "gt"), (Le, "le")):
            if isinstance(mark, kind):
                bounds[kind] = getattr(mark, attribute)
    if Ge in bounds and Le in bounds:
        assert takes == f"{number(bounds[Ge])} to {number(bounds[Le])}"
    elif Ge in bounds:
        assert takes == f"{number(bounds[Ge])} or more"
    elif Gt in bounds:
        assert takes == f"more than {number(bounds[Gt])}"
    for value in literals(field.annotation):
        assert f"`{value}`" in takes


def literals(annotation: Any) -> set[str]:
    """The values of every ``Literal`` in an annotation."""
    if get_origin(annotation) is Literal:
        return set(get_args(annotation))
    return {value for part in get_args(annotation) for value in literals(part)}
