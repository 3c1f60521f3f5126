"""The z-score job in quixstreams: its RocksDB state with changelog topic, all as by default."""

from __future__ import annotations

from typing import Any

import msgspec
from quixstreams import Application

from benchmarks.stream import zscore
from benchmarks.stream.task import Outcome, Stopwatch, Task, main
from vigil.domain.reading import Upload


def run(task: Task) -> Outcome:
    """Until as many messages came out as the topic holds; the checkpoint at the end included."""
    decode = msgspec.json.Decoder(Upload).decode
    watch, counted = Stopwatch(), {"readings": 0, "flagged": 0}

    def score(value: bytes, state: Any) -> bool:
        watch.start()
        running = tuple(state.get("running", zscore.FRESH))
        for row in decode(value).measurements:
            running, flagged = zscore.step(running, row.values[zscore.SIGNAL])
            counted["readings"] += 1
            counted["flagged"] += flagged
        state.set("running", running)
        return True

    app = Application(
        broker_address=task.bootstrap, consumer_group=task.group, auto_offset_reset="earliest",
        state_dir=task.folder, loglevel=None,
    )  # fmt: skip
    topic = app.topic(task.topic, key_deserializer="bytes", value_deserializer="bytes")
    frame = app.dataframe(topic)
    frame.apply(score, stateful=True)
    app.run(count=task.messages, collect=False)
    watch.lap()
    return watch.outcome(counted["readings"], counted["flagged"])


if __name__ == "__main__":
    main(run)
