"""How the shipped figures, profiles, age bands and an operator's tables lie over each other.

There are three levels: the top of the operator's file, a ward's table, a patient's. From below:

    defaults/*.toml
    at each level:  the profile that it names, then the age band, then the level's own keys

The age band that holds is the one named nearest to the patient, and it alone. It lies at the level
that names it, and once more over each profile that a level nearer to the patient names: a monitored
bed's limits are an adult's, wherever the bed stands.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from detectors.configuration.checks import refused

DEFAULTS = Path(__file__).with_name("defaults")
"""The folder of the shipped figures: one TOML file a concern; their tables do not overlap."""
PROFILES = Path(__file__).with_name("profiles")
"""The folder of the shipped profiles: what differs for one way of measuring."""
AGES = Path(__file__).with_name("ages")
"""The folder of the shipped age bands: what differs for people of one age."""
NAMED = ("profile", "age_band")
"""Keys of a level that name a shipped file."""


@dataclass(frozen=True, slots=True)
class Level:
    """What an operator's file holds at one level."""

    own: Mapping[str, Any]
    profile: str | None
    age_band: str | None


def profiles() -> list[str]:
    """Names of the shipped profiles."""
    return _names(PROFILES)


def age_bands() -> list[str]:
    """Names of the shipped age bands."""
    return _names(AGES)


def level_of(table: Mapping[str, Any], where: str) -> Level:
    """A level's table, with the shipped files that it names.

    Raises:
        SettingsError: it names one that there is not, or sets the age's name by hand.
    """
    profile = _named(table, "profile", known=profiles(), where=where)
    band = _named(table, "age_band", known=age_bands(), where=where)
    age = table.get("age")
    if isinstance(age, Mapping) and "band" in age:
        raise refused(where, "`age.band` is set by `age_band`, with the limits of that age")
    return Level({key: table[key] for key in table if key not in NAMED}, profile, band)


def resolve(levels: Sequence[Level]) -> dict[str, Any]:
    """The tables that hold at the last of the levels, the outermost first."""
    raw = _shipped(DEFAULTS)
    naming = [place for place, level in enumerate(levels) if level.age_band is not None]
    held = naming[-1] if naming else None
    for place, level in enumerate(levels):
        if level.profile is not None:
            raw = merged(raw, _shipped(PROFILES / f"{level.profile}.toml"))
        if held is not None and (place == held or (place > held and level.profile is not None)):
            raw = merged(raw, _shipped(AGES / f"{levels[held].age_band}.toml"))
        raw = merged(raw, level.own)
    return raw


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` merged over ``under``, table by table; neither is changed.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 9}})
    {'a': {'b': 9, 'c': 2}}
    """
    result = dict(under)
    for key in over:
        value, below = over[key], result.get(key)
        if isinstance(below, Mapping) and isinstance(value, Mapping):
            value = merged(below, value)
        result[key] = value
    return result


def read_tables(path: Path) -> dict[str, Any]:
    """A TOML file.

    Raises:
        SettingsError: it cannot be read, or is not TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise refused(str(path), f"cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refused(str(path), f"is not TOML: {error}") from None


@cache
def _shipped(path: Path) -> dict[str, Any]:
    """A shipped file, or all of a folder, merged. Nobody changes it: ``merged`` makes copies."""
    raw: dict[str, Any] = {}
    for file in sorted(path.glob("*.toml")) if path.is_dir() else (path,):
        raw = merged(raw, read_tables(file))
    return raw


def _names(folder: Path) -> list[str]:
    return sorted(path.stem for path in folder.glob("*.toml"))


def _named(table: Mapping[str, Any], key: str, known: Sequence[str], where: str) -> str | None:
    name = table.get(key)
    if name is not None and name not in known:
        what = key.replace("_", " ")
        raise refused(where, f"{what} {name!r} is not known. Known: {', '.join(known)}")
    return name
