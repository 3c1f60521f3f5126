"""``vigil backtest``, as it is typed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from store.database.connections import connect
from store.people.patients import Patient, enrol_many
from store.writing.writer import write
from tests.support.messages import received
from tests.support.recordings import ALONE, HEADER, LOOSE, recording, vigil
from vigil.service.errors import InputError, SettingsError
from vigil.service.settings import Settings


def configs(folder: Path) -> list[object]:
    (folder / "a.toml").write_text(ALONE)
    (folder / "b.toml").write_text(LOOSE)
    return ["--config", folder / "a.toml", "--config", folder / "b.toml"]


def test_two_configurations_are_compared_in_figures_lists_and_a_page(tmp_path: Path) -> None:
    path, both = recording(tmp_path), configs(tmp_path)
    out, data = tmp_path / "r.html", tmp_path / "r.json"
    result = vigil("backtest", path, *both, "--out", out, "--json", data)
    assert result.exit_code == 0, result.output
    assert "6 patients, 24.0 patient-days (6 by hours" in result.output
    assert "high priority unchanged" in result.output
    assert "  lost p0 " in result.output
    report = json.loads(data.read_text())
    assert len(report["lost"]) == 22
    assert {row["kind"] for row in report["lost"]} == {"heart_rate_high"}
    total = next(r for r in report["rates"] if (r["kind"], r["priority"]) == ("all", "all"))
    assert (total["before"], total["after"]) == (24, 2)
    assert total["interval"][0] < total["difference"] < 0
    page = out.read_text()
    assert "Plotly.react" in page
    assert page.count("<tr") > 25
    assert not re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(?!data:)', page)


def test_the_files_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    path, both = recording(tmp_path, 3, 2), configs(tmp_path)
    for name in ("1", "2"):
        vigil("backtest", path, *both, "--out", tmp_path / f"{name}.html",
              "--json", tmp_path / f"{name}.json")  # fmt: skip
    for kind in ("html", "json"):
        assert (tmp_path / f"1.{kind}").read_bytes() == (tmp_path / f"2.{kind}").read_bytes()


def test_one_configuration_is_compared_with_the_defaults_and_none_runs_them_alone(
    tmp_path: Path,
) -> None:
    path = recording(tmp_path, 2, 1)
    configs(tmp_path)
    data = tmp_path / "r.json"
    assert vigil("backtest", path, "--config", tmp_path / "b.toml", "--json", data).exit_code == 0
    report = json.loads(data.read_text())
    assert (report["before"]["name"], report["after"]["name"]) == (
        "defaults", str(tmp_path / "b.toml"),
    )  # fmt: skip
    alone = vigil("backtest", path, "--json", data, "--out", tmp_path / "r.html")
    assert alone.exit_code == 0, alone.output
    assert json.loads(data.read_text())["after"] is None
    assert "gained" not in alone.output


def test_labels_are_scored(tmp_path: Path) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text(
        "patient_id,start,end,label\np1,2026-10-01T10:00:00Z,2026-10-01T11:00:00Z,fast\n"
    )
    result = vigil("backtest", recording(tmp_path, 2, 1), *configs(tmp_path), "--labels", labels)
    assert "labels, before, medium and above: 1 of 1 found (1.000)" in result.output
    assert "labels, after, medium and above: 0 of 1 found (0.000)" in result.output


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("patient_id,start\n", "line 1", "lacks one of"),
        ("patient_id,start,end\n", "line 1", "no label"),
        ("patient_id,start,end\np9,2026-10-01T00:00:00Z,2026-10-01T01:00:00Z\n", "line 2", "p9"),
        ("patient_id,start,end\np1,2026-10-01,2026-10-01\n", "line 2", "times as"),
        ("patient_id,start,end\np1,2026-10-02T00:00:00Z,2026-10-01T01:00:00Z\n", "line 2",
         "ends before"),
        (None, "file", "cannot be read"),
    ],
)  # fmt: skip
def test_labels_that_cannot_be_used_are_refused_by_line(
    tmp_path: Path, text: str | None, where: str, what: str
) -> None:
    labels = tmp_path / "labels.csv"
    if text is not None:
        labels.write_text(text)
    result = vigil("backtest", recording(tmp_path, 2, 1), "--labels", labels)
    error = refused(result)
    assert (error.code, error.field) == ("input.broken_labels", where)
    assert what in error.message


def refused(result: Any) -> InputError | SettingsError:
    assert isinstance(result.exception, InputError | SettingsError), result.output
    assert result.exception.how_to_fix or result.exception.field
    return result.exception


def test_what_cannot_be_played_is_refused(tmp_path: Path) -> None:
    path = recording(tmp_path, 1, 1)
    empty, odd = tmp_path / "empty.csv", tmp_path / "odd.toml"
    empty.write_text(HEADER)
    odd.write_text("[limits.heart_rate_high]\nabov = 3\n")
    for words, code, what in (
        ((tmp_path / "no.csv",), "input.wrong_type", "does not exist"),
        ((), "input.wrong_type", "--from-store"),
        ((path, "--from-store"), "input.wrong_type", "one of the two"),
        ((path, "--ward", "w"), "input.wrong_type", "go with --from-store"),
        ((path, "--since", "yesterday"), "input.wrong_type", "no time"),
        (("--from-store", "--since", "2026-10-02", "--until", "2026-10-01"), "input.wrong_type",
         "not before"),
        ((empty,), "input.no_history", "no reading"),
        ((odd,), "input.broken_recording", "column"),
        ((path, "--config", odd), "settings.invalid", "abov"),
        ((path, "--config", tmp_path / "no.toml"), "settings.invalid", "cannot be read"),
        ((path, *["--config", odd] * 3), "input.wrong_type", "3 times"),
        ((path, "--json", tmp_path / "no" / "r.json"), "input.wrong_type", "cannot be written"),
    ):  # fmt: skip
        error = refused(vigil("backtest", *words))
        assert (error.code, what in error.message) == (code, True), (words, error)


def test_stored_history_gives_what_the_recording_gave(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ingest.recordings.reader import read_uploads

    path = recording(tmp_path, 3, 2)
    monkeypatch.setenv("VIGIL_DEMO", "1")
    monkeypatch.setenv("VIGIL_DATABASE_URL", database_url)
    with connect(Settings()) as connection:
        enrol_many(connection, [Patient(f"p{i}", "a" if i else "b") for i in range(3)])
        for number, upload in enumerate(read_uploads(path)):
            write(connection, [received(upload, number)])
    files, stored = tmp_path / "f.json", tmp_path / "s.json"
    both = configs(tmp_path)
    vigil("backtest", path, *both, "--json", files)
    result = vigil("backtest", "--from-store", *both, "--json", stored)
    assert result.exit_code == 0, result.output
    one, two = (json.loads(p.read_text()) for p in (files, stored))
    assert (one.pop("sources"), two.pop("sources")) == (["ward.csv"], ["stored readings"])
    assert one == two
    vigil("backtest", "--from-store", "--ward", "a", "--since", "2026-10-02", "--json", stored)
    part = json.loads(stored.read_text())["counted"]
    assert (part["patients"], part["readings"], part["patient_days"]) == (2, 2 * 144, 2.0)
    error = refused(vigil("backtest", "--from-store", "--patient", "nobody"))
    assert error.code == "input.no_history"
