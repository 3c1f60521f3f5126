"""Laws of the simulator: repeatable, however it is cut; labelled; plausible; true."""

from __future__ import annotations

import csv
import heapq
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from operator import attrgetter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from detectors.configuration import loading as config
from detectors.engine.engine import Engine
from ingest import validate
from ingest.recordings.reader import Report, read_uploads
from ingest.simulator import SCENARIOS, SimPatient, patients, recorded
from vigil.domain.episode import Event
from vigil.domain.kinds import KINDS
from vigil.domain.reading import Upload
from vigil.domain.signals import SIGNALS

NOW = datetime(2026, 11, 21, 12, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
people = st.builds(
    SimPatient,
    seed=st.integers(0, 99),
    number=st.integers(1, 500),
    scenario=st.sampled_from([*SCENARIOS, "none"]),
    onset=st.just(NOW),
    upload_minutes=st.sampled_from([1, 5, 60]),
)


def span(person: SimPatient, hours: float, of: timedelta = timedelta(0)) -> list[Upload]:
    start = NOW + of
    return list(person.uploads(start, start + timedelta(hours=hours)))


@given(people, st.lists(st.integers(0, 4 * 3600), max_size=5))
@hypothesis_settings(deadline=None, max_examples=40)
def test_a_span_is_the_same_however_it_is_cut(person: SimPatient, cuts: list[int]) -> None:
    moments = [NOW + timedelta(seconds=second) for second in sorted([0, *cuts, 4 * 3600])]
    pieces = [upload for start, end in pairwise(moments) for upload in person.uploads(start, end)]
    assert pieces == span(person, 4)


@pytest.mark.slow
@given(people)
@hypothesis_settings(deadline=None, max_examples=25)
def test_uploads_are_lawful(person: SimPatient) -> None:
    uploads = span(person, 26, timedelta(hours=-25))
    received = [upload.received_at for upload in uploads]
    assert received == sorted(received)
    times = [m.time for upload in uploads for m in upload.measurements]
    assert times == sorted(set(times))
    for upload in uploads:
        assert upload.synthetic
        assert upload.patient_id.startswith("sim-")
        assert upload.received_at >= upload.measurements[-1].time
        assert upload.received_at - upload.measurements[0].time < timedelta(hours=1)
        for item in upload.measurements:
            spoken = {"time": item.time.isoformat(), "values": item.values}
            if item.values:  # what is made up must pass the door as it is
                validate.reading(
                    spoken, device_id="d", patient_id=upload.patient_id, latest=item.time
                )


def test_a_seed_makes_people_and_another_makes_others() -> None:
    first, again, other = (patients(30, seed, NOW) for seed in (1, 1, 2))
    assert first == again
    assert len({person.patient_id for person in first}) == 30
    assert not {p.patient_id for p in first} & {p.patient_id for p in other}
    values = [
        [m.values for upload in span(group[3], 1) for m in upload.measurements]
        for group in (first, again, other)
    ]
    assert values[0] == values[1] != values[2]


def test_names_are_seen_to_be_invented() -> None:
    names = [person.display_name for person in patients(500, 1)]
    assert len(set(names)) == 500
    for name in names:
        family = name.split()[1]
        assert family in {
            "Example", "Sample", "Specimen", "Placeholder", "Fictional", "Madeup", "Nobody",
        }  # fmt: skip


def test_nights_are_calmer_than_days_and_exercise_shows() -> None:
    [person] = patients(1, seed=5, scenarios=["none"])
    by_activity: dict[str, list[float]] = {}
    for upload in span(person, 72):
        for item in upload.measurements:
            by_activity.setdefault(item.context.activity, []).append(item.values["heart_rate"])
    mean = {name: sum(rates) / len(rates) for name, rates in by_activity.items()}
    assert mean["asleep"] + 4 < mean["rest"] < mean["active"] - 8
    assert len(by_activity["asleep"]) > 3 * 5 * 60


def test_cuffs_dropouts_and_late_uploads_happen() -> None:
    uploads = [
        upload for person in patients(6, 3, scenarios=["none"]) for upload in span(person, 48)
    ]
    items = [item for upload in uploads for item in upload.measurements]
    cuffs = sum("systolic" in item.values for item in items)
    assert 6 * 2 * 4 <= cuffs <= 6 * 2 * 8
    assert len(items) < 6 * 48 * 60
    late = [u for u in uploads if u.received_at - u.measurements[0].time > timedelta(minutes=3)]
    assert late
    assert all(len(u.measurements) > 1 for u in late)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_names_a_known_kind_and_known_signals(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.kind is None or scenario.kind in KINDS
    for signal, value in scenario.to.items():
        assert SIGNALS[signal].lowest < value < SIGNALS[signal].highest
    assert set(scenario.by) <= set(SIGNALS)


def test_nothing_happens_before_the_onset() -> None:
    calm = SimPatient(4, 1)
    struck = SimPatient(4, 1, "shock", NOW)
    before = (NOW - timedelta(hours=3), NOW - timedelta(hours=1))
    assert list(calm.uploads(*before)) == list(struck.uploads(*before))
    assert span(calm, 1) != span(struck, 1)
    assert struck.begins(NOW + timedelta(days=1)).truth() != struck.truth()
    assert calm.truth() is None


def detected(everyone: list[SimPatient], start: datetime, end: datetime) -> list[Event]:
    """What the detectors make of them, with a tick each minute as on the stream."""
    engine = Engine(config.load())
    events: list[Event] = []
    streams = (person.uploads(start, end) for person in everyone)
    ticked = start
    for upload in heapq.merge(*streams, key=attrgetter("received_at")):
        while ticked + MINUTE <= upload.received_at:
            ticked += MINUTE
            events += engine.tick(ticked)
        events += engine.process(upload)
    return events


@pytest.mark.slow
def test_the_detectors_find_the_truth_and_nothing_in_the_healthy() -> None:
    everyone = patients(14, seed=11, now=NOW)
    events = detected(everyone, NOW - timedelta(hours=30), NOW + timedelta(hours=5))
    for person in everyone:
        truth = person.truth()
        own = [event for event in events if event.patient_id == person.patient_id]
        assert all(event.synthetic for event in own)
        if truth is None or truth.kind is None:
            assert [event.kind for event in own if event.category == "clinical"] == []
        elif truth.scenario != "infection_drift":  # takes days and nights to be seen
            found = [e for e in own if e.kind == truth.kind and e.phase == "opened"]
            assert len(found) == 1, truth
            assert truth.start - 2 * MINUTE <= found[0].onset <= truth.end


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(newline="") as text:
        yield from csv.DictReader(text)


@pytest.mark.slow
def test_a_recording_carries_what_was_simulated_and_its_truth(tmp_path: Path) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    everyone = recorded.people(5, 2, ("shock", "none", "exercise"), start, 2)
    path, truth = tmp_path / "synthetic.csv.gz", tmp_path / "truth.csv"
    count = recorded.write(path, everyone, start, 2)
    assert recorded.write_truth(truth, everyone) == 3
    report = Report()
    uploads = list(read_uploads(path, report=report))
    assert (report.taken, report.refused, report.left_out, report.duplicates) == (count, 0, 0, 0)
    assert all(upload.synthetic for upload in uploads)
    end = start + timedelta(days=2)
    made = {
        (u.patient_id, m.time): (m.values, m.context)
        for person in everyone
        for u in person.uploads(start, end)
        for m in u.measurements
    }
    read = {(u.patient_id, m.time): (m.values, m.context) for u in uploads for m in u.measurements}
    assert read == made
    truth_rows = list(rows(truth))
    assert {row["scenario"] for row in truth_rows} == {"shock", "exercise"}
    assert {row["kind"] for row in truth_rows} == {"shock_index_high", ""}
    for row in truth_rows:
        assert "2026-01-02" in row["start"]
        assert row["start"] < row["end"]
