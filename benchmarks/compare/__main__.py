"""Compare the detection of two checkouts: processor time a reading, and whether events are equal.

    python -m benchmarks.compare OLD NEW [--rounds 7] [--patients 100]

Both judge the same messages (:mod:`benchmarks.compare.ward`), a process each, in turns whose order
alternates, so that what else the machine does falls on both. A ratio is the median of the rounds'
ratios, old over new: above 1 the new one is cheaper. Without a broker or a database: the whole
worker is compared by ``python -m benchmarks.stream --before OLD``. The words of alerts are compared
by :mod:`benchmarks.compare.words`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import ward

JOB = Path(__file__).with_name("job.py")
MINUTES, HOURS = 240, 48
WORKER = ("decoding", "judging", "encoding")
Outcome = Mapping[str, Any]


def run(checkout: Path, messages: Path, *options: str, job: Path = JOB) -> Outcome:
    """One run of one checkout."""
    environment = os.environ | {"PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(
        [sys.executable, str(job), str(messages), *options],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{checkout} did not run:\n{done.stderr}")
    outcome: Outcome = json.loads(done.stdout.splitlines()[-1])
    return outcome


def rounds(old: Path, new: Path, messages: Path, count: int) -> list[tuple[Outcome, Outcome]]:
    """Pairs of runs, every other pair in the opposite order."""
    pairs = []
    for number in range(count):
        if number % 2:
            second = run(new, messages)
            pairs.append((run(old, messages), second))
        else:
            pairs.append((run(old, messages), run(new, messages)))
    return pairs


def microseconds(outcome: Outcome, parts: Sequence[str]) -> float:
    """Processor time of parts of a run, a reading."""
    seconds = sum(float(outcome[part]) for part in parts)
    return seconds / int(outcome["readings"]) * 1e6


def row(title: str, old: Iterable[float], new: Iterable[float]) -> str:
    """Medians of both, and the median of the rounds' ratios."""
    before, after = list(old), list(new)
    ratio = statistics.median(a / b if b else 0.0 for a, b in zip(before, after, strict=True))
    figures = f"{statistics.median(before):,.1f} | {statistics.median(after):,.1f} | {ratio:.2f}"
    return f"| {title} | {figures} |"


def report(title: str, pairs: Sequence[tuple[Outcome, Outcome]], memory: Sequence[Outcome]) -> None:
    """The table of one content. ``memory``: what each holds in memory."""
    old, new = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    first = old[0]
    print(f"\n{title}: {first['readings']:,} readings of {first['patients']} patients")
    print("\n| what | old | new | ratio |\n|---|---|---|---|")
    for name, parts in {"worker": WORKER, **{part: (part,) for part in WORKER}}.items():
        costs = [[microseconds(one, parts) for one in side] for side in (old, new)]
        print(row(f"{name}, µs a reading", *costs))
    for part in ("saving", "loading"):
        each = [[one[part] / one["patients"] * 1e6 for one in side] for side in (old, new)]
        print(row(f"{part}, µs a patient", *each))
    held = [[one["memory_bytes"] / one["patients"]] for one in memory]
    print(row("in memory, bytes a patient", *held))
    saved = [[one["state_bytes"] / one["patients"] for one in side] for side in (old, new)]
    print(row("saved, bytes a patient", *saved))
    for part in ("events", "states"):
        digests = [{one[part] for one in side} for side in (old, new)]
        print(f"| {part} | | | {'equal' if digests[0] == digests[1] else 'differ'} |")


def main() -> None:
    """Each content in turn."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="a checkout: git worktree add OLD COMMIT")
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--patients", type=int, default=100)
    options = parser.parse_args()
    contents = {
        "one reading a message": ward.mixed(options.patients, MINUTES, per_message=1),
        "50 readings a message": ward.mixed(options.patients, MINUTES, per_message=50),
        "hourly charting": ward.charted(options.patients, HOURS),
    }
    print(f"load average {os.getloadavg()[0]:.1f}; {options.rounds} rounds")
    with tempfile.TemporaryDirectory() as folder:
        for title, messages in contents.items():
            path = Path(folder) / "messages"
            path.write_bytes(b"\n".join(messages))
            old, new = options.old.resolve(), options.new.resolve()
            memory = [run(checkout, path, "memory") for checkout in (old, new)]
            report(title, rounds(old, new, path, options.rounds), memory)


if __name__ == "__main__":
    main()
