"""The z-score job in bytewax, without recovery: its state is nowhere but in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import bytewax.operators as op
import msgspec
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.testing import run_main

from benchmarks.stream import zscore
from benchmarks.stream.task import Outcome, Stopwatch, Task, main
from vigil.domain.reading import Upload


class Counting(DynamicSink[Any], StatelessSinkPartition[Any]):  # type: ignore[misc]
    """Adds up what comes out."""

    def __init__(self) -> None:
        self.readings = self.flagged = 0

    def build(self, step_id: str, worker_index: int, worker_count: int) -> Counting:
        """The one partition, of the one worker."""
        del step_id, worker_index, worker_count
        return self

    def write_batch(self, items: list[Any]) -> None:
        """Some results."""
        for _, (readings, flagged) in items:
            self.readings += readings
            self.flagged += flagged


def flow_of(task: Task, watch: Stopwatch, sink: Counting) -> Dataflow:
    """Source, decoding, a state a key, sink."""
    decode = msgspec.json.Decoder(Upload).decode

    def decoded(batch: list[Any]) -> list[tuple[str, Upload]]:
        watch.start()
        return [(message.key.decode(), decode(message.value)) for message in batch]

    def score(running: Any, upload: Upload) -> tuple[Any, tuple[int, int]]:
        running, flagged = running or zscore.FRESH, 0
        for row in upload.measurements:
            running, high = zscore.step(running, row.values[zscore.SIGNAL])
            flagged += high
        return running, (len(upload.measurements), flagged)

    flow = Dataflow("zscore")
    source = op.input("source", flow, KafkaSource([task.bootstrap], [task.topic], tail=False))
    keyed = op.flat_map_batch("decode", source, decoded)
    op.output("sink", op.stateful_map("score", keyed, score), sink)
    return flow


def run(task: Task, recovery: Any = None) -> Outcome:
    """Until the topic's end."""
    watch, sink = Stopwatch(), Counting()
    flow = flow_of(task, watch, sink)
    if recovery is None:
        run_main(flow)
    else:
        run_main(flow, recovery_config=recovery(Path(task.folder)))
    watch.lap()
    return watch.outcome(sink.readings, sink.flagged)


if __name__ == "__main__":
    main(run)
