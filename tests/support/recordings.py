"""A recording that the commands of a backtest and a budget are tried on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from typer.testing import CliRunner, Result

from cli.main import app

START = datetime(2026, 10, 1, tzinfo=UTC)
HEADER = "patient_id,time,heart_rate,systolic,diastolic,activity\n"
ALONE = "[baseline.signals.heart_rate]\nenabled = false\n"
"""The limits alone: without them the baseline would tell of the same hearts."""
LOOSE = f"{ALONE}[limits.heart_rate_high]\nabove = 135.0\n"


def vigil(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def recording(folder: Path, patients: int = 6, days: int = 4) -> Path:
    """A reading in ten minutes; each day forty minutes of 125, one day of 160 for every third."""
    rows = []
    for step in range(144 * days):
        time = (START + timedelta(minutes=10 * step)).isoformat()
        for number in range(patients):
            fast = 60 <= step % 144 < 64
            high = number % 3 == 0 and step < 144
            rate = (160 if high else 123) + step % 3 if fast else 70 + step % 5
            rows.append(f"p{number},{time},{rate},,,rest")
    path = folder / "ward.csv"
    path.write_text(HEADER + "\n".join(rows) + "\n")
    return path
