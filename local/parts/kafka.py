"""Apache Kafka as one node in KRaft mode, from the ``libs/`` of a distribution."""

from __future__ import annotations

import os
import secrets
import shutil
from pathlib import Path

from local.parts.process import (
    HOST,
    Part,
    free_port,
    listening,
    run_once,
    tethered,
    unavailable_part,
)

_PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@{host}:{controller}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller}
advertised.listeners=PLAINTEXT://{host}:{advertised}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
log.dirs={log}
auto.create.topics.enable=false
offsets.topic.num.partitions=4
offsets.topic.replication.factor=1
transaction.state.log.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=3000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""


def kafka(home: Path, data: Path, port: int | None = None, advertised: int | None = None) -> Part:
    """Prepare an Apache Kafka broker that keeps its log in ``data``.

    Args:
        home: the distribution.
        data: its folder, made where there is none.
        port: where it listens; None: a free port.
        advertised: the local port that it names to its clients; None: its own.

    Raises:
        UnavailableError: there is no distribution at ``home``, or no Java 17.
    """
    java = _find_java(home)
    port = port or free_port()
    data.mkdir(parents=True, exist_ok=True)
    properties = data / "server.properties"
    properties.write_text(
        _PROPERTIES.format(
            host=HOST,
            port=port,
            advertised=advertised or port,
            controller=free_port(),
            log=(data / "log").resolve(),
        )
    )
    heap = f"-Xmx{os.environ.get('KAFKA_HEAP', '320m')}"
    logging = "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn"
    run = (java, heap, "-XX:+UseSerialGC", logging, "-cp", f"{home.resolve() / 'libs'}/*")
    if not (data / "log" / "meta.properties").exists():
        tool = ("kafka.tools.StorageTool", "format", "--ignore-formatted")
        format_log = (*run, *tool, "-t", _new_cluster_id(), "-c", str(properties))
        run_once(format_log, "Apache Kafka could not prepare its data folder")
    return Part(
        name="broker",
        command=tethered((*run, "kafka.Kafka", str(properties))),
        address=f"{HOST}:{port}",
        ready=lambda: _serves_clients(f"{HOST}:{port}"),
    )


def _find_java(home: Path) -> str:
    java = shutil.which("java")
    if java is None:
        raise unavailable_part(
            "Apache Kafka needs Java, and there is none.", "Install Java 17 or newer."
        )
    if not list((home / "libs").glob("kafka_2*.jar")):
        raise unavailable_part(
            f"KAFKA_HOME is {home}, which is no Apache Kafka distribution (no libs/kafka_2*.jar).",
            "Name a folder that holds libs/, or unset KAFKA_HOME to use the broker in memory.",
        )
    return java


def _new_cluster_id() -> str:
    """An id for a new log: offsets in checkpoints belong to the log that they name."""
    return "v" + secrets.token_urlsafe(16)[1:]


def _serves_clients(address: str) -> bool:
    """Whether it answers requests: Kafka accepts connections before it does."""
    from kafka import KafkaAdminClient
    from kafka.errors import KafkaError

    if not listening(int(address.rpartition(":")[2])):
        return False
    try:
        with KafkaAdminClient(
            bootstrap_servers=address, bootstrap_timeout_ms=1000, request_timeout_ms=1000
        ) as admin:
            return bool(admin.describe_cluster()["brokers"])
    except (KafkaError, OSError):
        return False
