"""One figure: row, chart, words, basis, evidence, limits and NEWS2 say the same of a value."""

from __future__ import annotations

import re
import unicodedata
from math import inf
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

import dashboard
from dashboard.board.rows import newest_vitals
from dashboard.board.spark import sparkline
from dashboard.patient.basis import format_quantity, list_facts
from dashboard.patient.chart import build_figure
from dashboard.patient.chart_theme import LIGHT
from dashboard.patient.chart_words import describe_chart
from detectors.configuration.loading import from_tables, load
from detectors.contract import BEYOND, CLEAR
from detectors.early_warning.news2 import points
from detectors.limits.detector import Limits
from explain import languages
from explain.facts.slots import render_slots
from explain.shift_summary.records import Measured, Window
from explain.shift_summary.summary import summarise
from tests.support.figures import exact, of_signal
from tests.support.vitals import cuff, detect, heart, moment
from tests.support.wording import event
from tests.unit.dashboard.board.test_pieces import basis
from tests.unit.dashboard.board.test_pieces import values as newest
from tests.unit.dashboard.patient.test_chart import NOON, point, trace, trend
from vigil.domain.kinds import KINDS
from vigil.domain.signals import NAMES, SIGNALS

HALF_WAY = [
    ("heart_rate", 90.5, "91", 1), ("heart_rate", 40.5, "41", 1), ("heart_rate", 40.4, "40", 3),
    ("systolic", 100.5, "101", 1), ("systolic", 90.0074, "90", 3), ("systolic", 90.5, "91", 2),
    ("temperature", 35.05, "35.1", 1), ("temperature", 38.05, "38.1", 1),
    ("temperature", 35.04, "35.0", 3), ("temperature", 38.00000000000006, "38.0", 0),
    ("spo2", 93.5, "94", 1), ("respiratory_rate", 8.5, "9", 1), ("respiratory_rate", 24.5, "25", 3),
]  # fmt: skip
"""Signal, value, what it reads and the points of that (Royal College of Physicians 2017)."""
LIMITS = Limits(load().everyone.limits)
RULES = {row.rule.name: row for board in LIMITS._boards.values() for row in board.thresholds}
NAMED = {"heart_rate": "Heart rate", "systolic": "Systolic", "diastolic": "Diastolic"}
CHARTED: dict[str, tuple[tuple[float, int], ...]] = {
    "heart_rate": ((40, 3), (50, 1), (90, 0), (110, 1), (130, 2), (inf, 3)),
    "systolic": ((90, 3), (100, 2), (110, 1), (219, 0), (inf, 3)),
    "respiratory_rate": ((8, 3), (11, 1), (20, 0), (24, 2), (inf, 3)),
    "spo2": ((91, 3), (93, 2), (95, 1), (inf, 0)),
    "temperature": ((35.0, 3), (36.0, 1), (38.0, 0), (39.0, 1), (inf, 2)),
}
"""NEWS2 as it is printed: the last figure of each band, and its points."""
SIGNED = st.sampled_from(NAMES).flatmap(
    lambda name: st.tuples(st.just(name), of_signal(SIGNALS[name]))
)


def digits(text: str) -> str:
    """A text's figures in plain digits and points, whatever the locale."""
    plain = "".join(
        str(unicodedata.digit(char)) if unicodedata.category(char) == "Nd" else char
        for char in text
    )
    found = re.findall(r"\d+(?:[.,٫]\d+)?", plain)
    return " ".join(number.replace(",", ".").replace("٫", ".") for number in found)


def sayings(name: str, value: float) -> set[str]:
    """What the row, the basis and the words of every locale say of a value."""
    row = SIGNALS[name]
    announced = event(evidence={"values": {name: value}, "signal": name, "value": value})
    shown = {
        fact.label: fact.value for fact in list_facts(basis(evidence=dict(announced.evidence)))
    }
    found = {
        newest_vitals(newest(**{name: value}), None)[0].value,
        format_quantity(name, value).removesuffix(f" {row.unit_label}"),
        shown["Value at this step"].split(" ")[0],
        shown["Measured at that moment"].removeprefix(f"{row.label} ").split(" ")[0],
    }
    for locale in languages.LOCALES:
        rendered = render_slots(announced, locale)
        found |= {digits(rendered[slot]) for slot in ("value", name) if slot in rendered}
    return found


def drawings(name: str, value: float) -> set[str]:
    """What the chart, its words, the sparkline and the summary of a shift say."""
    shown = trend([point(0, **{name: value})])
    line = trace(build_figure(shown, LIGHT), NAMED[name])
    assert float(line["text"][0]) == line["y"][0]
    found = {*line["text"], *digits(describe_chart(shown)).split(" ")}
    if name == "heart_rate":
        spark = re.search(
            r'aria-label="Heart rate, ([^"]*)"', sparkline({0: value}, 9, "Heart rate")
        )
        measured = Measured("p1", 2, NOON, value, value)
        summary = summarise("patient", "p1", Window(NOON, 8), [], [], [measured])
        spoken = re.search(r"heart rate from (.*)", summary.text)
        assert spark is not None
        assert spoken is not None
        found |= {*digits(spark[1]).split(" "), *digits(spoken[1]).split(" ")}
    return found


@given(SIGNED)
def test_every_place_says_the_same_figure(case: tuple[str, float]) -> None:
    name, value = case
    reported = sayings(name, value) | (drawings(name, value) if name in NAMED else set())
    assert reported == {str(exact(value, SIGNALS[name].decimals))}


@given(SIGNED)
def test_news2_scores_what_the_figure_says(case: tuple[str, float]) -> None:
    name, value = case
    if name in CHARTED:
        figure_ = float(exact(value, SIGNALS[name].decimals))
        wanted = next(score for highest, score in CHARTED[name] if figure_ <= highest)
        assert points(name, value) == wanted


@given(st.sampled_from(sorted(RULES)), st.data())
def test_a_limit_judges_what_the_figure_says(rule: str, data: st.DataObject) -> None:
    limit = RULES[rule]
    name = limit.rule.signal
    value = data.draw(of_signal(SIGNALS[name]))
    read = float(exact(value, SIGNALS[name].decimals))
    here = replace(moment(watched=KINDS), values={name: value})
    found = {finding.rule.name: finding for finding in LIMITS.examine(here, None)}
    above = limit.rule.direction == "above"
    assert (found[rule].stance == BEYOND) == (read >= limit.limit if above else read <= limit.limit)
    assert (found[rule].stance == CLEAR) == (read <= limit.clear if above else read >= limit.clear)


@pytest.mark.parametrize(("name", "value", "reads", "scores"), HALF_WAY)
def test_half_way_values_read_and_score_alike(
    name: str, value: float, reads: str, scores: int
) -> None:
    assert sayings(name, value) == {reads}
    assert points(name, value) == scores


APART = 1200.0
"""Seconds after which an exactly equal pressure is a second measurement."""


def test_a_pressure_in_kpa_opens_what_its_figure_says() -> None:
    for pair, kind, value in (
        ((90.0074, 60.0049), "blood_pressure_low", 90.0),
        ((159.7631, 89.6), "blood_pressure_high", 160.0),
    ):
        opened = next(e for e in detect(cuff([pair] * 3, every=APART)) if e.kind == kind)
        evidence = opened.evidence
        assert (evidence["value"], evidence["extreme"], evidence["limit"]) == (value,) * 3
        assert evidence["values"] == {"systolic": value, "diastolic": round(pair[1])}
        assert render_slots(opened, "en")["value"] == f"systolic {value:.0f} mmHg"


def test_combined_figures_are_made_of_figures_and_judged_as_figures() -> None:
    # 92/52: the mean is 65.33 and reads 65; 99.6 over 100.4 is 100 over 100, a shock index of 1.00
    low = detect(cuff([(92.0, 52.0)] * 3, every=APART))
    assert next(e for e in low if e.kind == "mean_arterial_pressure_low").evidence["value"] == 65.0
    shock = detect(cuff([(100.4, 70.0)] * 3, every=APART, heart_rate=99.6))
    assert next(e for e in shock if e.kind == "shock_index_high").evidence["value"] == 1.0


def test_a_limit_finer_than_its_signal_is_in_force_as_it_is_shown() -> None:
    own = {"heart_rate_high": {"above": 119.5, "clear": 119.5}}
    fine = Limits(from_tables({"limits": own}).everyone.limits)
    for value, beyond in ((119.4, False), (119.5, True), (120.0, True)):
        found = {f.rule.name: f for f in fine.examine(moment(heart_rate=value), None)}
        assert ("heart_rate_high" in found and found["heart_rate_high"].stance == BEYOND) == beyond


def test_a_line_that_only_rounding_makes_flat_is_not_stuck() -> None:
    moving = [121.1 + 0.1 * (i % 4) for i in range(40)]
    assert {event.kind for event in detect(heart(moving))} == {"heart_rate_high"}
    flat = detect(heart([121.0] * 40))
    assert {event.kind for event in flat} == {"sensor_fault"}


def test_the_browser_rounds_nothing() -> None:
    drawn = build_figure(trend([point(0, heart_rate=90.5, systolic=120, diastolic=80)]), LIGHT)
    announced = [t["hovertemplate"] for t in drawn["data"] if t["hoverinfo"] != "skip"]
    assert announced == ["%{text} bpm", "%{text} mmHg", "%{text} mmHg"]
    scripts = [*Path(dashboard.__file__).parent.rglob("*.js")]
    assert len(scripts) >= 3
    for path in scripts:
        assert not re.search(r"toFixed|toPrecision|Math\.round|NumberFormat", path.read_text()), (
            path
        )
