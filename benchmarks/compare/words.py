"""Compare the words of two checkouts: processor time an alert, and whether alerts are equal.

    [KAFKA_HOME=…] python -m benchmarks.compare.words OLD NEW [--rounds 7] [--passes 15]

An alert is six texts: the care team's in English and the patient's in five languages. Both make the
alerts of the same events (every kind, direction, announcement and priority in turn; each pass has
other patients, figures and times), a process each, in turns whose order alternates. Five passes
prepare what is prepared once and are not counted: so the words are known, as in a worker that has
run for a while, and no event has been seen before. A ratio is the median of the rounds' ratios, old
over new: above 1 the new one is cheaper. With ``KAFKA_HOME`` the real worker also takes the events
from Apache Kafka and publishes its alerts there.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.compare.__main__ import row, run
from explain.evaluation.events import sets
from explain.evaluation.events.generation import SITUATIONS, all_blocks, make_event
from local import parts
from tests.support.processes import open_folder, started
from vigil.contracts import wire
from vigil.domain.encoding import encode
from vigil.domain.episode import Event
from vigil.kafka.clients import Publisher
from vigil.kafka.provisioning import create_topics
from vigil.service.settings import Settings

JOB = Path(__file__).with_name("words_job.py")
PASS, WARM = 1000, 5
"""Events of a pass; passes that are not counted."""
PARTS = ("decoding", "composing", "encoding")
Outcome = Mapping[str, Any]


def passes(count: int) -> Iterator[Event]:
    """The beginning of the evaluation's grid, each pass with other patients and figures."""
    grid = list(
        islice(
            (
                (activity, priority, situation, block)
                for activity in sets.ACTIVITIES
                for priority in sets.PRIORITIES
                for situation in SITUATIONS
                for block in all_blocks()
            ),
            PASS,
        )
    )
    for number in range(count * PASS):
        activity, priority, situation, (kind, direction) = grid[number % len(grid)]
        yield make_event(
            number,
            kind,
            direction=direction,
            situation=situation,
            priority=priority,
            activity=activity,
            seed=sets.SEED,
        )


@contextmanager
def broker(home: Path, events: Sequence[Event]) -> Iterator[str]:
    """Apache Kafka with the events on its topic; its address."""
    with open_folder() as folder, started(parts.kafka(home, folder / "kafka")) as part:
        settings = Settings(kafka_bootstrap=part.address)
        create_topics(settings)
        publisher = Publisher(settings, "benchmark")
        publisher.publish(wire.to_message(event, "detectors") for event in events)
        publisher.close()
        yield part.address


def rounds(
    old: Path, new: Path, path: Path, *, count: int, address: str
) -> list[tuple[Outcome, Outcome]]:
    """Pairs of runs, every other pair in the opposite order."""
    pairs = []
    for number in range(count):
        made: dict[Path, Outcome] = {}
        for checkout in (old, new) if number % 2 == 0 else (new, old):
            group = (address, f"round-{number}-{checkout.name}") if address else ()
            made[checkout] = run(checkout, path, str(WARM * PASS), *group, job=JOB)
        pairs.append((made[old], made[new]))
    return pairs


def report(pairs: Sequence[tuple[Outcome, Outcome]], events: int) -> None:
    """The table."""
    alerts = int(pairs[0][0]["alerts"])
    print(f"\n{alerts:,} alerts of six texts, none seen before; the worker's topic: {events:,}")
    print("\n| processor time, µs an alert | old | new | ratio |\n|---|---|---|---|")
    rows: dict[str, tuple[str, ...]] = {part: (part,) for part in PARTS}
    rows["decoding, composing, encoding"] = PARTS
    for name, named in rows.items():
        costs = [[sum(p[side][n] for n in named) / alerts * 1e6 for p in pairs] for side in (0, 1)]
        print(row(name, *costs))
    for part in ("worker", "wall"):
        if part in pairs[0][0]:
            costs = [[p[side][part] / events * 1e6 for p in pairs] for side in (0, 1)]
            print(row("worker on Kafka" + (", wall clock" if part == "wall" else ""), *costs))
    equal = len({one["digest"] for pair in pairs for one in pair}) == 1
    print(f"| alerts | | | {'equal' if equal else 'differ'} |")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path, help="a checkout: git worktree add OLD COMMIT")
    parser.add_argument("new", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--passes", type=int, default=15, help="of 1,000 events")
    options = parser.parse_args()
    events, home = list(passes(options.passes)), os.environ.get("KAFKA_HOME")
    print(f"load average {os.getloadavg()[0]:.1f}; {options.rounds} rounds")
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        path = Path(folder) / "events"
        path.write_bytes(b"\n".join(map(encode, events)))
        address = stack.enter_context(broker(Path(home), events)) if home else ""
        old, new = options.old.resolve(), options.new.resolve()
        pairs = rounds(old, new, path, count=options.rounds, address=address)
    report(pairs, len(events))
    print(f"\nload average {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
