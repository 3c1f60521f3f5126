"""Recordings: every row accounted for, the order kept, what is broken named."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.recordings.grouping import Grouping
from ingest.recordings.reader import Refusal, Report, read_uploads, survey
from ingest.validate import Admitted
from vigil.domain.reading import Context, Measurement, Upload
from vigil.service.errors import InputError

HEADER = (
    "patient_id,time,heart_rate,systolic,diastolic,spo2,respiratory_rate,temperature,"
    "steps_per_min,activity"
)
SHARED = Path(__file__).parents[5] / "shared" / "data"


def recording(folder: Path, *rows: str, header: str = HEADER) -> Path:
    path = folder / "recording.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def readings(uploads: list[Upload]) -> Counter[str]:
    return Counter(m.reading_id for upload in uploads for m in upload.measurements)


def test_a_row_becomes_a_reading(tmp_path: Path) -> None:
    path = recording(tmp_path, "p1,2026-11-21T06:02:00Z,72,120,80.5,98,14,36.6,0,rest")
    [upload] = read_uploads(path)
    assert (upload.patient_id, upload.device_id, upload.synthetic) == ("p1", "recording", False)
    assert upload.received_at == datetime(2026, 11, 21, 6, 2, tzinfo=UTC)
    [taken] = upload.measurements
    assert taken.values == {
        "heart_rate": 72, "systolic": 120, "diastolic": 80.5, "spo2": 98,
        "respiratory_rate": 14, "temperature": 36.6,
    }  # fmt: skip
    assert taken.context == Context("rest", 0.0)


def minutes(*rates: int) -> list[str]:
    return [
        f"p{1 + i % 2},2026-11-21T{6 + i // 60:02}:{i % 60:02}:00Z,{rate},,,,,,,"
        for i, rate in enumerate(rates)
    ]


@pytest.mark.parametrize("order", ["newest_first", "patients_apart_newest_first", "shuffled"])
def test_the_order_of_the_rows_does_not_matter(tmp_path: Path, order: str) -> None:
    rows = minutes(*range(60, 160))
    shuffled = {
        "newest_first": rows[::-1],
        "patients_apart_newest_first": sorted(rows, reverse=True),
        "shuffled": rows[50:] + rows[:50],
    }[order]
    forward, report = Report(), Report()
    expected = list(read_uploads(recording(tmp_path, *rows), report=forward))
    assert list(read_uploads(recording(tmp_path, *shuffled), report=report)) == expected
    assert (forward.sorted_files, report.sorted_files) == (0, 1)
    assert (report.rows, report.taken) == (100, 100)


def test_patients_one_after_the_other_are_in_order(tmp_path: Path) -> None:
    report = Report()
    uploads = list(read_uploads(recording(tmp_path, *sorted(minutes(*range(60, 90)))),
                                report=report))  # fmt: skip
    assert report.sorted_files == 0
    assert [upload.patient_id for upload in uploads][:1] == ["p1"]


def test_columns_may_stand_in_any_order_and_the_rest_be_absent(tmp_path: Path) -> None:
    path = recording(
        tmp_path, "70,80,p1,120,2026-11-21T06:02:00Z,false",
        header="heart_rate,diastolic,patient_id,systolic,time,contact",
    )  # fmt: skip
    [upload] = read_uploads(path)
    assert upload.measurements[0].values == {"heart_rate": 70, "systolic": 120, "diastolic": 80}
    assert upload.measurements[0].context == Context(contact=False)


@pytest.mark.parametrize(
    ("cell", "contact"),
    [
        ("False", False), ("FALSE", False), ("0", False), ("no", False), ("N", False), ("f", False),
        ("0.0", False), (" false ", False), ("True", True), ("1", True), ("1.0", True),
        ("Yes", True), ("TRUE", True), ("", None),
        ("nan", None), ("NaN", None), (" ", None), ("NA", None), ("None", None), ("<NA>", None),
        ("0.00", False), ("+1", True), ("1e0", True), ("YES", True), ("-0", False),
    ],
)  # fmt: skip
def test_a_contact_flag_is_read_as_programs_write_it(
    tmp_path: Path, cell: str, contact: bool | None
) -> None:
    report = Report()
    path = recording(
        tmp_path, f"p1,2026-11-21T06:00:00Z,72,,,,,,,,{cell}", header=f"{HEADER},contact"
    )
    [upload] = read_uploads(path, report=report)
    assert upload.measurements[0].context.contact is contact
    assert (report.taken, report.left_out) == (1, 0)


@pytest.mark.parametrize(
    "cell", ["off", "2", "-1", "0.5", "1_0", "inf", "maybe", "falsee", "否", "unknown"]
)
def test_values_beside_a_contact_flag_that_cannot_be_read_are_not_judged(
    tmp_path: Path, cell: str
) -> None:
    report = Report()
    rows = (f"p1,2026-11-21T06:00:00Z,72,,,,,,,,{cell}", f"p1,2026-11-21T06:01:00Z,,,,,,,,,{cell}")
    [upload] = read_uploads(recording(tmp_path, *rows, header=f"{HEADER},contact"), report=report)
    [measured] = upload.measurements
    assert (measured.values, measured.context.contact) == ({"heart_rate": 72}, False)
    assert (report.taken, report.left_out, report.refused) == (1, 1, 1)
    assert report.reasons == {("input.wrong_type", "context.contact"): 2}


@pytest.mark.parametrize(
    ("pressure", "values"),
    [
        ("74,", {"systolic": 74}), ("74,nan", {"systolic": 74}), ("74,-1", {"systolic": 74}),
        ("74,65535", {"systolic": 74}), ("74,8", {}), ("74,90", {}), ("nan,60", {}), ("-1,60", {}),
    ],
)  # fmt: skip
def test_a_palpated_pressure_remains_beside_a_diastolic_that_says_no_value(
    tmp_path: Path, pressure: str, values: dict[str, float]
) -> None:
    path = recording(tmp_path, f"p1,2026-11-21T06:00:00Z,70,{pressure},,,,,")
    [upload] = read_uploads(path)
    assert upload.measurements[0].values == {"heart_rate": 70} | values


def test_a_faulty_measurement_is_left_out_of_its_row_and_told(tmp_path: Path) -> None:
    refusals: list[Refusal] = []
    report = Report(on_refusal=refusals.append)
    path = recording(
        tmp_path,
        "p1,2026-11-21T06:00:00Z,72,310,80,,,,,",  # a flushed arterial line
        "p1,2026-11-21T06:01:00Z,73,80,120,,,,,",
        "p1,2026-11-21T06:02:00Z,74,,80,,,,,",
        "p1,2026-11-21T06:03:00Z,,120,80,,,,900,",
        "p1,2026-11-21T06:04:00Z,abc,120,80,,,,,jogging",
    )
    [upload] = read_uploads(path, report=report)
    assert [m.values for m in upload.measurements] == [
        {"heart_rate": 72}, {"heart_rate": 73}, {"heart_rate": 74},
        {"systolic": 120, "diastolic": 80}, {"systolic": 120, "diastolic": 80},
    ]  # fmt: skip
    assert [(r.line, r.error.code, r.error.field, r.whole_row) for r in refusals] == [
        (2, "input.impossible_value", "values.systolic", False),
        (3, "input.systolic_not_above_diastolic", "values.systolic", False),
        (4, "input.incomplete_pair", "values.systolic", False),
        (5, "input.impossible_value", "context.steps_per_min", False),
        (6, "input.wrong_type", "values.heart_rate", False),
        (6, "input.wrong_type", "context.activity", False),
    ]
    assert (report.rows, report.taken, report.refused, report.left_out) == (5, 5, 0, 6)


@pytest.mark.parametrize(
    ("row", "code", "field"),
    [
        ("p1,2026-11-21T06:02:00Z,999,,,,,,,", "input.impossible_value", "values.heart_rate"),
        ("p1,2026-11-21T06:02:00Z,nan,,,,,,,", "input.wrong_type", "values.heart_rate"),
        ("p1,2026-11-21T06:02:00Z,7_2,,,,,,,", "input.wrong_type", "values.heart_rate"),
        ("p1,2026-11-21T06:02:00Z,,,,,,,,", "input.no_values", "values"),
        ("p1,2026-11-21T06:02:00,72,,,,,,,", "input.naive_time", "time"),
        ("p1,2105-11-21T06:02:00Z,72,,,,,,,", "input.future_time", "time"),
        ("p1,1970-01-01T00:00:00Z,72,,,,,,,", "input.ancient_time", "time"),
        ("p1,yesterday,72,,,,,,,", "input.wrong_type", "time"),
        ("Jane Doe,2026-11-21T06:02:00Z,72,,,,,,,", "input.wrong_type", "patient_id"),
        (",2026-11-21T06:02:00Z,72,,,,,,,", "input.wrong_type", "patient_id"),
        ("p1,2026-11-21T06:02:00Z,72", "input.wrong_type", "row"),
    ],
)
def test_a_row_with_nothing_left_is_refused_and_told(
    tmp_path: Path, row: str, code: str, field: str
) -> None:
    refusals: list[Refusal] = []
    report = Report(on_refusal=refusals.append)
    good = "p1,2026-11-21T06:00:00Z,72,,,,,,,"
    latest = datetime(2026, 11, 22, tzinfo=UTC)
    uploads = list(read_uploads(recording(tmp_path, good, row), report=report, latest=latest))
    assert len(readings(uploads)) == 1
    [refusal] = refusals
    assert (refusal.line, refusal.error.code, refusal.error.field) == (3, code, field)
    assert refusal.whole_row
    assert (report.rows, report.taken, report.refused) == (2, 1, 1)
    assert report.reasons == {(code, field): 1}


def test_the_same_row_twice_is_one_reading(tmp_path: Path) -> None:
    row = "p1,2026-11-21T06:02:00Z,72,,,,,,,"
    other = "p2,2026-11-21T06:02:00Z,72,,,,,,,"
    report = Report()
    uploads = list(read_uploads(recording(tmp_path, row, other, row, row), report=report))
    assert len(readings(uploads)) == 2
    assert (report.rows, report.taken, report.duplicates) == (4, 2, 2)


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"patient_id,time,heart_rate,systolic\n", "lacks the column diastolic"),
        (b"patient_id,time,heart_rate,systolic,diastolic,pulse\n", "unknown column 'pulse'"),
        (b"patient_id,time,time,heart_rate,systolic,diastolic\n", "twice"),
        (HEADER.encode() + b"\np1,2026-11-21T06:02:00Z,\xff72,,,,,,,\n", "not UTF-8"),
        (gzip.compress(HEADER.encode() * 9000)[:-400], "gzip data is damaged"),
        (b"\x1f\x8bnot gzip at all", "gzip data is damaged"),
        (b"patient_id;time;heart_rate;systolic;diastolic\n", "separated by ';'"),
    ],
)
def test_what_is_no_recording_is_named(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "broken.csv.gz"
    path.write_bytes(content)
    for look in (lambda: list(read_uploads(path)), lambda: survey(path)):
        with pytest.raises(InputError, match=what) as caught:
            look()
        assert caught.value.code == "input.broken_recording"
        assert caught.value.field
        assert str(path) in caught.value.message


def test_a_quotation_mark_that_is_not_closed_hides_no_other_row(tmp_path: Path) -> None:
    good = [f"p1,2026-11-21T06:{minute:02}:00Z,,{192 + minute},124" for minute in range(30)]
    bad = ['p1,2026-11-21T05:59:00Z,"80,120,80', '"' + "x" * 200_000]
    path = tmp_path / "quoted.csv"
    lines = ["patient_id, time, heart_rate, systolic, diastolic", good[0], *bad, *good[1:]]
    path.write_text("\r\n".join(lines), encoding="utf-8")
    refusals: list[Refusal] = []
    report = Report(on_refusal=refusals.append)
    assert sum(readings(list(read_uploads(path, report=report))).values()) == 30
    assert [refusal.line for refusal in refusals] == [3, 4]
    assert all("quotation mark" in refusal.error.message for refusal in refusals)
    assert (report.rows, report.taken, report.refused) == (32, 30, 2)


@pytest.mark.parametrize(
    ("pressure", "taken"),
    [("255,255", 0), ("254,255", 0), ("255,254", 0), ("124,255", 1), ("255,130", 2), ("255,", 1)],
)
def test_a_pressure_of_two_sentinels_is_none(tmp_path: Path, pressure: str, taken: int) -> None:
    path = tmp_path / "sentinels.csv"
    path.write_text(
        f"patient_id,time,heart_rate,systolic,diastolic\np1, 2026-11-21T06:00:00Z,72,{pressure}\n",
        encoding="utf-8",
    )
    (upload,) = read_uploads(path)
    assert len(upload.measurements[0].values) == 1 + taken


@pytest.mark.parametrize("cell", ["-1", "1.5", "two", "9" * 30, "9" * 5000])
def test_a_sequence_that_is_no_number_refuses_its_row(tmp_path: Path, cell: str) -> None:
    path = tmp_path / "numbered.csv"
    header = "patient_id,time,heart_rate,systolic,diastolic,sequence"
    rows = [f"p1,2026-11-21T06:0{n}:00Z,,192,124,{number}" for n, number in enumerate(("7", cell))]
    path.write_text("\n".join([header, *rows]), encoding="utf-8")
    report = Report()
    uploads = list(read_uploads(path, report=report))
    assert [m.sequence for upload in uploads for m in upload.measurements] == [7]
    assert dict(report.reasons) == {("input.wrong_type", "sequence"): 1}


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        list(read_uploads(tmp_path / "absent.csv"))


def test_what_was_read_before_the_damage_was_taken(tmp_path: Path) -> None:
    rows = [f"p{n},2026-11-21T06:{n // 60 % 60:02}:{n % 60:02}Z,{60 + n % 40},,,,,,,"
            for n in range(3000)]  # fmt: skip
    packed = gzip.compress("\n".join([HEADER, *rows]).encode())
    path = tmp_path / "cut.csv.gz"
    path.write_bytes(packed[: len(packed) // 2])
    report = Report()
    with pytest.raises(InputError, match="ends too early") as caught:
        list(read_uploads(path, report=report))
    assert report.taken == report.rows > 100
    assert caught.value.field == f"after line {report.rows + 1}"


def test_a_shift_moves_every_time_and_so_every_id(tmp_path: Path) -> None:
    path = recording(tmp_path, "p1,2020-01-01T06:02:00Z,72,,,,,,,", "p1,bad,72,,,,,,,")
    [plain] = read_uploads(path)
    [moved] = read_uploads(path, shift=timedelta(days=1))
    assert moved.measurements[0].time - plain.measurements[0].time == timedelta(days=1)
    assert moved.received_at == moved.measurements[0].time
    assert moved.measurements[0].reading_id != plain.measurements[0].reading_id


def test_the_simulators_patients_stay_labelled(tmp_path: Path) -> None:
    row = "{},2026-11-21T06:02:00Z,72,,,,,,,"
    uploads = read_uploads(recording(tmp_path, row.format("sim-1-001"), row.format("p1")))
    assert {u.patient_id: u.synthetic for u in uploads} == {"sim-1-001": True, "p1": False}


def test_a_survey_finds_patients_and_the_newest_time(tmp_path: Path) -> None:
    path = recording(
        tmp_path,
        "p2,2026-11-21T06:02:00Z,72,,,,,,,",
        "p1,2026-11-21T07:02:00+02:00,72,,,,,,,",
        "p2,never,72,,,,,,,",
        "Jane Doe,2026-11-21T05:00:00,72,,,,,,,",
        "p3,2026",
    )
    found = survey(path)
    assert found.rows == 5
    assert found.patients == ("p2", "p1")
    assert found.newest == datetime(2026, 11, 21, 6, 2, tzinfo=UTC)


steps = st.lists(
    st.tuples(st.sampled_from(["p1", "p2", "p3"]), st.integers(-300, 900)), max_size=60
)


@given(steps, st.integers(1, 7), st.sampled_from([60.0, 600.0, 3600.0]))
def test_grouping_keeps_every_reading_and_its_order(
    rows: list[tuple[str, int]], most: int, span: float
) -> None:
    now = datetime(2026, 11, 21, 6, tzinfo=UTC)
    given_rows = []
    grouped: list[Upload] = []
    grouping = Grouping("d1", span, most)
    for number, (patient, seconds) in enumerate(rows):
        now += timedelta(seconds=seconds)
        item = Measurement(f"r{number}", now, {"heart_rate": 70.0})
        given_rows.append((patient, item))
        grouped += grouping.add(Admitted(patient, item), synthetic=False)
    grouped += grouping.flush()
    sent = [(u.patient_id, m) for u in grouped for m in u.measurements]
    assert Counter(sent_id(s) for s in sent) == Counter(sent_id(g) for g in given_rows)
    for upload in grouped:
        times = [m.time for m in upload.measurements]
        assert times == sorted(times)
        assert len(times) <= most
        assert upload.received_at == times[-1]
        assert times[-1] - times[0] < timedelta(seconds=span)
    if all(seconds >= 0 for _, seconds in rows):
        received = [upload.received_at for upload in grouped]
        assert received == sorted(received)
        for patient in ("p1", "p2", "p3"):
            assert [s for s in sent if s[0] == patient] == [
                g for g in given_rows if g[0] == patient
            ]


def sent_id(pair: tuple[str, Measurement]) -> tuple[str, str]:
    return pair[0], pair[1].reading_id


cells = st.one_of(
    st.sampled_from(["", "72", "120", "80", "-1", "nan", "1e999", "rest", "true"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=8),
)


@given(st.lists(st.lists(cells, max_size=11), max_size=8))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_cells_are_accounted_for(tmp_path: Path, rows: list[list[str]]) -> None:
    quoted = [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows]
    path = tmp_path / "any.csv"
    path.write_bytes("\n".join([HEADER, *quoted]).encode())
    report = Report()
    uploads = list(read_uploads(path, report=report))
    assert sum(readings(uploads).values()) == report.taken
    assert report.rows == report.taken + report.duplicates + report.refused
    lines = re.split("\r\n|\r|\n", "\n".join(quoted))
    assert report.rows == sum(1 for line in lines if line), "a line is a row"
    assert list(read_uploads(path)) == uploads


REAL = {
    "bedside_alarms": (113_401, 112_655, 746, 4_887),
    "home_blood_pressure": (410, 410, 0, 0),
    "icu_hourly": (50_067, 50_067, 0, 84),
    "wearable_minutes": (109_952, 109_952, 0, 0),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_recordings_yield_the_known_counts(name: str) -> None:
    path = SHARED / f"{name}.csv.gz"
    if not path.exists():
        pytest.skip(f"the shared recording {path.name} is not here")
    report = Report()
    previous = datetime.min.replace(tzinfo=UTC)
    for upload in read_uploads(path, report=report):
        assert upload.received_at >= previous
        previous = upload.received_at
    assert (report.rows, report.taken, report.refused, report.left_out) == REAL[name]
    assert report.duplicates == 0
