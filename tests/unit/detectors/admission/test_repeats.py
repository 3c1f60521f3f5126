"""A pressure that is sent again is no second measurement."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from detectors.admission.rules import PULSE_SECONDS, Admission
from detectors.admission.tracks import Track
from tests.support.vitals import HOUR, announced, at, config, cuff, detect, engine, measured, upload
from vigil.domain.episode import Event
from vigil.domain.reading import Upload

USUAL = cuff([(128, 78)])
OPENED = ("blood_pressure_high", "opened", "medium")
CONFIRMED = ("blood_pressure_high", "updated", "high")


def severe(second: float, systolic: float = 214.0, sequence: int | None = None) -> Upload:
    item = measured(second, {"systolic": systolic, "diastolic": 131.0})
    return upload(replace(item, sequence=sequence))


def clinical(events: list[Event]) -> list[tuple[str, str, str]]:
    return announced(e for e in events if e.category == "clinical")


def test_the_same_pair_a_minute_later_confirms_nothing() -> None:
    assert clinical(detect([*USUAL, severe(HOUR), severe(HOUR + 60)])) == []


def test_nor_does_one_that_goes_on_being_sent_for_hours() -> None:
    poller = [severe(HOUR + i * 60.0) for i in range(180)]
    assert clinical(detect([*USUAL, *poller])) == []


def test_a_second_measurement_confirms_it() -> None:
    found = clinical(detect([*USUAL, severe(HOUR), severe(HOUR + 60, 212.0)]))
    assert found == [OPENED, CONFIRMED]


def test_so_does_an_equal_one_after_a_while() -> None:
    found = clinical(detect([*USUAL, severe(HOUR), severe(HOUR + 1000.0)]))
    assert found == [OPENED, CONFIRMED]


@pytest.mark.parametrize(
    ("numbers", "found"), [((7, 8), [OPENED, CONFIRMED]), ((7, 7), []), ((7, None), [])]
)
def test_the_devices_number_of_a_measurement_distinguishes_them(
    numbers: tuple[int | None, int | None], found: list[tuple[str, str, str]]
) -> None:
    first, second = numbers
    log = [*USUAL, severe(HOUR, sequence=first), severe(HOUR + 60, sequence=second)]
    assert clinical(detect(log)) == found


def test_the_same_number_is_the_same_measurement_however_late() -> None:
    log = [*USUAL, severe(HOUR, sequence=7), severe(2 * HOUR, sequence=7)]
    assert clinical(detect(log)) == []


@pytest.mark.parametrize("noise", [1e-7, -1e-7, 0.3])
def test_digits_that_no_cuff_shows_make_no_second_measurement(noise: float) -> None:
    """As of two conversions from kilopascal, one minute apart, at one time, or as late data."""
    first, again = severe(HOUR), severe(HOUR + 60, 214.0 + noise)
    assert clinical(detect([*USUAL, first, again])) == []
    assert clinical(detect([*USUAL, first, severe(HOUR, 214.0 + noise)])) == []
    late = [replace(one, received_at=at(9 * HOUR)) for one in (first, again)]
    assert ("blood_pressure_high", "updated", "high") not in clinical(
        detect([*USUAL, *cuff([(128, 78)], start=8 * HOUR), *late])
    )


def sent_by(device: str, item: Upload) -> Upload:
    return replace(item, device_id=device)


def test_numbers_of_two_devices_mean_nothing_to_each_other() -> None:
    """An equal number of another device is no repetition; another number no second measurement."""
    taken_over = sent_by("cuff-2", severe(HOUR + 1000.0, sequence=7))
    log = [*USUAL, severe(HOUR, sequence=7), taken_over]
    assert clinical(detect(log)) == [OPENED, CONFIRMED]
    passed_on = sent_by("app", severe(HOUR + 60.0, sequence=90))
    log = [*USUAL, severe(HOUR, sequence=7), passed_on]
    assert clinical(detect(log, sources={"enabled": False})) == []
    at_once = sent_by("app", severe(HOUR, sequence=90))
    log = [*USUAL, severe(HOUR, sequence=7), at_once]
    assert clinical(detect(log, sources={"enabled": False})) == []


def test_nor_do_they_among_late_readings() -> None:
    late = [severe(HOUR, sequence=7), sent_by("app", severe(HOUR + 60.0, sequence=90))]
    late = [replace(one, received_at=at(9 * HOUR)) for one in late]
    log = [*USUAL, *cuff([(128, 78)], start=8 * HOUR), *late]
    found = detect(log, sources={"enabled": False})
    assert {event.priority for event in found} == {"medium"}


def test_a_pressure_in_the_usual_range_that_is_sent_again_is_not_learned() -> None:
    runs = engine()
    for i in range(20):
        runs.process(upload(measured(i * 60.0, {"systolic": 128.0, "diastolic": 78.0})))
    state = runs._monitors["p1"].state
    assert state.memories["baseline"].known["systolic"].level.readings <= 1


def test_it_is_no_sign_of_life() -> None:
    silence = {"unknown_seconds": 3600.0}
    runs = engine(silence=silence)
    for item in USUAL:
        runs.process(item)
    events = []
    for minute in range(1, 90):
        item = upload(measured(minute * 60.0, {"systolic": 128.0, "diastolic": 78.0}))
        events += runs.process(item) + runs.tick(at(minute * 60.0 + 2))
    assert announced(events) == [("no_data", "opened", "low")]


def test_a_heart_rate_beside_it_is_judged() -> None:
    log = [
        upload(
            measured(i * 60.0, {"heart_rate": 131.0 + i % 3, "systolic": 128.0, "diastolic": 78.0},
                     "rest")
        )
        for i in range(15)
    ]  # fmt: skip
    assert ("heart_rate_high", "opened", "medium") in announced(detect(log))


def test_palpated_pressures_are_taken_by_hand_and_may_be_equal() -> None:
    log = [upload(measured(i * 600.0, {"systolic": 74.0})) for i in range(4)]
    assert ("blood_pressure_low", "opened", "high") in announced(detect(log))


@pytest.mark.parametrize(("second", "measurements"), [(8, 2), (7, 1), (None, 1)])
def test_within_one_minute_the_devices_number_tells_equal_pressures_apart(
    second: int | None, measurements: int
) -> None:
    log = [*USUAL, severe(HOUR, sequence=7), severe(HOUR, sequence=second)]
    confirmed = CONFIRMED in announced(detect(log))
    assert confirmed == (measurements == 2)
    assert detect([*log, *log]) == detect(log), "sent again, it is neither"


def palpated(second: float, systolic: float, sequence: int | None = None) -> Upload:
    return upload(replace(measured(second, {"systolic": systolic}), sequence=sequence))


def test_a_palpated_pressure_that_is_sent_again_confirms_nothing() -> None:
    again = [palpated(HOUR + i * 60.0, 214.0) for i in range(15)]
    assert clinical(detect(again)) == [OPENED]
    assert clinical(detect([*USUAL, *again])) == []


@pytest.mark.parametrize(("second", "confirmed"), [(8, True), (7, False), (None, False)])
def test_its_number_distinguishes_two_equal_ones(second: int | None, confirmed: bool) -> None:
    log = [palpated(HOUR, 214.0, 7), palpated(HOUR + 120.0, 214.0, second)]
    assert (CONFIRMED in clinical(detect(log))) == confirmed


def test_a_palpated_pressure_sent_again_is_no_sign_of_life() -> None:
    runs = engine(silence={"unknown_seconds": 3600.0})
    events = []
    for minute in range(90):
        events += runs.process(palpated(minute * 60.0, 118.0, 3))
        events += runs.tick(at(minute * 60.0 + 2))
    assert announced(events) == [("no_data", "opened", "low")]


def test_a_diastolic_that_cannot_be_makes_a_pressure_no_other_one() -> None:
    log = [
        upload(measured(HOUR + i * 60.0, {"systolic": 192.0, "diastolic": 700.0})) for i in range(3)
    ]
    assert clinical(detect(log)) == [OPENED]


def test_a_palpated_pressure_leaves_no_diastolic_of_another_behind() -> None:
    """118 was held back with 192; a palpated 130 contradicts it, so 110 is a step of its own."""
    runs = engine()
    for item in [*USUAL, severe(HOUR, 192.0), palpated(HOUR + 300.0, 130.0)]:
        runs.process(item)
    assert runs._monitors["p1"].state.tracks["diastolic"].held_value is None
    runs.process(upload(measured(HOUR + 600.0, {"systolic": 131.0, "diastolic": 112.0})))
    assert runs._monitors["p1"].state.tracks["diastolic"].held_value == 112.0


def test_a_palpated_pressure_confirms_a_pair_and_its_diastolic() -> None:
    log = [*USUAL, severe(HOUR, 192.0), palpated(HOUR + 300.0, 194.0)]
    after = upload(measured(HOUR + 600.0, {"systolic": 193.0, "diastolic": 130.0}))
    assert clinical(detect([*log, after])) == [OPENED, CONFIRMED]
    runs = engine()
    for item in log:
        runs.process(item)
    assert runs._monitors["p1"].state.tracks["diastolic"].value == 131.0


# ---- the pulse of a pressure that is sent again


def counted(rows: list[tuple[float, dict[str, float]]]) -> list[bool]:
    """Whether the heart rate of each row counts, or is only held back until another agrees."""
    admission, tracks = Admission(config().everyone.admission), dict[str, Track]()
    counts = []
    for time, values in rows:
        admitted = admission.admit(values, time, None, tracks, watched=False)
        counts.append("heart_rate" in admitted.values or "heart_rate" in admitted.held)
    return counts


def triple(time: float, rate: float, systolic: float = 128.0) -> tuple[float, dict[str, float]]:
    return time, {"heart_rate": rate, "systolic": systolic, "diastolic": 78.0}


@given(st.sampled_from([33.0, 38.0, 64.0, 128.0, 160.0]), st.booleans(),
       st.lists(st.floats(5, 60), max_size=5))  # fmt: skip
def test_a_cuffs_pulse_that_is_sent_again_confirms_nothing(
    rate: float, before: bool, gaps: list[float]
) -> None:
    rows = [triple(0.0, 66.0, 131.0)] * before + [triple(HOUR, rate)]
    for gap in gaps:
        rows.append(triple(rows[-1][0] + gap, rate))
    rows = [row for row in rows if row[0] <= HOUR + PULSE_SECONDS]
    assert counted(rows) == [row[0] in (0.0, HOUR) and row in rows[: before + 1] for row in rows]
    log = [upload(measured(time, values)) for time, values in rows]
    assert clinical(detect(log)) == []


@settings(max_examples=60)
@given(st.lists(st.sampled_from([32.0, 33.0, 34.0]), min_size=3, max_size=40),
       st.lists(st.sampled_from([126.0, 128.0]), min_size=1, max_size=3))  # fmt: skip
def test_a_monitor_that_repeats_its_pressure_loses_no_rate_but_at_first(
    rates: list[float], pressures: list[float]
) -> None:
    rows = [
        triple(i * 60.0, rate, pressures[i // 15 % len(pressures)]) for i, rate in enumerate(rates)
    ]
    moved = next((i for i, rate in enumerate(rates) if rate != rates[0]), len(rates))
    unproven = {i for i in range(2, len(rates)) if len(set(rates[i - 2 : i + 1])) == 1}
    for i, counts in enumerate(counted(rows)):
        if i >= moved or i * 60.0 > PULSE_SECONDS:
            assert counts or i in unproven


def test_rates_of_another_device_between_show_that_rates_are_measured_apart() -> None:
    alone = [(i * 60.0, {"heart_rate": 60.0 + i % 2}) for i in range(5)]
    rows = [*alone, triple(300.0, 58.0), triple(360.0, 58.0)]
    assert all(counted(rows))
    after = [triple(300.0, 58.0), (330.0, {"heart_rate": 58.0}), triple(360.0, 58.0)]
    assert counted(after)[1:] == [True, True]
