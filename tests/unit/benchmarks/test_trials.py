"""Where episodes are put, how Vigil's events become alerts, what a report looks like."""

from __future__ import annotations

from random import Random
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from benchmarks.detection import chart, levels, placing, render, results
from benchmarks.detection.injection import CLINICAL, PRESSURE
from benchmarks.detection.report import Aim, Chart, Curve, Miss, Report, Table
from benchmarks.detection.scoring import Rate
from benchmarks.detection.sets import HOUR, MINUTE, Recording, patient_days
from benchmarks.detection.vigil_alerts import alerts, detect
from detectors.configuration.loading import load
from tests.unit.benchmarks.test_injection import recording


def day(seed: int = 1, hours: int = 48) -> Recording:
    """Calm hours, and every third hour with steps."""
    random = Random(seed)  # noqa: S311
    made = recording([60 + random.gauss(0, 2) for _ in range(hours * 60)])
    rows = [
        row if i // 60 % 3 else type(row)(row.reading_id, row.time, row.values,
                                          type(row.context)(steps_per_min=50.0))
        for i, row in enumerate(made.measurements)
    ]  # fmt: skip
    return Recording("p1", tuple(rows))


def test_sites_are_calm_apart_and_after_the_warm_up() -> None:
    ground = placing.Ground(day(), 6 * HOUR)
    left_out = (ground.first + 10 * HOUR, ground.first + 20 * HOUR)
    shapes = CLINICAL[:2]
    sites = placing.spread(ground, shapes, 6 * HOUR, 5, left_out)
    assert sites == placing.spread(ground, shapes, 6 * HOUR, 5, left_out)
    assert len(sites) >= 3
    for site in sites:
        end = site.start + max(shape.seconds for shape in shapes)
        assert site.start >= ground.first
        assert end <= left_out[0] or site.start >= left_out[1]
        steps = [
            row.context.steps_per_min
            for row in ground.recording.measurements
            if site.start - 10 * MINUTE <= row.time.timestamp() < end
        ]
        assert not any(steps)


def test_short_recordings_are_filled_wherever_there_are_readings() -> None:
    ground = placing.Ground(recording([60.0] * 100), 0.0)
    shape = next(one for one in PRESSURE if one.name == "systolic +40, 30 min")
    every = placing.everywhere(ground, shape, 8, seed=1, most=1000)
    assert [site.start for site in every] == ground.times[8:-1]  # the last one holds one reading
    few = placing.everywhere(ground, shape, 8, seed=1, most=5)
    assert len(few) == 5
    assert set(few) <= set(every)


def test_days_are_hours_worn_outside_what_is_left_out() -> None:
    made = recording([60.0] * 600)
    assert patient_days(made) == pytest.approx(10 / 24)
    assert patient_days(made, 2 * HOUR) == pytest.approx(8 / 24)
    span = (made.start + 3 * HOUR, made.start + 5 * HOUR)
    assert patient_days(made, 2 * HOUR, span) == pytest.approx(6 / 24)


def test_an_episode_alerts_when_it_opens_and_when_it_gets_worse() -> None:
    rates = [60.0] * 30 + [130.0] * 60 + [160.0] * 30 + [60.0] * 60
    both = recording([rate + i % 3 for i, rate in enumerate(rates)])
    rows = [replace(row, values={"heart_rate": row.values["heart_rate"]})
            for row in both.measurements]  # fmt: skip
    made = Recording("p1", tuple(rows))
    events = detect(made, levels.config("holter_rhythm"))
    found = alerts(events, made.end, {"heart_rate_high"})
    assert [alert.priority for alert in found] == ["medium", "high"]
    assert found[0].start < found[1].start < found[0].end
    assert found[0].end == found[1].end < made.end


def test_technical_events_alert_nobody() -> None:
    made = recording([60.0] * 200)
    events = detect(made, levels.config("holter_rhythm"))
    assert {event.kind for event in events} == {"sensor_fault"}
    assert alerts(events, made.end) == []


def test_uploads_hold_every_measurement_once_in_order() -> None:
    made = recording([60.0] * 100)
    sent = [row for upload in made.uploads() for row in upload.measurements]
    assert tuple(sent) == made.measurements


@pytest.mark.parametrize("level", levels.LEVELS)
def test_every_level_is_a_configuration_that_can_be_used(level: float) -> None:
    shipped = load().everyone.limits["heart_rate_high"]
    scaled = levels.config("wearable_minutes", level).everyone.limits["heart_rate_high"]
    assert scaled.above is not None
    assert shipped.above is not None
    assert (scaled.above - 75) == pytest.approx(level * (shipped.above - 75))


REPORT = Report(
    "demo",
    "What it is.",
    (Table("Found", "INJECTED", ("who", "share"), (("p", Rate(0.5, 0.1, 0.9, 1, 2)),)),),
    (Aim("all", "≥ 1", "0.5", "0.4", False),),
    (Miss("test", "p1", "one episode", "asleep"),),
    ("A note.",),
    (Chart("demo", "A & B", (Curve("x < y", ((0.1, 0.5), (0.5, 0.9))),)),),
)


def test_a_report_says_that_events_were_injected_and_names_its_misses() -> None:
    for written in (render.text(REPORT), render.markdown(REPORT)):
        assert "Found (INJECTED)" in written
        assert "0.500 [0.100, 0.900] (1/2)" in written
    assert "test, `p1`: one episode: asleep" in render.markdown(REPORT)


def test_a_picture_is_well_formed() -> None:
    tree = ElementTree.fromstring(chart.svg(REPORT.charts[0]))  # noqa: S314  (our own)
    assert tree.get("aria-label") == "A & B"
    assert "x < y" in "".join(tree.itertext())


def test_a_block_that_has_no_place_is_refused() -> None:
    with pytest.raises(ValueError, match="no markers"):
        results.replaced("nothing", "demo", "block")
