"""The z-score job in bytewax with its recovery: snapshots in SQLite, as by default."""

from __future__ import annotations

from pathlib import Path

from bytewax.recovery import RecoveryConfig, init_db_dir

from benchmarks.stream.jobs.bytewax_zscore import run
from benchmarks.stream.task import main


def recovery(folder: Path) -> RecoveryConfig:
    """A fresh recovery store of one part."""
    init_db_dir(folder, 1)
    return RecoveryConfig(folder)


if __name__ == "__main__":
    main(lambda task: run(task, recovery))
