"""``vigil replay`` and ``vigil simulate``, as they are typed."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from history import replay as replaying
from store.database.connections import connect
from store.people.patients import Patient, enrol_many, list_patients
from tests.integration.ingest.conftest import uploads
from vigil.domain.reading import Measurement, Upload
from vigil.service.errors import InputError, UnavailableError
from vigil.service.settings import Settings

HEADER = "patient_id,time,heart_rate,systolic,diastolic\n"


def vigil(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def recording(folder: Path, name: str = "small.csv.gz", fast: int = 90) -> Path:
    """Two people at rest; one has a fast heart for ``fast`` minutes. Some rows are faulty."""
    start = datetime(2026, 11, 20, 6, tzinfo=UTC)
    rows = []
    for minute in range(180):
        time = (start + timedelta(minutes=minute)).isoformat()
        rate = 165 + minute % 3 if 30 <= minute < 30 + fast else 70 + minute % 5
        rows += [f"p1,{time},{rate},,", f"p2,{time},{66 + minute % 7},,"]
    rows += [rows[-1], "p2,2026-11-20T10:00:00Z,999,,", "p2,yesterday,70,,"]
    return recording_of(folder / name, rows)


def recording_of(path: Path, rows: list[str]) -> Path:
    path.write_bytes(gzip.compress((HEADER + "\n".join(rows) + "\n").encode()))
    return path


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_offline_gives_events_and_their_alerts_the_same_each_time(tmp_path: Path) -> None:
    path = recording(tmp_path)
    first, again = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    result = vigil("replay", path, "--offline", "--out", first)
    assert result.exit_code == 0, result.output
    assert "rows 363: taken 360, duplicates 1, refused 2; events " in result.stderr
    assert "line 363: row refused: values.heart_rate" in result.stderr
    assert vigil("replay", path, "--offline", "--out", again).exit_code == 0
    assert first.read_bytes() == again.read_bytes()
    reported = lines(first)
    events, alerts = reported[::2], reported[1::2]
    assert {line["type"] for line in events} == {"event"}
    assert {line["type"] for line in alerts} == {"alert"}
    assert {next(iter(line)) for line in reported} == {"type"}
    assert [e["episode_id"] for e in events] == [a["episode_id"] for a in alerts]
    assert ("heart_rate_high", "p1", "opened") in [
        (e["kind"], e["patient_id"], e["phase"]) for e in events
    ]
    assert all(alert["texts"]["patient"]["en"]["body"] for alert in alerts)
    assert not list(tmp_path.glob("*.part"))


def test_offline_without_a_file_prints_the_lines(tmp_path: Path) -> None:
    result = vigil("replay", recording(tmp_path), "--offline")
    types = [json.loads(line)["type"] for line in result.stdout.splitlines()]
    assert types[:2] == ["event", "alert"]
    assert "--out FILE.jsonl" in result.stderr


def test_offline_says_what_was_found_and_where_it_is(tmp_path: Path) -> None:
    severe = ["p1,2026-08-05T08:00Z,,192,124", "p1,2026-08-05T08:02Z,,190,123"]
    path, out = recording_of(tmp_path / "severe.csv.gz", severe), tmp_path / "o.jsonl"
    written = vigil("replay", path, "--offline", "--out", out)
    assert "Found 1 episode of 1 patient: 1 high." in written.stdout
    [line] = [line for line in written.stdout.splitlines() if line.startswith("  ")]
    assert line == "  p1: Blood pressure high, high priority, 2026-08-05T08:00:00Z not over"
    assert str(out) in written.stdout
    assert "Found 1 episode" in vigil("replay", path, "--offline").stderr
    calm = recording_of(tmp_path / "calm.csv.gz", ["p1,2026-08-05T08:00Z,,122,80"])
    nothing = vigil("replay", calm, "--offline")
    assert nothing.stdout == ""
    assert "Found no episode: nothing was written to standard output." in nothing.stderr


def test_offline_judges_silence_when_asked(tmp_path: Path) -> None:
    made = vigil(
        "simulate", "--days", 1, "--patients", 1, "--scenario", "device_offline",
        "--out", tmp_path / "s.csv", "--truth", tmp_path / "t.csv",
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    kinds = []
    for words in ([], ["--silence"]):
        vigil("replay", tmp_path / "s.csv", "--offline", "--out", tmp_path / "o", *words)
        kinds.append([line["kind"] for line in lines(tmp_path / "o") if line["type"] == "event"])
    assert kinds == [[], ["no_data", "no_data"]]


def test_simulate_repeats_itself(tmp_path: Path) -> None:
    made = []
    for name in ("a", "b"):
        out, truth = tmp_path / f"{name}.csv.gz", tmp_path / f"{name}.truth.csv"
        words = ("--days", 1, "--patients", 3, "--seed", 9, "--out", out, "--truth", truth)
        assert vigil("simulate", *words).exit_code == 0
        made.append((out.read_bytes(), truth.read_bytes()))
    assert made[0] == made[1]
    assert b"sim-9-001" in gzip.decompress(made[0][0])


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--out", "x.jsonl"], "need --offline"),
        (["--offline", "--speed", "3"], "reads no clock"),
        (["--speed", "fast"], "above 0, or max"),
        (["--speed", "0"], "above 0, or max"),
        (["--speed", "nan"], "above 0, or max"),
    ],
)
def test_what_does_not_go_together_is_said(tmp_path: Path, words: list[str], text: str) -> None:
    result = vigil("replay", recording(tmp_path), *words)
    assert result.exit_code == 2
    assert text in " ".join(result.stderr.replace("│", " ").split())


def test_a_scenario_that_there_is_not_is_named(tmp_path: Path) -> None:
    result = vigil(
        "simulate", "--scenario", "hiccups", "--out", tmp_path / "o", "--truth", tmp_path / "t"
    )
    assert result.exit_code == 2
    assert "tachycardia_at_rest" in result.stderr


def test_a_broken_recording_leaves_no_half_result(tmp_path: Path) -> None:
    path = recording(tmp_path)
    path.write_bytes(path.read_bytes()[:-200])
    result = vigil("replay", path, "--offline", "--out", tmp_path / "o.jsonl")
    assert isinstance(result.exception, InputError)
    assert result.exception.code == "input.broken_recording"
    assert not (tmp_path / "o.jsonl").exists()


@pytest.fixture
def system(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The running system's broker and database, named in the environment."""
    monkeypatch.setenv("VIGIL_DEMO", "1")
    monkeypatch.setenv("VIGIL_KAFKA_BOOTSTRAP", settings.kafka_bootstrap)
    monkeypatch.setenv("VIGIL_DATABASE_URL", settings.database())
    return settings


def enrolled(settings: Settings) -> dict[str, str]:
    with connect(settings) as connection:
        return {patient.patient_id: patient.ward for patient in list_patients(connection)}


@pytest.mark.kafka
def test_online_enrols_and_publishes_each_row_in_order(system: Settings, tmp_path: Path) -> None:
    with connect(system) as connection:
        enrol_many(connection, [Patient("p2", "icu")])
    path = recording(tmp_path)
    before = len(uploads(system))
    result = vigil("replay", path)
    assert result.exit_code == 0, result.output
    assert "363 rows, 2 patients" in result.stdout
    assert "duplicates 1, refused 2; readings published 360" in result.stderr
    assert "patients enrolled now 1" in result.stderr
    assert enrolled(system) == {"p1": "recordings", "p2": "icu"}
    sent = uploads(system)[before:]
    for patient in ("p1", "p2"):
        times = [m.time for u in sent if u.patient_id == patient for m in u.measurements]
        assert len(times) == 180
        assert times == sorted(times)
    ids = {m.reading_id for u in sent for m in u.measurements}
    again = vigil("replay", path, "--ward", "north")
    assert again.exit_code == 0, again.output
    assert enrolled(system) == {"p1": "north", "p2": "north"}
    assert {m.reading_id for u in uploads(system)[before:] for m in u.measurements} == ids


@pytest.mark.kafka
def test_who_has_no_taken_reading_is_not_enrolled(system: Settings, tmp_path: Path) -> None:
    path = tmp_path / "faulty.csv"
    path.write_text(
        HEADER + "n1,2026-11-20T08:00:00Z,70,,\nn2,2026-11-20T08:00:00Z,255,,\n"
        "n3,yesterday,70,,\nn4,2026-11-20T08:00:00Z,,,\n"
    )
    assert vigil("replay", path).exit_code == 0
    assert {name for name in enrolled(system) if name.startswith("n")} == {"n1"}
    path.write_text(HEADER + "n5,2026-11-20T08:00:00Z,-1,,\n")
    nothing = vigil("replay", path)
    assert nothing.exit_code == 1
    assert "No reading was taken" in nothing.stderr
    assert "n5" not in enrolled(system)


def test_offline_fails_where_nothing_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "faulty.csv"
    path.write_text(HEADER + "n5,2026-11-20T08:00:00Z,65535,,\n")
    assert vigil("replay", path, "--offline").exit_code == 1


@pytest.mark.kafka
def test_online_can_move_a_recording_to_now(system: Settings, tmp_path: Path) -> None:
    path = tmp_path / "old.csv"
    path.write_text(HEADER + "m1,2016-04-01T08:00:00Z,70,,\nm1,2016-04-01T08:05:00Z,71,,\n")
    result = vigil("replay", path, "--shift-to-now", "--speed", "100000x")
    assert result.exit_code == 0, result.output
    times = [m.time for u in uploads(system) if u.patient_id == "m1" for m in u.measurements]
    assert times[1] - times[0] == timedelta(minutes=5)
    assert timedelta(0) <= datetime.now(UTC) - times[1] < timedelta(minutes=10)


def at(second: float) -> Upload:
    time = datetime(2026, 11, 20, 6, tzinfo=UTC) + timedelta(seconds=second)
    return Upload("p1", "d1", time, (Measurement(f"r{second}", time, {"heart_rate": 70.0}),))


def test_a_pace_is_kept_in_the_recordings_time(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, waits = [1000.0], []

    def sleep(seconds: float) -> None:
        waits.append(round(seconds, 6))
        clock[0] += seconds

    watch = SimpleNamespace(monotonic=lambda: clock[0], sleep=sleep)
    monkeypatch.setattr(replaying, "time", watch)
    assert [u.received_at.second for u in replaying.paced([at(0), at(30), at(50)], 10)] == [
        0, 30, 50,
    ]  # fmt: skip
    assert waits == [0, 3, 2]
    waits.clear()
    list(replaying.paced([at(0), at(30)], None))
    assert waits == []


def test_a_broker_that_is_not_there_is_said(database_url: str) -> None:
    settings = Settings(
        demo=True, kafka_bootstrap="127.0.0.1:9", database_url=database_url,
        startup_timeout_seconds=0.5,
    )  # fmt: skip
    reported: list[Upload] = []
    with pytest.raises(UnavailableError, match="does not answer"):
        replaying.publish(settings, [at(0)], reported.append)
    assert reported == []
