"""docs/architecture.md: its map has every room, and what it names is there."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

from tests.support.documents import DOCS, rows
from tests.support.retired_words import PRODUCTION, ROOT

TEXT = (DOCS / "architecture.md").read_text()


def mapped() -> Iterator[str]:
    """The folders of the map, each with the folder that it is in."""
    block = re.findall(r"^```\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)[0]
    top = ""
    for line in block.splitlines():
        name, _, job = line.strip().partition("/")
        assert job.strip(), line
        if line.startswith("  "):
            yield f"{top}/{name}"
        else:
            top = name
            yield top


def rooms() -> Iterator[str]:
    """The folders of production code and the rooms in them."""
    for top in PRODUCTION:
        yield top
        for path in sorted((ROOT / top).iterdir()):
            if (path / "__init__.py").exists():
                yield f"{top}/{path.name}"


def test_the_map_has_every_room_once() -> None:
    found = list(mapped())
    assert len(found) == len(set(found))
    assert set(found) == {*rooms(), "tests", "benchmarks", "store/migrations"}


def test_the_rooms_stand_from_below_to_above() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    for contract in contracts["contracts"]:
        if contract.get("exhaustive"):
            (top,) = contract["containers"]
            rung = {
                name.strip(): number
                for number, line in enumerate(contract["layers"])
                for name in line.split("|")
            }
            drawn = [room.split("/")[1] for room in mapped() if room.startswith(f"{top}/")]
            known = [rung[name] for name in drawn if name in rung]
            assert known == sorted(known, reverse=True), top


def test_what_it_names_is_there() -> None:
    for cells in rows("architecture.md"):
        for name in re.findall(r"`([a-z_]+/[a-z_./]+)`", " ".join(cells)):
            assert (ROOT / name).exists(), name
