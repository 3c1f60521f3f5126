"""Age bands: each is consistent, and lies over profiles and under a person's own figures."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.configuration.layers import age_bands, profiles
from detectors.configuration.loading import from_tables, load
from detectors.configuration.patient import PatientConfig
from detectors.tuning.knobs import knobs
from tests.support.vitals import announced, cuff, detect, heart
from vigil.service.errors import SettingsError

DOCS = (Path(__file__).parents[4] / "docs" / "detection.md").read_text("utf-8")
WIDE = "6_to_12"
CHILDREN = ["neonate", "infant", "1_to_2", "3_to_5", WIDE, "6_to_7", "8_to_11"]
BY_AGE = [*CHILDREN, "13_to_17", "adult"]
ADULTS = ["18_to_39", "40_to_64", "65_and_over"]


def config(**own: Any) -> PatientConfig:
    return from_tables(own).everyone


def bound(band: str, name: str) -> float | None:
    """The figure of a limit that is in force."""
    limit = config(age_band=band).limits[name]
    return (limit.above if limit.below is None else limit.below) if limit.enabled else None


def test_these_are_the_bands() -> None:
    assert sorted(age_bands()) == sorted([*BY_AGE, *ADULTS])


@pytest.mark.parametrize("band", age_bands())
def test_a_band_passes_the_checks_and_names_itself(band: str) -> None:
    assert config(age_band=band).age.band == band
    assert load().everyone.age.band == "adult_assumed"


WAYS = pytest.mark.parametrize(("name", "way"), [
    ("heart_rate_high", -1), ("heart_rate_very_high", -1),
    ("heart_rate_low", -1), ("heart_rate_very_low", -1),
    ("systolic_low", 1), ("systolic_very_low_once", 1), ("mean_arterial_pressure_low", 1),
    ("systolic_high", 1), ("systolic_severe", 1),
    ("diastolic_severe", 1),
])  # fmt: skip


@pytest.mark.parametrize("left_out", [[WIDE], ["6_to_7", "8_to_11"]])
@WAYS
def test_limits_go_one_way_with_age(name: str, way: int, left_out: list[str]) -> None:
    """Hearts get slower, pressures get higher."""
    bands = [band for band in BY_AGE if band not in left_out]
    figures = [figure for band in bands if (figure := bound(band, name)) is not None]
    assert figures == sorted(figures, reverse=way < 0)


@WAYS
@pytest.mark.parametrize("band", ["6_to_7", "8_to_11"])
def test_a_wide_band_is_never_nearer_than_those_within_it(name: str, way: int, band: str) -> None:
    del way
    limit = config(age_band=WIDE).limits[name]
    wide, own = bound(WIDE, name), bound(band, name)
    assert wide is not None
    assert own is not None
    assert own <= wide if limit.below is None else own >= wide


def test_a_child_of_twelve_is_judged_by_the_centile_of_twelve() -> None:
    """Fleming's row of 12 to 15 years has its 1st centile at 47, that of 8 to 12 at 52."""
    at_50 = heart([50.0 + i % 2 for i in range(30)])
    assert announced(detect(at_50, age_band=WIDE)) == []
    assert announced(detect(at_50, age_band="8_to_11")) == [("heart_rate_low", "opened", "medium")]


@pytest.mark.parametrize("band", age_bands())
def test_what_is_usual_for_an_age_is_within_its_limits(band: str) -> None:
    own = config(age_band=band)
    usual = own.baseline.signals
    for signal, high, low in (
        ("heart_rate", "heart_rate_high", "heart_rate_low"),
        ("systolic", "systolic_high", "systolic_low"),
    ):
        for activity, spreads in (("rest", 1.5), ("asleep", 1.0)):
            centre, spread = usual[signal].prior[activity]
            assert (bound(band, low) or 0) < centre - spreads * spread, (signal, activity)
            assert centre + spreads * spread < (bound(band, high) or 0), (signal, activity)
    heart_rate = own.admission.stuck["heart_rate"]
    assert (bound(band, "heart_rate_low") or 0) < heart_rate.extreme_below
    assert heart_rate.extreme_above < (bound(band, "heart_rate_high") or 0)


@pytest.mark.parametrize("band", age_bands())
def test_every_limit_is_over_at_what_is_usual_for_an_age(band: str) -> None:
    """One limit that is left at an adult's end would keep a child's episode open for good."""
    own = config(age_band=band)
    usual = {name: row.prior["rest"][0] for name, row in own.baseline.signals.items()}
    systolic, diastolic = usual["systolic"], usual["diastolic"]
    usual |= {
        "pulse_pressure": systolic - diastolic,
        "mean_arterial_pressure": diastolic + (systolic - diastolic) / 3,
        "shock_index": usual["heart_rate"] / systolic,
    }
    for name, limit in own.limits.items():
        if limit.enabled:
            above = limit.above is not None
            over = (
                usual[limit.signal] <= limit.clear if above else usual[limit.signal] >= limit.clear
            )
            assert over, name


@pytest.mark.parametrize("band", CHILDREN)
def test_a_low_pressure_of_a_child_ends_at_a_childs_pressure(band: str) -> None:
    own = config(age_band=band)
    low, clear = own.limits["systolic_low"].below or 0.0, own.limits["systolic_low"].clear
    well = [(clear + 1, clear - 29), (clear + 2, clear - 28), (clear + 1, clear - 29)]
    log = cuff([*well, (low - 2, low - 32), (low - 3, low - 33), *well], every=300.0)
    found = [step for step in announced(detect(log, age_band=band)) if "_low" in step[0]]
    assert found == [
        ("blood_pressure_low", "opened", "high"),
        ("blood_pressure_low", "closed", "high"),
    ]


@pytest.mark.parametrize("band", CHILDREN)
def test_a_childs_healthy_values_are_no_alarm_and_an_adults_sick_ones_are(band: str) -> None:
    own = config(age_band=band)
    rate = own.baseline.signals["heart_rate"].prior["rest"][0]
    systolic = own.baseline.signals["systolic"].prior["rest"][0]
    diastolic = own.baseline.signals["diastolic"].prior["rest"][0]
    log = [*heart([rate + i % 2 for i in range(60)]),
           *cuff([(systolic, diastolic)] * 4, start=7200.0)]  # fmt: skip
    assert announced(detect(log, age_band=band)) == []
    high = own.limits["heart_rate_high"].above or 0.0
    fast = detect(heart([high + 2 + i % 2 for i in range(30)]), age_band=band)
    assert announced(fast) == [("heart_rate_high", "opened", "medium")]
    assert fast[0].evidence["age_band"] == band


def test_a_four_year_old_at_125_bpm_and_84_mmhg_is_well() -> None:
    log = [*heart([125.0 + i % 2 for i in range(30)]), *cuff([(84.0, 50.0)] * 3, start=7200.0)]
    assert announced(detect(log)) == [
        ("heart_rate_high", "opened", "medium"), ("blood_pressure_low", "opened", "high"),
    ]  # fmt: skip
    assert announced(detect(log, age_band="3_to_5")) == []


@pytest.mark.parametrize("band", [*CHILDREN, "13_to_17"])
def test_what_was_made_for_adults_is_off(band: str) -> None:
    own = config(age_band=band, profile="icu_charting")
    assert not own.early_warning.enabled
    assert not own.deterioration.enabled
    assert not own.irregularity.enabled
    assert own.pressure_days.enabled == (band == "13_to_17")
    if band in CHILDREN:
        assert [knob.path for knob in knobs(own) if knob.path[2] in {"above", "below"}] == []


def test_adolescents_have_the_thresholds_of_aap_2017() -> None:
    own = config(age_band="13_to_17").pressure_days
    assert own.guideline == "aap_2017"
    assert own.guidelines["aap_2017"].category_of(131, 70) == "stage_1"


@pytest.mark.parametrize("band", [*CHILDREN, *BY_AGE[-2:], *ADULTS])
@pytest.mark.parametrize("profile", profiles())
def test_a_band_lies_over_a_profile_wherever_each_is_named(band: str, profile: str) -> None:
    """A monitored bed has an adult's limits; its delays are what it brings to a child."""
    both = config(profile=profile, age_band=band)
    for own in (
        {"profile": profile, "wards": {"w": {"patients": ["a"], "age_band": band}}},
        {"age_band": band, "wards": {"w": {"patients": ["a"], "profile": profile}}},
        {"age_band": band, "patients": {"a": {"profile": profile}}},
        {"profile": profile, "patients": {"a": {"age_band": band}}},
        {
            "wards": {"w": {"patients": ["a"], "age_band": band}},
            "patients": {"a": {"profile": profile}},
        },
    ):
        assert from_tables(own).config_for("a") == both
    alone = config(age_band=band)
    if band in CHILDREN:
        for name, limit in both.limits.items():
            assert (limit.above, limit.below, limit.enabled) == (
                alone.limits[name].above, alone.limits[name].below, alone.limits[name].enabled,
            )  # fmt: skip
    assert (
        both.limits["heart_rate_high"].seconds
        == config(profile=profile).limits["heart_rate_high"].seconds
    )


def test_the_band_named_nearest_to_the_patient_holds_and_it_alone() -> None:
    own = {
        "wards": {"nursery": {"patients": ["a", "b"], "age_band": "infant"}},
        "patients": {"b": {"age_band": "adult"}},
    }
    whole = from_tables(own)
    assert whole.config_for("a").age.band == "infant"
    assert whole.config_for("b") == config(age_band="adult")


def test_a_persons_own_figures_lie_over_the_band() -> None:
    own = {
        "wards": {"w": {"patients": ["a"], "profile": "monitored_bed", "age_band": "6_to_12"}},
        "patients": {"a": {"limits": {"heart_rate_high": {"above": 140.0}}}},
    }
    limit = from_tables(own).config_for("a").limits["heart_rate_high"]
    assert (limit.above, limit.clear, limit.seconds) == (140.0, 113.0, 30.0)


def test_figures_of_the_whole_house_do_not_reach_into_a_band() -> None:
    own = {
        "limits": {"heart_rate_high": {"above": 130.0}},
        "wards": {"w": {"patients": ["a"], "age_band": "infant"}},
    }
    assert from_tables(own).config_for("a").limits["heart_rate_high"].above == 181.0
    assert from_tables(own).config_for("x").limits["heart_rate_high"].above == 130.0


@pytest.mark.parametrize("own", [
    {"age_band": "toddler"}, {"age_band": 4}, {"age": {"band": "3_to_5"}},
    {"age_band": "adult", "age": {"heart_rate_maximum": 0.0}}, {"age": {"years": 4.0}},
])  # fmt: skip
def test_an_unknown_band_stops_the_service_at_its_start(own: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as refused:
        from_tables({"patients": {"p4": own}})
    assert "p4" in str(refused.value.field)


def test_the_error_names_the_bands() -> None:
    with pytest.raises(SettingsError, match=r"'toddler' is not known.*3_to_5.*neonate"):
        from_tables({"age_band": "toddler"})


def test_no_age_is_an_adults_and_the_evidence_says_that_it_is_assumed() -> None:
    log = cuff([(192.0, 124.0), (190.0, 123.0)])
    assumed, known = detect(log), detect(log, age_band="adult")
    assert {event.evidence["age_band"] for event in assumed} == {"adult_assumed"}
    assert {event.evidence["age_band"] for event in known} == {"adult"}
    assert [e.evidence["limit"] for e in assumed] == [e.evidence["limit"] for e in known]


@given(st.sampled_from(BY_AGE), st.floats(30, 250))
def test_no_value_is_both_too_high_and_too_low(band: str, value: float) -> None:
    limits = config(age_band=band).limits.values()
    for signal in ("heart_rate", "systolic", "diastolic"):
        own = [limit for limit in limits if limit.signal == signal and limit.enabled]
        high = any(limit.above is not None and value >= limit.above for limit in own)
        low = any(limit.below is not None and value <= limit.below for limit in own)
        assert not (high and low)


def rows() -> dict[str, list[str]]:
    """The table of bands in the document."""
    section = DOCS.split("## Age\n", 1)[1].split("\n## ", 1)[0]
    lines = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("| `")]
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in lines}


@pytest.mark.parametrize("band", [*CHILDREN, "13_to_17"])
def test_the_document_has_each_bands_limits(band: str) -> None:
    def figures(*names: str) -> list[float]:
        return [figure for name in names if (figure := bound(band, name)) is not None]

    expected = [
        figures("heart_rate_high", "heart_rate_very_high"),
        figures("heart_rate_low", "heart_rate_very_low"),
        figures("systolic_high", "diastolic_high"),
        figures("systolic_severe", "diastolic_severe"),
        figures("systolic_low"),
        figures("mean_arterial_pressure_low"),
        figures("shock_index_high"),
    ]
    stated = [[float(x) for x in re.findall(r"[\d.]+", cell)] for cell in rows()[band][1:8]]
    assert stated == expected


def test_the_document_names_every_band() -> None:
    assert all(f"`{band}`" in DOCS for band in age_bands())
