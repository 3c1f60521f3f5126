"""One run of one checkout: events in, alerts out, each part timed apart.

A script of its own, since it runs in checkouts that lack it; it uses names that all of them have::

    PYTHONPATH=CHECKOUT python words_job.py EVENTS WARM [BOOTSTRAP GROUP]

``EVENTS`` is a file of events, a JSON document a line, whose first ``WARM`` prepare what is
prepared once. With a broker the events are on its topic too, and the real worker takes all of them.
The outcome is printed as JSON.
"""

from __future__ import annotations

import hashlib
import json
import sys
import threading
import time
from collections.abc import Sequence
from operator import sub
from pathlib import Path
from typing import Any

from explain.phrasebook.book import Phrasebook
from explain.phrasebook.files import shipped_phrases
from explain.templates.compose import compose
from explain.worker import ExplainHandler
from vigil.composition.stage import tune_garbage_collection
from vigil.contracts import topics, wire
from vigil.domain.episode import Event
from vigil.service.health import Health
from vigil.service.settings import Settings
from vigil.streaming.handler import Handled, Received
from vigil.streaming.loop import run_handler

EVENT = "org.vigil.event.v1"
BATCH = 500
"""Events at a time."""


def parts(lines: Sequence[bytes], phrases: Phrasebook) -> dict[str, Any]:
    """Processor seconds of decoding, composing and encoding, batch by batch as a worker does, and a
    digest of all alerts."""
    taken, digest, clock = [0.0, 0.0, 0.0], hashlib.sha256(), time.process_time
    for first in range(0, len(lines), BATCH):
        batch = lines[first : first + BATCH]
        times = [clock()]
        events = [decode(line) for line in batch]
        times.append(clock())
        alerts = [compose(event, phrases) for event in events]
        times.append(clock())
        messages = [wire.to_message(alert, "explain") for alert in alerts]
        times.append(clock())
        taken = [sum(each) for each in zip(taken, map(sub, times[1:], times), strict=True)]
        for message in messages:
            digest.update(message.value)
    names = ("decoding", "composing", "encoding")
    return dict(zip(names, taken, strict=True)) | {"digest": digest.hexdigest()}


def decode(line: bytes) -> Event:
    """An event as a worker decodes it."""
    message = wire.decode_typed(topics.EVENTS.name, EVENT, line)
    assert isinstance(message, Event)
    return message


class Stopped(ExplainHandler):
    """The worker's own handler, which stops the loop after the topic's last event."""

    def __init__(self, group: str, phrases: Phrasebook, count: int):
        super().__init__(Health("explain"), phrases=phrases)
        self.name = group
        self.stop = threading.Event()
        self.begin = (0.0, 0.0)
        self._left = count

    def handle(self, batch: Sequence[Received]) -> Handled:
        """As the handler; the clocks start with the first batch."""
        if not self.begin[0]:
            self.begin = time.process_time(), time.perf_counter()
        self._left -= len(batch)
        if self._left <= 0:
            self.stop.set()
        return super().handle(batch)


def worker(bootstrap: str, group: str, phrases: Phrasebook, count: int) -> dict[str, float]:
    """Processor and wall seconds of the worker, all its threads, from the first batch until the
    last alert is acknowledged and the offsets are committed."""
    handler = Stopped(group, phrases, count)
    run_handler(handler, Settings(kafka_bootstrap=bootstrap), handler.stop, Health("explain"))
    processor, wall = handler.begin
    return {"worker": time.process_time() - processor, "wall": time.perf_counter() - wall}


def main(path: Path, warm: int, bootstrap: str = "", group: str = "") -> dict[str, Any]:
    """The parts by themselves and, with a broker, the worker."""
    lines, book = path.read_bytes().splitlines(), Phrasebook(shipped_phrases(), "verified")
    for line in lines[:warm]:
        compose(decode(line), book)
    tune_garbage_collection()
    found = {"alerts": len(lines) - warm, **parts(lines[warm:], book)}
    return found | (worker(bootstrap, group, book, len(lines)) if bootstrap else {})


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])))
