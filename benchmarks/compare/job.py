"""One run of one checkout: messages in, events and states out, each part timed apart.

A script of its own, since it runs in checkouts that lack it; it uses names that all of them have::

    PYTHONPATH=CHECKOUT python job.py MESSAGES [memory]

``MESSAGES`` is a file of uploads, a JSON document a line. The outcome is printed as JSON. Memory is
counted in a run of its own, since counting takes several times as long as what is counted.
"""

from __future__ import annotations

import gc
import hashlib
import json
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from detectors.configuration.loading import load
from detectors.engine.engine import Engine
from vigil.composition.stage import tune_garbage_collection
from vigil.contracts import topics, wire

UPLOAD = "org.vigil.upload.v1"


def timed(work: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of a piece of work, and what it gave."""
    begin = time.process_time()
    result = work()
    return time.process_time() - begin, result


def memory(path: Path) -> dict[str, Any]:
    """Bytes that the engine allocated and holds once it has judged everything."""
    config, name = load(None), topics.READINGS.name
    uploads = [wire.decode_typed(name, UPLOAD, m) for m in path.read_bytes().splitlines()]
    engine = Engine(config)
    tracemalloc.start()
    for upload in uploads:
        engine.take(upload)
    gc.collect()
    held, _ = tracemalloc.get_traced_memory()
    return {"memory_bytes": held, "patients": len(engine.patients())}


def main(path: Path) -> dict[str, Any]:
    """Decode, judge and encode, then save and load every patient."""
    messages, config = path.read_bytes().splitlines(), load(None)
    name = topics.READINGS.name
    engine, warm, other = Engine(config), Engine(config), Engine(config)
    for message in messages[:100]:  # what is computed once is not measured
        warm.take(wire.decode_typed(name, UPLOAD, message))
    tune_garbage_collection()
    decoding, uploads = timed(lambda: [wire.decode_typed(name, UPLOAD, m) for m in messages])
    judging, events = timed(lambda: [event for each in uploads for event in engine.take(each)])
    encoding, sent = timed(lambda: [wire.to_message(event, "detectors").value for event in events])
    gc.unfreeze()
    patients = engine.patients()
    saving, states = timed(lambda: {one: engine.state_of(one) for one in patients})
    loading, _ = timed(lambda: [other.load_state(one, states[one]) for one in patients])
    return {
        "readings": sum(len(upload.measurements) for upload in uploads),
        "patients": len(patients),
        "decoding": decoding,
        "judging": judging,
        "encoding": encoding,
        "saving": saving,
        "loading": loading,
        "state_bytes": sum(map(len, states.values())),
        "events": hashlib.sha256(b"\n".join(sent)).hexdigest(),
        "states": hashlib.sha256(b"\n".join(states[one] for one in patients)).hexdigest(),
    }


if __name__ == "__main__":
    work = memory if sys.argv[2:] == ["memory"] else main
    print(json.dumps(work(Path(sys.argv[1]))))
