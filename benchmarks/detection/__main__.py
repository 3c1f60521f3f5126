"""Run the proof.

    python -m benchmarks.detection [SCENARIO …] [--out FOLDER] [--write-results] [--no-peers]

Without names, every scenario. A scenario whose recordings are not on this machine is skipped with
the reason. ``--write-results`` puts the tables into ``benchmarks/RESULTS.md`` between its markers
and the pictures into ``docs/images``; ``--out`` writes both, and the full list of misses, to a
folder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from benchmarks.detection import render, results
from benchmarks.detection.report import Options, Report
from benchmarks.detection.scenarios import SCENARIOS
from benchmarks.detection.sets import Absent


def scenario(name: str, options: Options) -> Report:
    """One scenario's report; one that says why where a set is absent."""
    module = import_module(f"benchmarks.detection.scenarios.{name}")
    began = time.process_time()
    try:
        report: Report = module.run(options)
    except Absent as absent:
        return Report(name, f"Skipped: {absent}.")
    spent = f"{time.process_time() - began:.0f} s of one core."
    return report._replace(notes=(*report.notes, spent))


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what was asked for; all, if nothing was."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("scenario", nargs="*", help=", ".join(SCENARIOS))
    parser.add_argument("--out", type=Path, help="a folder for tables, pictures and misses")
    parser.add_argument("--write-results", action="store_true", help="into RESULTS.md and docs/")
    parser.add_argument("--no-peers", action="store_true", help="Vigil alone")
    asked = parser.parse_args(arguments)
    odd = [name for name in asked.scenario if name not in SCENARIOS]
    if odd:
        parser.error(f"{odd[0]!r} is no scenario. Known: {', '.join(SCENARIOS)}")
    options = Options(peers=not asked.no_peers, out=asked.out)
    reports = []
    for name in asked.scenario or SCENARIOS:
        report = scenario(name, options)
        print(render.text(report), flush=True)
        reports.append(report)
    if asked.out is not None:
        results.save(reports, asked.out)
    if asked.write_results:
        results.publish(reports)


if __name__ == "__main__":
    main()
