"""The z-score job in faust-streaming: a table in memory with its changelog topic."""

from __future__ import annotations

import asyncio
from typing import Any

import faust
import msgspec

from benchmarks.stream import zscore
from benchmarks.stream.task import Outcome, Stopwatch, Task, main
from vigil.domain.reading import Upload


def run(task: Task) -> Outcome:
    """Until every message was taken, and the worker has flushed and committed."""
    decode = msgspec.json.Decoder(Upload).decode
    watch, counted = Stopwatch(), {"messages": 0, "readings": 0, "flagged": 0}
    app = faust.App(
        task.group, broker=f"kafka://{task.bootstrap}", value_serializer="raw", datadir=task.folder,
        consumer_auto_offset_reset="earliest", topic_disable_leader=True, web_enabled=False,
        store="memory://", table_cleanup_interval=3600,
    )  # fmt: skip
    topic = app.topic(task.topic, key_type=bytes, value_type=bytes, key_serializer="raw")
    table = app.Table(
        "running", partitions=6, key_type=str, value_type=list,
        default=lambda: list(zscore.FRESH),
    )  # fmt: skip

    @app.agent(topic)  # type: ignore[untyped-decorator]
    async def score(stream: Any) -> None:
        async for value in stream:
            watch.start()
            upload = decode(value)
            running = tuple(table[upload.patient_id])
            for row in upload.measurements:
                running, flagged = zscore.step(running, row.values[zscore.SIGNAL])
                counted["readings"] += 1
                counted["flagged"] += flagged
            table[upload.patient_id] = list(running)
            counted["messages"] += 1

    asyncio.run(_until_done(app, task, counted, watch))
    return watch.outcome(counted["readings"], counted["flagged"])


async def _until_done(app: Any, task: Task, counted: dict[str, int], watch: Stopwatch) -> None:
    app.finalize()
    worker = faust.Worker(app, loglevel="ERROR", override_logging=False)
    await app.start()
    while counted["messages"] < task.messages:
        await asyncio.sleep(0.02)
    await app.stop()
    watch.lap()
    del worker


if __name__ == "__main__":
    main(run)
