"""Kafka clients, all made here with the same settings, and the publisher that waits for acks."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.errors import KafkaConfigurationError, KafkaError

from vigil import logs
from vigil.errors import UnavailableError
from vigil.wire import Outgoing

if TYPE_CHECKING:
    from vigil.settings import Settings

log = logs.get("broker")


def unavailable(settings: Settings, why: object) -> UnavailableError:
    """The error to raise when the broker does not answer."""
    return UnavailableError(
        f"The Kafka broker at {settings.kafka_bootstrap} does not answer: {why}.",
        code="unavailable.broker",
        field="VIGIL_KAFKA_BOOTSTRAP",
        mend="Start it, or name another; `vigil doctor` tells what is reachable.",
    )


def _connection(settings: Settings) -> dict[str, Any]:
    config: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap.replace(" ", "").split(","),
        "security_protocol": settings.kafka_security_protocol,
        "reconnect_backoff_max_ms": 2000,
        "bootstrap_timeout_ms": 3000,
    }
    if settings.kafka_sasl_mechanism:
        config |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_username,
            "sasl_plain_password": settings.sasl_password(),
        }
    if settings.kafka_ca_file:
        config["ssl_context"] = ssl.create_default_context(cafile=str(settings.kafka_ca_file))
    return config


def _open(settings: Settings, client: Any, config: dict[str, Any], patience: float | None) -> Any:
    """Make a client, waiting for a broker that is still starting."""
    seconds = settings.startup_timeout_seconds if patience is None else patience
    deadline = time.monotonic() + seconds
    while True:
        try:
            return client(**_connection(settings), **config)
        except KafkaConfigurationError:  # a slip of ours, not of the broker's
            raise
        except KafkaError as error:
            if time.monotonic() >= deadline:
                raise unavailable(settings, type(error).__name__) from error
            time.sleep(0.2)


def open_admin(settings: Settings, patience: float | None = None) -> Any:
    """A ``KafkaAdminClient``; use it in a ``with``.

    Args:
        patience: seconds to wait for the broker; None: ``VIGIL_STARTUP_TIMEOUT_SECONDS``.

    Raises:
        UnavailableError: no broker in that time.
    """
    return _open(settings, KafkaAdminClient, {"request_timeout_ms": 10_000}, patience)


def open_consumer(settings: Settings, group: str | None, patience: float | None = None) -> Any:
    """A ``KafkaConsumer`` that starts at the beginning and commits only when told to."""
    config: dict[str, Any] = {
        "group_id": group,
        "client_id": f"vigil-{group or 'reader'}",
        "metrics_enabled": False,
        "enable_auto_commit": False,
        "auto_offset_reset": "earliest",
        "allow_auto_create_topics": False,
        "session_timeout_ms": settings.session_timeout_ms,
        "heartbeat_interval_ms": settings.session_timeout_ms // 4,
        "fetch_max_wait_ms": 100,
        "metadata_max_age_ms": 30_000,
    }
    return _open(settings, KafkaConsumer, config, patience)


class Publisher:
    """Sends messages and returns only when the broker has them. Safe to share by threads."""

    def __init__(self, settings: Settings, source: str, patience: float | None = None):
        self._settings = settings
        self.source = source
        self._producer = _open(
            settings,
            KafkaProducer,
            {
                "client_id": f"vigil-{source}",
                "metrics_enabled": False,
                "acks": "all",
                "linger_ms": 2,
                "batch_size": 131_072,
                "compression_type": "gzip",
                "max_block_ms": 5000,
                "delivery_timeout_ms": 30_000,
                "request_timeout_ms": 10_000,
                "allow_auto_create_topics": False,
            },
            patience,
        )

    def send(self, message: Outgoing) -> Any:
        """Queue a message; the future resolves when the broker has it.

        Raises:
            UnavailableError: the broker's metadata cannot be had, or the queue is full.
        """
        try:
            return self._producer.send(
                message.topic,
                value=message.value,
                key=message.key,
                headers=message.headers,
                partition=message.partition,
            )
        except KafkaError as error:
            raise unavailable(self._settings, type(error).__name__) from error

    def publish(self, messages: Iterable[Outgoing], timeout_seconds: float = 30) -> int:
        """Send all, wait until the broker has all, and return how many.

        Raises:
            UnavailableError: one of them was not acknowledged. Some may have arrived: send all
                again, their ids are the same.
        """
        futures = [self.send(message) for message in messages]
        deadline = time.monotonic() + timeout_seconds
        for future in futures:
            try:
                future.get(max(0.0, deadline - time.monotonic()))
            except KafkaError as error:
                raise unavailable(self._settings, type(error).__name__) from error
        return len(futures)

    def partitions(self, topic: str) -> list[int]:
        """The partitions of a topic, ascending."""
        try:
            return sorted(self._producer.partitions_for(topic))
        except KafkaError as error:
            raise unavailable(self._settings, type(error).__name__) from error

    def close(self) -> None:
        """Send what is queued and let go."""
        self._producer.close(timeout=5)
