"""What the detectors judge by: limits, delays and baselines, by ward and by patient.

``defaults/*.toml`` beside this module hold every figure with its source. An operator's TOML file is
merged over them; in that file ``[wards.NAME]`` and ``[patients.ID]`` hold what differs there, with
the same keys. A ward names its patients itself (``patients = ["p1", "icu-*"]``), because the log
alone must decide what an event is: the directory of who is in which ward can change between two
readings of the same log, this file cannot without its hash saying so.

``profile = "NAME"`` at any of the three levels puts a shipped file of ``profiles/`` under what the
level itself holds, ``age_band = "NAME"`` one of ``ages/`` (:mod:`detectors.configuration.layers`).
"""

from __future__ import annotations

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
from detectors.configuration.layers import Level, level_of, read_tables, resolve
from detectors.configuration.patient import PatientConfig
from detectors.configuration.plugin_checks import check_plugins
from detectors.episodes.configuration import EpisodePolicy
from detectors.limits.configuration import Limit
from detectors.limits.exertion_configuration import Exertion
from detectors.river_plugin.configuration import PluginConfig


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
    own = read_tables(Path(path)) if path is not None else {}
    return from_tables(own, str(path or "defaults"))


def from_tables(own: Mapping[str, Any], source: str = "configuration") -> DetectionConfig:
    """The same from tables already read (``own`` is what differs from the defaults)."""
    base = level_of({k: own[k] for k in own if k not in {"wards", "patients"}}, source)
    ward_levels, wards = list[tuple[tuple[str, ...], Level]](), list[Ward]()
    for name, table in _tables(own, "wards", source).items():
        where = f"{source}: [wards.{name}]"
        patterns = tuple(_strings(table, "patients", where))
        ward = level_of({key: table[key] for key in table if key != "patients"}, where)
        ward_levels.append((patterns, ward))
        wards.append(Ward(name, patterns, _patient_config(resolve([base, ward]), where)))
    patients = {}
    for name, table in _tables(own, "patients", source).items():
        where = f"{source}: [patients.{name}]"
        above = _ward_of(name, ward_levels)
        levels = [base, *([] if above is None else [above]), level_of(table, where)]
        patients[name] = _patient_config(resolve(levels), where)
    everyone = _patient_config(resolve([base]), source)
    return DetectionConfig(everyone, tuple(wards), patients)


def _patient_config(raw: dict[str, Any], source: str) -> PatientConfig:
    """Convert and check; the error names the table."""
    for section, row in (
        ("limits", Limit),
        ("episodes", EpisodePolicy),
        ("baseline.signals", Usual),
        ("admission.stuck", Stuck),
        ("admission.jump", Jump),
        ("sources.disagree", Disagreement),
        ("exertion", Exertion),
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
