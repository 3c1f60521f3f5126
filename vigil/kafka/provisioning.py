"""Makes on a broker the topics that :mod:`vigil.contracts.topics` lists, and says what is off about
them.

A topic that is there is never changed: adding partitions sends patients to other partitions than
before, and a topic's settings may be an operator's own choice.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType, NewTopic
from kafka.errors import InvalidReplicationFactorError, KafkaError, TopicAlreadyExistsError

from vigil.contracts import topics
from vigil.kafka.clients import open_admin, unavailable
from vigil.service.errors import SettingsError

if TYPE_CHECKING:
    from vigil.service.settings import Settings

WAY_OUT = (
    "The one way out is “More partitions” in docs/operations.md: drain, delete the four topics and"
    " the states, and let Vigil make them anew. No other setting of VIGIL_PARTITIONS mends it."
)
"""Of partitions that were added to a topic in use."""
_MOVED = (
    "Patients' messages go to other partitions than before, where their states and open episodes"
    " are not"
)
VISIBLE_SECONDS = 10.0
"""How long a topic that was made may take to be seen."""


def create_topics(settings: Settings) -> list[str]:
    """Create every topic that the broker lacks and return their names. Safe to repeat.

    A topic that is there already is left as it is, its partitions and settings too: what is off
    about it, :func:`differences` tells.

    Raises:
        UnavailableError: the broker does not answer within ``VIGIL_STARTUP_TIMEOUT_SECONDS``.
        SettingsError: the broker has not as many nodes as ``VIGIL_REPLICATION`` asks for.
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
                except TopicAlreadyExistsError:  # another process was quicker
                    continue
                created.append(topic.name)
            _await(admin, created)
    except InvalidReplicationFactorError as error:
        raise SettingsError(
            f"The broker cannot keep {settings.replication} copies of a topic.",
            code="settings.invalid",
            field="VIGIL_REPLICATION",
            how_to_fix="Ask for no more than there are brokers.",
        ) from error
    except KafkaError as error:
        raise unavailable(settings, type(error).__name__) from error
    return created


def _await(admin: Any, names: Collection[str]) -> None:
    """Wait until the broker speaks of new topics: it says "created" a moment before it does."""
    deadline = time.monotonic() + VISIBLE_SECONDS
    while not set(names) <= set(admin.list_topics()) and time.monotonic() < deadline:
        time.sleep(0.05)


class Difference(NamedTuple):
    """Something about a topic that is not as Vigil makes it."""

    topic: str
    what: str
    how_to_fix: str
    grave: bool
    """Messages are lost or refused like this, or patients are judged wrongly; otherwise it works,
    and may be meant."""
    starts: bool = True
    """Whether Vigil may start on it: it may, where the way out needs it to run."""


def differences(settings: Settings) -> list[Difference]:
    """What is off about the broker's topics: missing, partitions, copies, settings.

    A broker that tells no settings of a topic (the one in memory) has none to be wrong.

    Raises:
        UnavailableError: the broker does not answer, or does not let Vigil ask.
    """
    try:
        with open_admin(settings, patience=0) as admin:
            there = {topic["name"]: topic for topic in admin.describe_topics()}
            present = [topic for topic in topics.TOPICS.values() if topic.name in there]
            configs = _configs(admin, present)
    except KafkaError as error:
        raise unavailable(settings, type(error).__name__) from error
    found = [
        Difference(name, "is missing", "vigil topics --create", grave=True, starts=False)
        for name in topics.TOPICS
        if name not in there
    ]
    raised = _raised(
        {t.name: len(there[t.name]["partitions"]) for t in present if not t.partitions}
    )
    found += raised.values()
    for topic in present:
        if topic.partitions or not raised:
            found += _partitions(topic, there[topic.name]["partitions"], settings)
        found += _copies(topic, there[topic.name]["partitions"], settings)
        found += _settings(topic, configs.get(topic.name, {}), settings)
    return found


def _configs(admin: Any, present: list[topics.Topic]) -> Mapping[str, Mapping[str, str]]:
    """Topic → those of its settings that Vigil sets, as far as the broker tells them."""
    if not present:
        return {}
    asked = [ConfigResource(ConfigResourceType.TOPIC, topic.name) for topic in present]
    told = admin.describe_configs(asked, config_filter="all").get("topic", {})
    return {
        name: {key: entry["value"] for key, entry in entries.items()}
        for name, entries in told.items()
    }


def _partitions(
    topic: topics.Topic, partitions: list[Any], settings: Settings
) -> Iterator[Difference]:
    have, wanted = len(partitions), topic.partitions or settings.partitions
    if have != wanted:
        asked = "Vigil makes it with" if topic.partitions else "VIGIL_PARTITIONS asks for"
        yield Difference(
            topic.name,
            f"has {have} partitions, and {asked} {wanted}",
            _mend(topic, have),
            grave=False,
        )


def _copies(topic: topics.Topic, partitions: list[Any], settings: Settings) -> Iterator[Difference]:
    copies = min(len(partition["replica_nodes"]) for partition in partitions)
    if copies < settings.replication:
        yield Difference(
            topic.name,
            f"is kept {copies} times, and VIGIL_REPLICATION asks for {settings.replication}",
            "kafka-reassign-partitions.sh adds copies.",
            grave=False,
        )


def _raised(counts: Mapping[str, int]) -> dict[str, Difference]:
    """The topics to which partitions were added since they were made: those that have more than the
    others. There is one way out, whatever ``VIGIL_PARTITIONS`` is, so nothing else is advised."""
    least = min(counts.values(), default=0)
    others = sorted(name for name, count in counts.items() if count == least)
    return {
        name: Difference(
            name,
            f"has {count} partitions, and {', '.join(others)} {'have' if others[1:] else 'has'}"
            f" {least}: partitions were added since it was made. {_MOVED}",
            WAY_OUT,
            grave=True,
        )
        for name, count in sorted(counts.items())
        if count > least
    }


def _mend(topic: topics.Topic, have: int) -> str:
    if topic.partitions:
        return "It works. Make it anew when it is empty and Vigil is stopped."
    return (
        f"Set VIGIL_PARTITIONS={have}: Vigil works with what is there. To have another number, see"
        " “More partitions” in docs/operations.md; adding them to a topic in use moves patients."
    )


def _settings(
    topic: topics.Topic, told: Mapping[str, str], settings: Settings
) -> Iterator[Difference]:
    wanted = topic.config()
    if (
        not told and settings.kafka_sasl_mechanism
    ):  # the driver passes over "not allowed" in silence
        yield Difference(
            topic.name,
            "has settings that the broker does not tell",
            "Allow Vigil's user DescribeConfigs on it.",
            grave=False,
        )
    for key in sorted(_WORSE.keys() & wanted.keys() & told.keys()):
        value = told[key]
        if why := _WORSE[key](value, wanted[key]):
            alter = _alter(settings, topic, key, wanted[key])
            what = f"has {key}={value} and not {wanted[key]}: {why}"
            grave = key not in _HARMLESS
            yield Difference(topic.name, what, alter, grave=grave, starts=not grave)


def _policy(have: str, wanted: str) -> str:
    if set(have.split(",")) == {wanted}:
        return ""
    if wanted == "compact":
        return "entries are dropped by age"
    return "only the newest message of each patient is kept"


def _size(have: str, wanted: str) -> str:
    return "larger uploads are refused" if int(have) < int(wanted) else ""


def _age(have: str, wanted: str) -> str:
    return "messages go earlier" if 0 <= int(have) < int(wanted) else ""


def _segment(have: str, wanted: str) -> str:
    return "messages stay on the disk for longer" if int(have) > int(wanted) else ""


_WORSE = {
    "cleanup.policy": _policy,
    "max.message.bytes": _size,
    "retention.ms": _age,
    "segment.ms": _segment,
}
"""Setting → what comes of a value, given ours; an empty string: it will do."""
_HARMLESS = frozenset({"retention.ms", "segment.ms"})
"""Of which no value loses or refuses a message."""


def stamped_by_producers(settings: Settings) -> list[Difference]:
    """The topics whose timestamps are not the broker's own, as an earlier Vigil made them: a
    sender's wrong clock is then held against itself (:mod:`vigil.contracts.clock_check`).

    Raises:
        UnavailableError: the broker does not answer, or does not let Vigil ask.
    """
    key, wanted = topics.STAMP, topics.STAMP_OF_BROKER
    try:
        with open_admin(settings, patience=0) as admin:
            there = set(admin.list_topics())
            present = [topic for topic in topics.TOPICS.values() if topic.name in there]
            configs = _configs(admin, present)
    except KafkaError as error:
        raise unavailable(settings, type(error).__name__) from error
    return [
        Difference(
            topic.name,
            f"keeps the producers' timestamps ({key}={told[key]})",
            _alter(settings, topic, key, wanted),
            grave=False,
        )
        for topic in present
        if (told := configs.get(topic.name, {})).get(key, wanted) != wanted
        and key in topic.config()
    ]


def _alter(settings: Settings, topic: topics.Topic, key: str, value: str) -> str:
    return (
        f"kafka-configs.sh --bootstrap-server {settings.kafka_bootstrap} --alter"
        f" --entity-type topics --entity-name {topic.name} --add-config {key}={value}"
    )
