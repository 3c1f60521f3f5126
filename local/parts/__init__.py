"""The broker and the database as processes: how each is prepared, started and known to be ready.

The local runtime (:mod:`local.runtime`) and the tests use the same parts, so that what is tested is
what runs.
"""

from __future__ import annotations

from pathlib import Path

from local.parts.kafka import kafka
from local.parts.postgres import PRIVATE_LOG, postgres
from local.parts.process import (
    GIVEN_OUT_FROM,
    HOST,
    LOWEST_PORT,
    Part,
    free_port,
    listening,
    tethered,
)
from local.parts.tansu import tansu

__all__ = [
    "GIVEN_OUT_FROM",
    "HOST",
    "LOWEST_PORT",
    "PRIVATE_LOG",
    "Part",
    "broker",
    "free_port",
    "kafka",
    "listening",
    "postgres",
    "tansu",
    "tethered",
]


def broker(data: Path, kafka_home: Path | None) -> Part:
    """Prepare a broker: Apache Kafka from ``kafka_home``, or the Tansu broker where it is None.

    Args:
        data: the folder in which Kafka keeps its log, in ``kafka/``.
        kafka_home: an Apache Kafka distribution.
    """
    return tansu() if kafka_home is None else kafka(kafka_home, data / "kafka")
