"""``vigil budget``: a proposal changes nothing, a person's word exactly what it says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from detectors.configuration.loading import load
from tests.support.recordings import recording, vigil
from vigil.service.errors import InputError
from vigil.service.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("budget")]


OPERATOR = """\
# Figures of ward 4, agreed in March.
[budget]
alarms_per_patient_day = 0.5     # we are few

[baseline.signals.heart_rate]
enabled = false

[wards.four]
patients = ["p*"]
context.unknown_activity = "rest"   # beds

[patients.p5.limits.heart_rate_low]
below = 38.0                     # an athlete
"""


@pytest.fixture(scope="module")
def proposed(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The text of a proposal for the operator's file, which it leaves as it is."""
    folder = tmp_path_factory.mktemp("proposed")
    config, out = folder / "detection.toml", folder / "proposal.toml"
    config.write_text(OPERATOR)
    result = vigil("budget", "propose", recording(folder), "--config", config, "--out", out)
    assert result.exit_code == 0, result.output
    assert "four: 1.000 → 0.083 alarms per patient-day, budget 0.5" in result.output
    assert "2 at high priority, unchanged" in result.output
    assert config.read_text() == OPERATOR
    return out.read_text()


@pytest.fixture
def ward(tmp_path: Path, proposed: str) -> tuple[Path, Path]:
    """The operator's file and a proposal for it, of this test alone."""
    config, out = tmp_path / "detection.toml", tmp_path / "proposal.toml"
    config.write_text(OPERATOR)
    out.write_text(proposed)
    return config, out


def approve(config: Path, proposal: Path, by: str = "Anna Berg") -> Any:
    return vigil("budget", "approve", proposal, "--by", by, "--why", "too many", "--config", config)


def test_a_report_names_who_is_over_and_why(tmp_path: Path) -> None:
    config = tmp_path / "detection.toml"
    config.write_text(OPERATOR)
    result = vigil("budget", "report", recording(tmp_path), "--config", config)
    assert result.exit_code == 0, result.output
    line = next(row for row in result.output.splitlines() if row.startswith("four"))
    assert line.split()[:7] == ["four", "24.0", "2", "22", "0", "1.000", "0.5"]
    assert "over" in line
    assert "heart_rate_high 22, heart_rate_very_high 2" in line


def test_a_proposal_changes_nothing_and_says_what_would_be_lost(ward: tuple[Path, Path]) -> None:
    config, out = ward
    assert config.read_text() == OPERATOR
    proposal = tomllib.loads(out.read_text())
    assert [(c["table"], c["key"], c["after"]) for c in proposal["changes"]] == [
        (["wards", "four", "limits", "heart_rate_high"], "above", 125.0)
    ]
    assert len(proposal["lost"]) == 22
    assert {row["extreme"] for row in proposal["lost"]} == {125.0}
    assert proposal["high"]["unchanged"] is True


def test_an_approval_changes_the_figure_keeps_the_comments_and_is_written_down(
    ward: tuple[Path, Path],
) -> None:
    config, out = ward
    result = approve(config, out)
    assert result.exit_code == 0, result.output
    assert "restart the detectors" in result.output
    text = config.read_text()
    for line in OPERATOR.splitlines():
        assert line in text.splitlines()
    assert "Anna Berg: was 120" in text
    change = tomllib.loads(out.read_text())["changes"][0]
    detection = load(config)
    limit = detection.config_for("p1").limits["heart_rate_high"]
    assert limit.above == change["after"]
    assert detection.config_for("p5").limits["heart_rate_low"].below == 38
    assert detection.everyone.limits["heart_rate_high"].above == 120
    log = tomllib.loads((config.parent / "detection.approvals.toml").read_text())["approval"]
    assert [(entry["by"], entry["why"]) for entry in log] == [("Anna Berg", "too many")]
    assert log[0]["changes"][0]["before"] == 120
    assert log[0]["config_hash_after"] == detection.config_hash


def test_approving_twice_or_after_the_file_changed_is_refused(ward: tuple[Path, Path]) -> None:
    config, out = ward
    assert approve(config, out).exit_code == 0
    again = approve(config, out)
    assert isinstance(again.exception, InputError)
    assert again.exception.code == "input.stale_proposal"
    config.write_text(OPERATOR + "\n")
    assert approve(config, out).exception.code == "input.stale_proposal"
    assert config.read_text() == OPERATOR + "\n"


@pytest.mark.parametrize(
    ("was", "now", "what"),
    [
        ('"heart_rate_high"', '"heart_rate_very_high"', "may not be changed"),
        ('key = "above"', 'key = "enabled"', "may not be changed"),
        ('key = "above"', 'key = "readings"', "may not be changed"),
        ("after = 125.0", "after = 149.0", "beyond"),
        ("after = 125.0", "after = 119.0", "beyond"),
        ("form = 1", "form = 2", "form 2"),
        ("form = 1", "form = 1\nforce = true", "force"),
    ],
)
def test_a_proposal_that_was_tampered_with_is_refused(
    ward: tuple[Path, Path], was: str, now: str, what: str
) -> None:
    config, out = ward
    text = out.read_text()
    assert was in text
    head, mark, tail = text.partition("[[changes]]")
    text = head.replace(was, now) + mark + tail.replace(was, now, 1)
    out.write_text(text)
    error = approve(config, out).exception
    assert isinstance(error, InputError), error
    assert error.code == "input.broken_proposal"
    assert what in error.message
    assert config.read_text() == OPERATOR
    assert not (config.parent / "detection.approvals.toml").exists()


def test_what_is_no_proposal_and_a_file_that_is_not_there_are_refused(tmp_path: Path) -> None:
    odd = tmp_path / "odd.toml"
    for text in (None, "x = ", "x = 1\n"):
        if text is not None:
            odd.write_text(text)
        error = approve(tmp_path / "detection.toml", odd).exception
        assert isinstance(error, InputError)
        assert error.code == "input.broken_proposal"


def test_a_line_break_in_a_name_stays_in_its_comment(ward: tuple[Path, Path]) -> None:
    config, out = ward
    assert approve(config, out, by="Anna\n[limits.x]").exit_code == 0
    assert "x" not in load(config).everyone.limits
    assert vigil("budget", "approve", out, "--by", " ", "--config", config).exit_code == 2


def test_without_a_file_of_ones_own_the_defaults_are_proposed_for(tmp_path: Path) -> None:
    assert Settings().detection_config is None
    out = tmp_path / "proposal.toml"
    result = vigil("budget", "propose", recording(tmp_path, 2, 3), "--out", out)
    assert result.exit_code == 0, result.output
    assert tomllib.loads(out.read_text())["config_sha256"] == ""
    nowhere = vigil("budget", "approve", out, "--by", "Anna")
    assert nowhere.exit_code == 2
