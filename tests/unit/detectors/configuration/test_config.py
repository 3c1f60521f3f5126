"""The configuration: defaults, overrides by ward and patient, and clear refusals."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from detectors.configuration.layers import DEFAULTS, merged
from detectors.configuration.loading import from_tables, load
from vigil.domain.kinds import KINDS
from vigil.service.errors import SettingsError


def test_the_defaults_hold_the_standards_figures() -> None:
    limits = load().everyone.limits
    assert (limits["heart_rate_high"].above, limits["heart_rate_high"].seconds) == (120, 600)
    assert (limits["heart_rate_low"].below, limits["heart_rate_low"].seconds) == (40, 600)
    assert (limits["heart_rate_very_high"].above, limits["heart_rate_very_low"].below) == (150, 35)
    assert (limits["systolic_severe"].above, limits["diastolic_severe"].above) == (180, 120)
    assert (limits["systolic_low"].below, limits["systolic_low"].priority) == (90, "high")
    assert limits["mean_arterial_pressure_low"].below == 65
    assert limits["shock_index_high"].above == 1.0
    assert load().everyone.late_after_seconds == 900


def test_no_default_limit_is_under_its_kinds_priority_and_every_severe_one_is_confirmed() -> None:
    for limit in load().everyone.limits.values():
        assert limit.priority in {KINDS[limit.kind].priority, "high", "medium"}
        assert limit.priority != "high" or limit.readings >= 2


def test_a_patients_table_lies_over_the_wards_and_that_over_the_defaults() -> None:
    config = from_tables(
        {
            "limits": {"heart_rate_high": {"above": 125}},
            "wards": {
                "cardiac": {
                    "patients": ["c-*"],
                    "limits": {"heart_rate_high": {"above": 130, "seconds": 300}},
                }
            },
            "patients": {"c-7": {"limits": {"heart_rate_high": {"above": 140}}}},
        }
    )

    def figures(patient: str) -> tuple[float | None, float]:
        limit = config.config_for(patient).limits["heart_rate_high"]
        return limit.above, limit.seconds

    assert figures("p1") == (125, 600)
    assert figures("c-1") == (130, 300)
    assert figures("c-7") == (140, 300)


def test_the_first_ward_that_names_a_patient_holds() -> None:
    late = {"late_after_seconds": 60}
    wards = {"a": {"patients": ["p1"]} | late, "b": {"patients": ["*"]}}
    config = from_tables({"wards": wards})
    assert config.config_for("p1").late_after_seconds == 60
    assert config.config_for("p2").late_after_seconds == 900


def test_patients_without_a_table_share_one_configuration() -> None:
    config = load()
    assert config.config_for("p1") is config.config_for("p2")


def test_the_hash_names_the_content_whatever_the_order() -> None:
    one = from_tables({"late_after_seconds": 60, "silence": {"after_seconds": 900}})
    two = from_tables({"silence": {"after_seconds": 900}, "late_after_seconds": 60})
    assert one.config_hash == two.config_hash
    assert one.config_hash != load().config_hash == load().config_hash
    assert len(one.config_hash) == 16


@pytest.mark.parametrize(
    ("own", "where", "what"),
    [
        ({"limit": {}}, "t.toml", "`limit`"),
        ({"limits": {"heart_rate_high": {"abov": 1}}}, "[limits.heart_rate_high]", "`abov`"),
        ({"limits": {"heart_rate_hihg": {"above": 130}}}, "[limits.heart_rate_hihg]", "required"),
        ({"limits": 3}, "t.toml", "`object`, got `int`"),
        ({"limits": {"heart_rate_high": 3}}, "[limits.heart_rate_high]", "got `int`"),
        ({"context": {"night_from_hour": 24}}, "t.toml", "night_from_hour"),
        ({"limits": {"heart_rate_high": {"clear": 130}}}, "[limits.heart_rate_high]", "`clear`"),
        ({"limits": {"heart_rate_low": {"clear": 30}}}, "[limits.heart_rate_low]", "`clear`"),
        ({"limits": {"heart_rate_high": {"below": 30}}}, "[limits.heart_rate_high]", "one of"),
        ({"limits": {"heart_rate_high": {"above": float("nan")}}}, "heart_rate_high", "finite"),
        ({"limits": {"heart_rate_high": {"priority": "low"}}}, "heart_rate_high", "medium"),
        ({"limits": {"heart_rate_high": {"kind": "no_data"}}}, "heart_rate_high", "not known"),
        ({"limits": {"heart_rate_high": {"signal": "pulse"}}}, "heart_rate_high", "not known"),
        ({"limits": {"heart_rate_very_high": {"above": 115}}}, "very_high]", "nearer"),
        ({"limits": {"heart_rate_low": {"below": 118, "clear": 119}}}, "heart_rate", "past both"),
        ({"baseline": {"signals": {"heart_rate": {"clear_spreads": 4}}}}, "heart_rate]", "under"),
        ({"baseline": {"signals": {"heart_rate": {"prior": {"up": [1, 1]}}}}}, "heart", "exactly"),
        ({"admission": {"stuck": {"pulse": {"readings": 5, "seconds": 5}}}}, "stuck", "not known"),
        ({"wards": {"icu": {"late_after_seconds": 5}}}, "[wards.icu]", "`patients`"),
        ({"wards": {"icu": {"patients": "p1"}}}, "[wards.icu]", "a list"),
        ({"wards": []}, "[wards]", "[wards.NAME]"),
        ({"patients": {"p1": 3}}, "[patients]", "[patients.NAME]"),
        ({"patients": {"p1": {"wards": {}}}}, "[patients.p1]", "`wards`"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_by_name(own: dict[str, Any], where: str, what: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        from_tables(own, "t.toml")
    assert refusal.value.code == "settings.invalid"
    assert where in str(refusal.value.field)
    assert what in refusal.value.message
    assert "docs/detection.md" in refusal.value.how_to_fix


def test_a_contradiction_in_a_patients_table_is_found_when_loading() -> None:
    own = {"patients": {"p9": {"limits": {"heart_rate_high": {"above": 160, "clear": 155}}}}}
    with pytest.raises(SettingsError, match=r"patients\.p9") as refusal:
        from_tables(own)
    assert "nearer" in refusal.value.message


@pytest.mark.parametrize(("text", "what"), [("limits = [", "not TOML"), (None, "cannot be read")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, what: str) -> None:
    path = tmp_path / "ward.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(SettingsError, match=what) as refusal:
        load(path)
    assert refusal.value.field == str(path)


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ward.toml"
    path.write_text("[limits.heart_rate_high]\nabove = 125\n")
    assert load(path).everyone.limits["heart_rate_high"].above == 125


def test_merging_changes_neither_side() -> None:
    under, over = {"a": {"b": 1}}, {"a": {"c": 2}}
    assert merged(under, over) == {"a": {"b": 1, "c": 2}}
    assert (under, over) == ({"a": {"b": 1}}, {"a": {"c": 2}})


def test_every_default_limit_says_where_it_comes_from() -> None:
    text = (DEFAULTS / "limits.toml").read_text("utf-8")
    lines = text.splitlines()
    for name in tomllib.loads(text)["limits"]:
        row = next(i for i, line in enumerate(lines) if line.startswith(f"[limits.{name}]"))
        around = " ".join(lines[row - 1 : row + 1])
        assert "#" in around or name == "diastolic_severe", name


def test_the_shipped_files_do_not_overlap() -> None:
    seen: set[str] = set()
    for path in DEFAULTS.glob("*.toml"):
        table = tomllib.loads(path.read_text("utf-8"))
        keys = {f"{k}.{n}" for k, v in table.items() if isinstance(v, dict) for n in v}
        keys |= {k for k, v in table.items() if not isinstance(v, dict)}
        assert not seen & keys, path
        seen |= keys


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(SettingsError, match="profile 'none' is not known"):
        from_tables({"wards": {"icu": {"patients": ["p1"], "profile": "none"}}})


def test_every_clinical_kind_is_held_together_by_a_table() -> None:
    clinical = {kind.name for kind in KINDS.values() if kind.category == "clinical"}
    assert clinical <= set(load().everyone.episodes)
