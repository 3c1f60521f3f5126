"""``docs/detection.md`` is held to the code: limits, evidence keys, kinds and reasons."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from detectors.configuration.loading import from_tables, load
from detectors.engine.engine import Engine
from detectors.limits.configuration import Limit
from detectors.limits.exertion_configuration import Exertion
from detectors.registry import BUILT_IN
from tests.support.vitals import DAY, at, cuff, detect, heart, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Withdrawal
from vigil.values.rounding import half_up

DOCUMENT = (Path(__file__).parents[4] / "docs" / "detection.md").read_text("utf-8")
LIMITS = load().everyone.limits


def rows(heading: str) -> list[list[str]]:
    """The cells of the table under a heading."""
    section = DOCUMENT.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def _describe(limit: Limit) -> list[str]:
    above = limit.above is not None
    bound = limit.above if limit.above is not None else limit.below
    delay = f"{limit.seconds:g} s"
    if limit.unknown_seconds is not None:
        delay += f" ({limit.unknown_seconds:g} s)"
    return [
        f"`{limit.kind}`", f"{'≥' if above else '≤'} {bound:g}",
        f"{'≤' if above else '≥'} {limit.clear:g}", delay, str(limit.readings), limit.priority,
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(LIMITS))
def test_each_limit_stands_there_as_it_is(name: str) -> None:
    stated = {row[0].strip("`"): row[1:7] for row in rows("Limits")}
    assert stated[name] == _describe(LIMITS[name])


def test_no_limit_stands_there_that_is_not() -> None:
    assert {row[0].strip("`") for row in rows("Limits")} == set(LIMITS)


EXERTION = load().everyone.exertion


def test_each_row_of_exertion_stands_there_as_it_is() -> None:
    stated = {row[0].strip("`"): row[1:6] for row in rows("Exertion")}
    maximum = load().everyone.age.heart_rate_maximum
    assert stated == {
        name: [
            f"`{row.extends}`",
            "–" if row.share is None else f"{row.share:g} ({half_up(row.share * maximum):g})",
            f"{row.seconds:g} s", str(row.readings), _explained_by(row),
        ]
        for name, row in EXERTION.items()
    }  # fmt: skip


def _explained_by(row: Exertion) -> str:
    if row.systolic_to is not None:
        return f"a systolic pressure above {row.systolic_to:g}"
    if row.steps_below is None:
        return "nothing"
    return f"{row.steps_below:g} steps a minute and more, or a device that says `active`"


def _events() -> list[Event]:
    source = random.Random(1)  # noqa: S311
    calm = [70.0 + source.randint(-3, 3) for _ in range(700)]
    fast = [131.0 + source.randint(-3, 3) for _ in range(30)]
    log = [
        *heart([*calm, *fast, *calm[:40]]),
        *heart([400.0] * 4 + calm[:9], start=800 * 60),
        *heart([65.0] * 70, start=830 * 60),
        *cuff([(85, 50), (84, 50), (120, 80)], start=60_000, heart_rate=70.0),
        upload(measured(90_000, {"heart_rate": 70.0}), received=61_000),
        *[upload(measured(70_000 + i * 60.0, {"heart_rate": 70.0}, contact=False))
          for i in range(9)],
        *heart([70.0 + source.randint(-12, 12) for _ in range(300)], start=71_000, every=10),
    ]  # fmt: skip
    engine = Engine(load())
    events = [event for item in log for event in engine.process(item)]
    off = Engine(from_tables({"limits": {"systolic_low": {"enabled": False}}}))
    off.load_state("p1", engine.state_of("p1"))
    events += off.process(upload(measured(75_000, {"heart_rate": 70.0})))
    apart = [*_of_a_plug_in(calm + fast), *_over_days(), *_of_several(), *_in_light_motion()]
    apart += [*_joined_without_a_reading(), *_in_local_time()]
    apart += [*_eased(), *_of_a_clock_behind(calm[:30] + fast), *_withdrawn(), *_of_rivers_scorer()]
    apart += [*_of_a_clock_ahead(calm[:30] + fast), *_known_late(), *_while_active()]
    return events + off.tick(at(1_000_000)) + apart


def _of_a_clock_behind(rates: list[float]) -> list[Event]:
    engine, behind = Engine(load()), timedelta(hours=5)
    log = [replace(item, received_at=item.received_at + behind) for item in heart(rates)]
    return [event for item in log for event in engine.process(item)]


def _of_a_clock_ahead(rates: list[float]) -> list[Event]:
    """Its sender states when it sent."""
    engine, ahead = Engine(load()), timedelta(hours=5)
    log = [
        replace(item, received_at=item.received_at - ahead, sent_at=item.received_at)
        for item in heart(rates)
    ]
    return [event for item in log for event in engine.process(item)]


def _withdrawn() -> list[Event]:
    """Two severe pressures of somebody else's."""
    log, engine = cuff([(192, 124), (190, 123)], every=120), Engine(load())
    events = [event for item in log for event in engine.process(item)]
    back = Withdrawal(
        withdrawal_id="w1",
        patient_id="p1",
        readings=tuple(item.measurements[0] for item in log),
        reason="wrong_patient",
        actor="kim",
        time=at(300),
        since=at(0),
        remaining=(),
    )
    return events + engine.withdraw(back)


def _eased() -> list[Event]:
    """Very fast for ten minutes, then fast for hours, then nothing for a day."""
    rates = [158.0 + i % 3 for i in range(10)] + [126.0 + i % 3 for i in range(60)]
    return detect([*heart(rates), *heart([126.0], start=DAY)])


def _known_late() -> list[Event]:
    """Fast for twenty minutes, and then the hour before, which was fast too."""
    log = heart([158.0 + i % 3 for i in range(80)], start=2 * 3600.0)
    before = [replace(item, received_at=log[-1].received_at) for item in log[:60]]
    engine = Engine(load())
    events = [event for item in (*log[60:], *before) for event in engine.process(item)]
    return events + engine.finish()


def _of_rivers_scorer() -> list[Event]:
    """A rate that is under all that the person ever had, and over every limit."""
    source = random.Random(2)  # noqa: S311
    rates = [72.0 + source.randint(-3, 3) for _ in range(1800)]
    engine = Engine(from_tables({"baseline": {"signals": {"heart_rate": {"enabled": False}}}}))
    return [event for item in heart([*rates, *[43.0, 44.0] * 12]) for event in engine.process(item)]


def _of_a_plug_in(rates: list[float]) -> list[Event]:
    far = {
        "detector": "river.anomaly.StandardAbsoluteDeviation", "kind": "heart_rate_unusual",
        "signals": ["heart_rate"], "threshold": 4.0,
    }  # fmt: skip
    engine = Engine(from_tables({"plugins": {"far": far}}))
    return [event for item in heart(rates) for event in engine.process(item)]


def _in_light_motion() -> list[Event]:
    """158 for three hours beside a few steps a minute."""
    log = [
        upload(measured(i * 60.0, {"heart_rate": 158.0 + i % 2}, "unknown", steps=14.0))
        for i in range(180)
    ]
    engine = Engine(load())
    return [event for item in log for event in engine.process(item)]


def _while_active() -> list[Event]:
    """212 for twenty-five minutes of each hour; a low pressure; points of what is no exercise."""
    rates = ([212.0, 213.0] * 13)[:25] + [95.0, 96.0] * 18
    log = heart(rates * 3, activity="active")
    for i in range(5):
        shock = {"heart_rate": 112.0 + i, "systolic": 97.0 - i, "diastolic": 66.0}
        log.append(upload(measured(DAY + i * 60.0, shock, "active")))
    for i in range(5):
        ill = {"heart_rate": 85.0 + i, "systolic": 95.0 + i, "spo2": 90.0, "respiratory_rate": 18.0}
        log.append(upload(measured(2 * DAY + i * 300.0, ill, "active")))
    return detect(log)


def _over_days() -> list[Event]:
    """Four weeks of nights and six raised ones, and of two pressures morning and evening."""
    nights = [
        upload(measured(day * DAY + slot * 900.0, {"heart_rate": rate + slot % 3}))
        for day, rate in enumerate([60.0] * 29 + [72.0] * 41) for slot in range(29)
    ]  # fmt: skip
    pressures = [
        upload(measured(day * DAY + hour * 3600.0, {"systolic": 140.0, "diastolic": 80.0}, "rest"))
        for day in range(6) for hour in (8, 9, 19, 20)
    ]  # fmt: skip
    engine = Engine(load())
    return [event for item in (*nights, *pressures) for event in engine.process(item)]


def _in_local_time() -> list[Event]:
    """Of a patient in Berlin, and of one whose offset is fixed."""
    fast = heart([131.0 + i % 3 for i in range(15)])
    zones: tuple[dict[str, object], ...] = (
        {"time_zone": "Europe/Berlin"},
        {"utc_offset_hours": 9.0},
    )
    return [event for own in zones for event in detect(fast, context=own)]


def _joined_without_a_reading() -> list[Event]:
    """A low pressure and then a fast heart; one patient has no low pressure any more by then."""
    log = []
    for patient in ("p1", "p2"):
        log += [
            upload(measured(i * 120.0, {"systolic": 84.0 - i, "diastolic": 48.0}), patient=patient)
            for i in range(2)
        ]
        log += heart([124.0 + i % 3 for i in range(14)], start=180.0, patient=patient)
        up = {"systolic": 93.0, "diastolic": 58.0} if patient == "p2" else {}
        last = measured(1080.0, {"heart_rate": 125.0, **up}, "rest")
        log.append(upload(last, patient=patient))
    engine = Engine(load())
    return [event for item in log for event in engine.process(item)]


def _of_several() -> list[Event]:
    """A partial NEWS2 of 7, and a heart rate that rises as the pressure falls."""
    source = random.Random(1)  # noqa: S311
    ill = {"heart_rate": 135.0, "respiratory_rate": 26.0, "spo2": 94.0}
    log = [upload(measured(i * 600.0, ill, "rest")) for i in range(3)]
    for i in range(96):
        ill_by = i // 90
        values = {
            "heart_rate": 70.0 + source.gauss(0, 3) + 16 * ill_by,
            "systolic": 125.0 + source.gauss(0, 5) - 18 * ill_by,
        }
        log.append(upload(measured(DAY + i * 3600.0, values, "rest"), patient="p2"))
    engine = Engine(load())
    return [event for item in log for event in engine.process(item)]


def test_every_key_of_the_evidence_is_explained() -> None:
    events = _events()
    kinds = {event.kind for event in events}
    assert kinds >= {"heart_rate_high", "sensor_fault", "poor_contact", "device_clock", "no_data"}
    explained = {key for row in rows("Evidence") for key in re.findall(r"`(\w+)`", row[0])}
    assert explained == {key for event in events for key in event.evidence}
    meaning = " ".join(row[1] for row in rows("Evidence"))
    stated = set(re.findall(r"`([\w:]+)`", meaning))
    assert {key for e in events for key in e.evidence.get("baseline", {})} <= stated
    assert {e.evidence["reason"] for e in events if "reason" in e.evidence} <= stated


def test_every_technical_kind_has_its_row() -> None:
    technical = {event.kind for event in _events() if event.category == "technical"}
    assert {row[0].strip("`") for row in rows("Admission and technical events")} == technical


def test_the_example_is_a_configuration() -> None:
    import tomllib

    example = DOCUMENT.split("```toml\n", 1)[1].split("```", 1)[0]
    config = from_tables(tomllib.loads(example))
    limit = config.config_for("p17").limits["heart_rate_high"]
    assert (limit.above, config.config_for("icu-3").context.unknown_activity) == (130, "rest")
    assert not config.config_for("p17").admission.stuck["heart_rate"].enabled
    assert config.config_for("p17").context.time_zone == "Europe/Berlin"
    assert config.config_for("p4").age.band == "3_to_5"


def test_every_detector_is_named() -> None:
    for name in BUILT_IN:
        assert name in DOCUMENT
