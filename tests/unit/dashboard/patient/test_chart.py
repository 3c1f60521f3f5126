"""The figure: what is shaded, what lines are drawn, and what it never claims."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dashboard.patient.chart import build_figure
from dashboard.patient.chart_theme import DARK, LIGHT, theme_for
from dashboard.patient.chart_words import describe_chart
from dashboard.patient.trend import JudgedEpisode, Trend
from store.episodes.board import Episode
from store.episodes.evidence import Basis
from tests.support.seed import evidence
from tests.unit.dashboard.board.test_pieces import basis, episode

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
BOTH = {"yaxis", "yaxis2"}


def point(minutes: float, **values: float | None) -> dict[str, Any]:
    """A bucket of the trend."""
    row: dict[str, Any] = {"bucket": NOON + minutes * MINUTE}
    for signal in ("heart_rate", "systolic", "diastolic"):
        for stat in ("avg", "min", "max"):
            row[f"{signal}_{stat}"] = values.get(signal)
    return row


def trend(
    points: Sequence[Mapping[str, Any]], announced: list[tuple[Episode, Basis]] | None = None
) -> Trend:
    return Trend(
        NOON,
        NOON + timedelta(hours=6),
        MINUTE,
        points,
        [JudgedEpisode(*pair) for pair in announced or []],
    )


def trace(drawn: Mapping[str, Any], name: str) -> Any:
    return next(trace for trace in drawn["data"] if trace.get("name") == name)


def test_a_line_is_not_drawn_over_a_time_without_readings() -> None:
    points = [point(m, heart_rate=70) for m in (0, 1, 2, 40, 41)]
    line = trace(build_figure(trend(points), LIGHT), "Heart rate")
    assert line["y"] == [70, 70, 70, None, 70, 70]


def test_of_what_was_not_measured_there_is_no_panel() -> None:
    rate, pressure = {"heart_rate": 70.0}, {"systolic": 120.0, "diastolic": 80.0}
    for measured, axes in ((rate, {"yaxis"}), (pressure, {"yaxis2"}), (rate | pressure, BOTH)):
        layout = build_figure(trend([point(5, **measured)]), LIGHT)["layout"]
        assert BOTH & layout.keys() == axes
        assert layout["xaxis"]["anchor"] == max(axes).replace("axis", "")
    assert build_figure(trend([]), LIGHT)["layout"].keys() >= BOTH
    lasting = episode(onset=NOON - 30 * MINUTE)  # judged by heart rates before the window
    layout = build_figure(trend([point(5, **pressure)], [(lasting, basis())]), LIGHT)["layout"]
    assert layout.keys() >= BOTH


def test_a_cuff_a_few_times_a_day_is_one_line() -> None:
    points = [point(m, systolic=120, diastolic=80) for m in (0, 120, 300)]
    assert None not in trace(build_figure(trend(points), LIGHT), "Systolic")["y"]


def test_an_episode_is_shaded_over_its_own_time_with_the_limits_it_was_judged_by() -> None:
    announced = episode(
        onset=NOON + 30 * MINUTE, ended_at=NOON + 90 * MINUTE, phase="closed", priority="medium"
    )
    shapes = build_figure(trend([], [(announced, basis())]), LIGHT)["layout"]["shapes"]
    shade, onset, usual, limit = shapes
    assert (shade["x0"], shade["x1"]) == ("2026-11-21 12:30:00", "2026-11-21 13:30:00")
    assert shade["fillcolor"] == LIGHT.medium
    assert onset["label"]["text"] == "◆ Heart rate high"
    assert (usual["y0"], usual["y1"], usual["yref"]) == (58, 85, "y")
    assert (limit["y0"], limit["y1"], limit["yref"]) == (120, 120, "y")


def test_an_episode_that_goes_on_is_shaded_to_the_edge() -> None:
    announced = episode(onset=NOON - 30 * MINUTE)
    shade = build_figure(trend([], [(announced, basis())]), LIGHT)["layout"]["shapes"][0]
    assert (shade["x0"], shade["x1"]) == ("2026-11-21 12:00:00", "2026-11-21 18:00:00")


def test_a_limit_on_a_quantity_that_the_chart_does_not_show_is_not_drawn() -> None:
    facts = evidence("heart_rate_high", signal="shock_index", limit=1.0)
    announced = episode(kind="shock_index_high", onset=NOON)
    shapes = build_figure(trend([], [(announced, basis(evidence=facts))]), LIGHT)["layout"][
        "shapes"
    ]
    assert len(shapes) == 2
    assert shapes[0]["yref"] == "paper"


def test_times_are_the_readers() -> None:
    look = theme_for("dark", "Asia/Tokyo")
    drawn = build_figure(trend([point(0, heart_rate=70)]), look)
    assert trace(drawn, "Heart rate")["x"] == ["2026-11-21 21:00:00"]
    assert "Asia/Tokyo" in drawn["layout"]["xaxis"]["title"]["text"]
    for unknown in ("Not/AZone", "", "../../etc/passwd"):
        assert theme_for("light", unknown).zone is None
    assert theme_for("dark", "UTC").ink == DARK.ink


def test_many_episodes_keep_their_marks_and_lose_their_words() -> None:
    announced = [(episode(onset=NOON + m * MINUTE), basis()) for m in range(20)]
    labels = [
        shape["label"]["text"]
        for shape in build_figure(trend([], announced), LIGHT)["layout"]["shapes"]
        if "label" in shape
    ]
    assert labels == ["▲"] * 20


def test_the_words_say_range_and_median() -> None:
    points = [point(m, heart_rate=rate) for m, rate in enumerate((60, 70, 128))]
    assert describe_chart(trend(points)) == "In this window: heart rate 60 to 128 bpm, median 70."
    assert "No readings" in describe_chart(trend([]))


def banded(minutes: float, low: float, high: float) -> dict[str, Any]:
    """A bucket whose heart rates lie from ``low`` to ``high``, most of them well within."""
    row = point(minutes, heart_rate=(low + high) / 2)
    inset = (high - low) / 4
    return {
        **row, "heart_rate_min": low, "heart_rate_max": high, "heart_rate_p10": low + inset,
        "heart_rate_p90": high - inset,
    }  # fmt: skip


def test_where_there_are_percentiles_a_darker_band_lies_within_the_light_one() -> None:
    shown = Trend(
        NOON, NOON + 2 * 60 * MINUTE, 15 * MINUTE, [banded(0, 60, 80), banded(15, 62, 90)], []
    )
    drawn = build_figure(shown, LIGHT)["data"]
    lowest, highest, tenth, ninetieth, line = drawn[:5]
    assert [lowest["y"], highest["y"]] == [[60, 62], [80, 90]]
    assert [tenth["y"], ninetieth["y"]] == [[65, 69], [75, 83]]
    assert (highest["fillcolor"], ninetieth["fillcolor"]) == (LIGHT.band, LIGHT.middle)
    assert highest["fill"] == ninetieth["fill"] == "tonexty"  # each to the line before it
    assert ninetieth["name"] == "Middle 80 %"
    assert line["name"] == "Heart rate"
    assert "the middle 80 % of each quarter of an hour." in describe_chart(shown)


def test_of_single_readings_there_is_no_band() -> None:
    shown = trend([point(m, heart_rate=70 + m) for m in range(5)])
    assert [row.get("name") for row in build_figure(shown, LIGHT)["data"]] == ["Heart rate"]
    assert "80 %" not in describe_chart(shown)


def test_a_band_has_no_edge_where_there_was_no_reading() -> None:
    drawn = build_figure(trend([banded(0, 60, 80), banded(15, 60, 80), banded(300, 60, 80)]), LIGHT)
    assert [row["y"].count(None) for row in drawn["data"][:4]] == [1, 1, 1, 1]


rates = st.none() | st.floats(20, 300)


@given(
    st.lists(st.tuples(st.integers(0, 360), rates, rates), max_size=30, unique_by=lambda t: t[0])
)
def test_every_value_is_drawn_once_and_the_figure_is_json(
    found: list[tuple[int, float | None, float | None]],
) -> None:
    points = [
        point(minute, heart_rate=rate, systolic=pressure)
        for minute, rate, pressure in sorted(found, key=lambda t: t[0])
    ]
    drawn = build_figure(trend(points), LIGHT)
    json.dumps(drawn, allow_nan=False)
    for name, place in (("Heart rate", 1), ("Systolic", 2)):
        measured = sum(item[place] is not None for item in found)
        lines = [row["y"] for row in drawn["data"] if row.get("name") == name]
        assert sum(y is not None for line in lines for y in line) == measured
