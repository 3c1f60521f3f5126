"""Creates the topics of :mod:`vigil.contracts.topics` on a broker, and finds how existing topics
differ from them.

An existing topic is never changed: adding partitions sends patients to other partitions than
before, and a topic's settings may be an operator's own choice.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

from vigil.contracts import topics
from vigil.kafka.clients import broker_unavailable, open_admin
from vigil.service.errors import SettingsError

if TYPE_CHECKING:
    from vigil.service.settings import Settings

HOW_TO_RECREATE = (
    "The one way out is “More partitions” in docs/operations.md: drain, delete the four topics and"
    " the states, and let Vigil create them again. No other setting of VIGIL_PARTITIONS fixes it."
)
"""How to fix partitions that were added to a topic in use."""
_MOVED = (
    "Patients' messages go to other partitions than before, where their states and open episodes"
    " are not"
)
VISIBLE_SECONDS = 10.0
"""How long a new topic may take to be listed."""


def create_topics(settings: Settings) -> list[str]:
    """Create every topic that the broker lacks and return their names. Safe to repeat.

    An existing topic is left as it is, its partitions and settings too; :func:`find_differences`
    finds how it differs.

    Raises:
        UnavailableError: the broker does not answer within ``VIGIL_STARTUP_TIMEOUT_SECONDS``.
        SettingsError: the broker has fewer nodes than ``VIGIL_REPLICATION`` requires.
    """
    created = []
    try:
        with open_admin(settings) as admin:
            existing = set(admin.list_topics())
            for topic in topics.TOPICS.values():
                if topic.name in existing:
                    continue
                new = NewTopic(
                    topic.name,
                    topic.partitions or settings.partitions,
                    settings.replication,
                    topic_configs=topic.config(),
                )
                try:
                    admin.create_topics([new])
                except TopicAlreadyExistsError:  # another process created it first
                    continue
                created.append(topic.name)
            _wait_until_listed(admin, created)
    except InvalidReplicationFactorError as error:
        raise SettingsError(
            f"The broker cannot keep {settings.replication} copies of a topic.",
            code="settings.invalid",
            field="VIGIL_REPLICATION",
            how_to_fix="Ask for no more than there are brokers.",
        ) from error
    except KafkaError as error:
        raise broker_unavailable(settings, type(error).__name__) from error
    return created


def _wait_until_listed(admin: Any, names: Collection[str]) -> None:
    """Wait until the broker lists new topics: it acknowledges their creation a moment before."""
    deadline = time.monotonic() + VISIBLE_SECONDS
    while not set(names) <= set(admin.list_topics()) and time.monotonic() < deadline:
        time.sleep(0.05)


@dataclass(frozen=True, slots=True)
class Difference:
    """Something about a topic that is not as Vigil creates it."""

    topic: str
    what: str
    how_to_fix: str
    grave: bool
    """Messages are lost or refused, or patients are judged wrongly; otherwise it works, and may be
    intended."""
    starts: bool = True
    """Whether Vigil may start with it: it may if the fix requires that it runs."""


def find_differences(settings: Settings) -> list[Difference]:
    """How the broker's topics differ from ours: missing, partitions, replicas, settings.

    A broker that reports no settings of a topic has none that could be wrong.

    Raises:
        UnavailableError: the broker does not answer, or does not permit the request.
    """
    try:
        with open_admin(settings, connect_timeout_seconds=0) as admin:
            there = {topic["name"]: topic for topic in admin.describe_topics()}
            present = [topic for topic in topics.TOPICS.values() if topic.name in there]
            configs = _read_configs(admin, present)
    except KafkaError as error:
        raise broker_unavailable(settings, type(error).__name__) from error
    found = [
        Difference(name, "is missing", "vigil topics --create", grave=True, starts=False)
        for name in topics.TOPICS
        if name not in there
    ]
    raised = _find_raised(
        {t.name: len(there[t.name]["partitions"]) for t in present if not t.partitions}
    )
    found += raised.values()
    for topic in present:
        if topic.partitions or not raised:
            found += _compare_partitions(topic, there[topic.name]["partitions"], settings)
        found += _compare_replicas(topic, there[topic.name]["partitions"], settings)
        found += _compare_settings(topic, configs.get(topic.name, {}), settings)
    return found


def _read_configs(admin: Any, present: list[topics.Topic]) -> Mapping[str, Mapping[str, str]]:
    """Topic → its settings, as far as the broker reports them."""
    if not present:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in present]
    found = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {
        name: {key: entry["value"] for key, entry in entries.items()}
        for name, entries in found.items()
    }


def _compare_partitions(
    topic: topics.Topic, partitions: list[Any], settings: Settings
) -> Iterator[Difference]:
    have, wanted = len(partitions), topic.partitions or settings.partitions
    if have != wanted:
        source = "Vigil makes it with" if topic.partitions else "VIGIL_PARTITIONS asks for"
        yield Difference(
            topic.name,
            f"has {have} partitions, and {source} {wanted}",
            _advise_partitions(topic, have),
            grave=False,
        )


def _compare_replicas(
    topic: topics.Topic, partitions: list[Any], settings: Settings
) -> Iterator[Difference]:
    replicas = min(len(partition["replica_nodes"]) for partition in partitions)
    if replicas < settings.replication:
        yield Difference(
            topic.name,
            f"is kept {replicas} times, and VIGIL_REPLICATION asks for {settings.replication}",
            "kafka-reassign-partitions.sh adds copies.",
            grave=False,
        )


def _find_raised(counts: Mapping[str, int]) -> dict[str, Difference]:
    """The topics to which partitions were added since their creation: those that have more than the
    others. There is one fix, whatever ``VIGIL_PARTITIONS`` is, so nothing else is advised."""
    least = min(counts.values(), default=0)
    others = sorted(name for name, count in counts.items() if count == least)
    return {
        name: Difference(
            name,
            f"has {count} partitions, and {', '.join(others)} {'have' if others[1:] else 'has'}"
            f" {least}: partitions were added since it was created. {_MOVED}",
            HOW_TO_RECREATE,
            grave=True,
        )
        for name, count in sorted(counts.items())
        if count > least
    }


def _advise_partitions(topic: topics.Topic, have: int) -> str:
    if topic.partitions:
        return "It works. Create it again when it is empty and Vigil is stopped."
    return (
        f"Set VIGIL_PARTITIONS={have}: Vigil works with what is there. To have another number, see"
        " “More partitions” in docs/operations.md; adding them to a topic in use moves patients."
    )


def _compare_settings(
    topic: topics.Topic, actual: Mapping[str, str], settings: Settings
) -> Iterator[Difference]:
    wanted = topic.config()
    if not actual and settings.kafka_sasl_mechanism:  # the driver hides that it is not permitted
        yield Difference(
            topic.name,
            "has settings that the broker does not report",
            "Allow Vigil's user DescribeConfigs on it.",
            grave=False,
        )
    for key in sorted(_WORSE.keys() & wanted.keys() & actual.keys()):
        value = actual[key]
        if why := _WORSE[key](value, wanted[key]):
            alter = _alter_command(settings, topic, key, value=wanted[key])
            what = f"has {key}={value} and not {wanted[key]}: {why}"
            grave = key not in _HARMLESS
            yield Difference(topic.name, what, alter, grave=grave, starts=not grave)


def _compare_policy(have: str, wanted: str) -> str:
    if set(have.split(",")) == {wanted}:
        return ""
    if wanted == "compact":
        return "entries are dropped by age"
    return "only the newest message of each patient is kept"


def _compare_size(have: str, wanted: str) -> str:
    return "larger uploads are refused" if int(have) < int(wanted) else ""


def _compare_retention(have: str, wanted: str) -> str:
    return "messages go earlier" if 0 <= int(have) < int(wanted) else ""


def _compare_segment(have: str, wanted: str) -> str:
    return "messages stay on the disk for longer" if int(have) > int(wanted) else ""


_WORSE = {
    "cleanup.policy": _compare_policy,
    "max.message.bytes": _compare_size,
    "retention.ms": _compare_retention,
    "segment.ms": _compare_segment,
}
"""Setting → the consequence of its value, given ours; an empty string: none."""
_HARMLESS = frozenset({"retention.ms", "segment.ms"})
"""Settings of which no value loses or refuses a message."""


def find_producer_timestamps(settings: Settings) -> list[Difference]:
    """The topics whose timestamps are not the broker's own, as an earlier Vigil created them: a
    sender's wrong clock is then compared with itself (:mod:`vigil.contracts.clock_check`).

    Raises:
        UnavailableError: the broker does not answer, or does not permit the request.
    """
    key, wanted = topics.TIMESTAMP_TYPE, topics.BROKER_TIMESTAMP
    try:
        with open_admin(settings, connect_timeout_seconds=0) as admin:
            there = set(admin.list_topics())
            present = [topic for topic in topics.TOPICS.values() if topic.name in there]
            configs = _read_configs(admin, present)
    except KafkaError as error:
        raise broker_unavailable(settings, type(error).__name__) from error
    return [
        Difference(
            topic.name,
            f"keeps the producers' timestamps ({key}={config[key]})",
            _alter_command(settings, topic, key, value=wanted),
            grave=False,
        )
        for topic in present
        if (config := configs.get(topic.name, {})).get(key, wanted) != wanted
        and key in topic.config()
    ]


def _alter_command(settings: Settings, topic: topics.Topic, key: str, *, value: str) -> str:
    """The command with which an operator changes a topic's setting."""
    return (
        f"kafka-configs.sh --bootstrap-server {settings.kafka_bootstrap} --alter"
        f" --entity-type topics --entity-name {topic.name} --add-config {key}={value}"
    )
