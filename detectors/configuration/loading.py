"""What the detectors judge by: limits, delays and baselines, by ward and by patient.

``defaults/*.toml`` beside this module hold every figure with its source. An operator's TOML file is
merged over them; in that file ``[wards.NAME]`` and ``[patients.ID]`` hold what differs there, with
the same keys. A ward names its patients itself (``patients = ["p1", "icu-*"]``), because the log
alone must decide what an event is: the directory of who is in which ward can change between two
readings of the same log, this file cannot without its hash saying so.

``profile = "NAME"`` at any of the three levels puts a shipped file of ``profiles/`` under what the
level itself holds.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from detectors.admission.configuration import Jump, Stuck
from detectors.admission.sources_configuration import Disagreement
from detectors.baseline.configuration import Usual
from detectors.configuration.checks import check, refused
from detectors.configuration.patient import PatientConfig
from detectors.configuration.plugin_checks import check_plugins
from detectors.episodes.configuration import EpisodePolicy
from detectors.limits.configuration import Limit
from detectors.river_plugin.configuration import PluginConfig

DEFAULTS = Path(__file__).with_name("defaults")
"""The folder of the shipped figures: one TOML file a concern; their tables do not overlap."""
PROFILES = Path(__file__).with_name("profiles")
"""The folder of the shipped profiles: what differs for one way of measuring."""


class Ward(Struct, frozen=True):
    """Patients, by id or pattern, and what holds for them."""

    name: str
    patients: tuple[str, ...]
    config: PatientConfig


class DetectionConfig(Struct, frozen=True, dict=True):
    """The whole configuration, checked and merged."""

    everyone: PatientConfig
    wards: tuple[Ward, ...] = ()
    patients: dict[str, PatientConfig] = {}

    @cached_property
    def config_hash(self) -> str:
        """16 hex digits that name this configuration; each event carries them."""
        return sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()[:16]

    def config_for(self, patient_id: str) -> PatientConfig:
        """What holds for a patient: their own table, else the first ward that names them."""
        own = self.patients.get(patient_id)
        if own is not None:
            return own
        ward = _ward_of(patient_id, [(ward.patients, ward.config) for ward in self.wards])
        return self.everyone if ward is None else ward


def _ward_of(patient_id: str, wards: list[tuple[tuple[str, ...], Any]]) -> Any:
    for patterns, what in wards:
        if any(fnmatchcase(patient_id, pattern) for pattern in patterns):
            return what
    return None


def load(path: Path | str | None = None) -> DetectionConfig:
    """Read the configuration; without a path, the defaults.

    Raises:
        SettingsError: the file cannot be read, a key is not known, or two limits contradict.
    """
    own = _read(Path(path)) if path is not None else {}
    return from_tables(own, str(path or "defaults"))


def from_tables(own: Mapping[str, Any], source: str = "configuration") -> DetectionConfig:
    """The same from tables already read (``own`` is what differs from the defaults)."""
    base = {k: v for k, v in own.items() if k not in {"wards", "patients"}}
    raw = _with_profile(_defaults(), base, source)
    raw_wards, wards = [], []
    for name, table in _tables(own, "wards", source).items():
        patterns = tuple(_strings(table, "patients", f"{source}: [wards.{name}]"))
        rest = {key: value for key, value in table.items() if key != "patients"}
        ward = _with_profile(raw, rest, f"{source}: [wards.{name}]")
        raw_wards.append((patterns, ward))
        wards.append(Ward(name, patterns, _patient_config(ward, f"{source}: [wards.{name}]")))
    patients = {}
    for name, table in _tables(own, "patients", source).items():
        under = _ward_of(name, raw_wards) or raw
        where = f"{source}: [patients.{name}]"
        patients[name] = _patient_config(_with_profile(under, table, where), where)
    return DetectionConfig(_patient_config(raw, source), tuple(wards), patients)


def _defaults() -> dict[str, Any]:
    """The shipped figures, merged."""
    raw: dict[str, Any] = {}
    for path in sorted(DEFAULTS.glob("*.toml")):
        raw = merged(raw, _read(path))
    return raw


def profiles() -> list[str]:
    """Names of the shipped profiles."""
    return sorted(path.stem for path in PROFILES.glob("*.toml"))


def _with_profile(under: dict[str, Any], table: Mapping[str, Any], where: str) -> dict[str, Any]:
    """A level's table over the one above it, and between them the profile that it names."""
    rest = {key: value for key, value in table.items() if key != "profile"}
    name = table.get("profile")
    if name is None:
        return merged(under, rest)
    if name not in profiles():
        raise refused(where, f"profile {name!r} is not known. Known: {', '.join(profiles())}")
    return merged(merged(under, _read(PROFILES / f"{name}.toml")), rest)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """``over`` merged over ``under``, table by table; neither is changed.

    >>> merged({"a": {"b": 1, "c": 2}}, {"a": {"b": 9}})
    {'a': {'b': 9, 'c': 2}}
    """
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def _patient_config(raw: dict[str, Any], source: str) -> PatientConfig:
    """Convert and check; the error names the table."""
    for section, row in (
        ("limits", Limit),
        ("episodes", EpisodePolicy),
        ("baseline.signals", Usual),
        ("admission.stuck", Stuck),
        ("admission.jump", Jump),
        ("sources.disagree", Disagreement),
        ("plugins", PluginConfig),
    ):
        table: Any = raw
        for part in section.split("."):
            table = table.get(part) if isinstance(table, Mapping) else None
        if isinstance(table, Mapping):  # if it is not, converting the whole raises
            for name, value in table.items():
                _convert(value, row, f"{source}: [{section}.{name}]")
    config: PatientConfig = _convert(raw, PatientConfig, source)
    check(config, source)
    check_plugins(config, source)
    return config


def _convert(raw: Any, kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(raw, kind)
    except msgspec.ValidationError as error:
        raise refused(where, str(error)) from None


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise refused(str(path), f"cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise refused(str(path), f"is not TOML: {error}") from None


def _tables(own: Mapping[str, Any], key: str, source: str) -> dict[str, dict[str, Any]]:
    tables = own.get(key, {})
    if not isinstance(tables, dict) or not all(isinstance(v, dict) for v in tables.values()):
        raise refused(f"{source}: [{key}]", f"holds one table a name, as [{key}.NAME]")
    return tables


def _strings(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    value = table.get(key)
    if not isinstance(value, list) or not value or not all(isinstance(v, str) for v in value):
        raise refused(where, f"needs `{key}`, a list of patient ids or patterns")
    return value
